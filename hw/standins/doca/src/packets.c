/* Packets: what the card's rules make of a frame. */

static uint16_t be16(const uint8_t *b) { return (uint16_t)(b[0] << 8 | b[1]); }

/* dissect reads what the card's parser would. */
static void dissect(struct doca_flow_match *m, uint16_t in, const uint8_t *b, uint32_t n)
{
	memset(m, 0, sizeof *m);
#if RELEASE >= 300
	m->parser_meta.port_id = in;
#else
	m->parser_meta.port_meta = in;
#endif
	uint32_t at = 12;
	while (n >= at + 6 && (be16(b + at) == 0x8100 || be16(b + at) == 0x88a8))
		at += 4;
	if (n < at + 2)
		return;
	uint16_t ether = be16(b + at);
	uint8_t proto;
	at += 2;
	if (ether == 0x0800 && n >= at + 20) {
		m->parser_meta.outer_l3_type = DOCA_FLOW_L3_META_IPV4, m->outer.l3_type = DOCA_FLOW_L3_TYPE_IP4;
		memcpy(&m->outer.ip4.src_ip, b + at + 12, 4);
		memcpy(&m->outer.ip4.dst_ip, b + at + 16, 4);
		proto = m->outer.ip4.next_proto = b[at + 9];
		if (be16(b + at + 6) & 0x1fff)
			return; /* a later fragment has no ports */
		at += (b[at] & 15u) * 4;
	} else if (ether == 0x86dd && n >= at + 40) {
		m->parser_meta.outer_l3_type = DOCA_FLOW_L3_META_IPV6, m->outer.l3_type = DOCA_FLOW_L3_TYPE_IP6;
		memcpy(m->outer.ip6.src_ip, b + at + 8, 16);
		memcpy(m->outer.ip6.dst_ip, b + at + 24, 16);
		proto = m->outer.ip6.next_proto = b[at + 6];
		at += 40;
	} else {
		return;
	}
	if ((proto != 6 && proto != 17) || n < at + 4)
		return;
	m->parser_meta.outer_l4_type = proto == 6 ? DOCA_FLOW_L4_META_TCP : DOCA_FLOW_L4_META_UDP;
	m->outer.l4_type_ext = proto == 6 ? DOCA_FLOW_L4_TYPE_EXT_TCP : DOCA_FLOW_L4_TYPE_EXT_UDP;
	memcpy(&m->outer.transport.src_port, b + at, 2);
	memcpy(&m->outer.transport.dst_port, b + at + 2, 2);
}

struct standin_verdict standin_packet(uint16_t in, const uint8_t *frame, uint32_t n)
{
	struct doca_flow_match m;
	struct standin_verdict v = {STANDIN_DROPPED, in};
	dissect(&m, in, frame, n);
	pthread_mutex_lock(&lock);
	struct doca_flow_pipe *p = card.root;
	for (int hops = 0; p && hops < 16; hops++) {
		uint8_t key[MAX_KEY];
		size_t length;
		struct doca_flow_pipe_entry *e = key_of(&p->t, &m, key, &length, true) ? *find(p, key, length) : NULL;
		const struct doca_flow_fwd *fwd = e ? &e->fwd : &p->miss;
		if (e) {
			renew();
			show(e);
			e->live.packets++, e->live.bytes += n;
			e->used_ms = age_clock();
		}
		p = NULL;
		switch (fwd->type) {
		case DOCA_FLOW_FWD_PIPE:
			p = fwd->next_pipe;
			break;
		case DOCA_FLOW_FWD_PORT:
			v = (struct standin_verdict){STANDIN_PORT, fwd->port_id};
			break;
		case DOCA_FLOW_FWD_TARGET:
			v.kind = STANDIN_KERNEL;
			break;
		default:
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return v;
}
