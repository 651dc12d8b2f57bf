/* Pipes: the fields of a packet that they look at, and the table of their entries. */

/* The parts of a match. Those of one layer overlap; the template's type says which holds. */
enum { PORT, L3, L4, IP4_SRC, IP4_DST, IP6_SRC, IP6_DST, L4_SRC, L4_DST, FIELDS };

#define AT(member) offsetof(struct doca_flow_match, member), sizeof(((struct doca_flow_match *)0)->member)
static const struct field {
	size_t at, size;
	enum doca_flow_l3_type l3;
	bool l4;
} fields[FIELDS] = {
#if RELEASE >= 300
	[PORT] = {AT(parser_meta.port_id), 0, false},
#else
	[PORT] = {AT(parser_meta.port_meta), 0, false},
#endif
	[L3] = {AT(parser_meta.outer_l3_type), 0, false},
	[L4] = {AT(parser_meta.outer_l4_type), 0, false},
	[IP4_SRC] = {AT(outer.ip4.src_ip), DOCA_FLOW_L3_TYPE_IP4, false},
	[IP4_DST] = {AT(outer.ip4.dst_ip), DOCA_FLOW_L3_TYPE_IP4, false},
	[IP6_SRC] = {AT(outer.ip6.src_ip), DOCA_FLOW_L3_TYPE_IP6, false},
	[IP6_DST] = {AT(outer.ip6.dst_ip), DOCA_FLOW_L3_TYPE_IP6, false},
	[L4_SRC] = {AT(outer.transport.src_port), 0, true},
	[L4_DST] = {AT(outer.transport.dst_port), 0, true},
};

enum use { IGNORED, CONSTANT, CHANGEABLE };

static bool all(const void *p, size_t n, uint8_t value)
{
	const uint8_t *b = p;
	while (n > 0 && b[n - 1] == value)
		n--;
	return n == 0;
}

#define MAX_KEY 48

struct template {
	struct doca_flow_match match;
	enum use use[FIELDS];
};

/*
 * read_template says what each part of a pipe's match means. Without a mask, a part of zeros is ignored, a part of ones
 * differs from entry to entry, and any other part is constant. With a mask, parts that it leaves out are ignored.
 */
static void read_template(struct template *t, const struct doca_flow_match *match, const struct doca_flow_match *mask)
{
	t->match = *match;
	for (int f = 0; f < FIELDS; f++) {
		const struct field *field = &fields[f];
		const uint8_t *value = (const uint8_t *)match + field->at;
		const uint8_t *bits = mask ? (const uint8_t *)mask + field->at : NULL;
		t->use[f] = IGNORED;
		if ((field->l3 && field->l3 != match->outer.l3_type) ||
			(field->l4 && match->outer.l4_type_ext == DOCA_FLOW_L4_TYPE_EXT_NONE))
			continue;
		if (all(bits ? bits : value, field->size, 0))
			continue;
		t->use[f] = all(value, field->size, 0xff) ? CHANGEABLE : CONSTANT;
	}
}

/*
 * key_of collects the parts in which entries differ, of an entry or of a packet. It reports whether the constant parts
 * agree.
 */
static bool key_of(const struct template *t, const struct doca_flow_match *m, uint8_t *key, size_t *n, bool packet)
{
	*n = 0;
	for (int f = 0; f < FIELDS; f++) {
		const uint8_t *value = (const uint8_t *)m + fields[f].at;
		if (t->use[f] == CONSTANT && packet &&
			memcmp(value, (const uint8_t *)&t->match + fields[f].at, fields[f].size) != 0)
			return false;
		if (t->use[f] != CHANGEABLE)
			continue;
		if (packet && ((fields[f].l3 && fields[f].l3 != m->outer.l3_type) ||
			(fields[f].l4 && m->outer.l4_type_ext == 0)))
			return false;
		memcpy(key + *n, value, fields[f].size);
		*n += fields[f].size;
	}
	return true;
}

/* ---- Pipes and entries ------------------------------------------------------------------------------------------- */

struct doca_flow_pipe_cfg {
	char name[64];
	bool root, matches, masked, monitors;
	uint32_t entries;
	struct doca_flow_match match, mask;
	struct doca_flow_monitor monitor;
};

struct totals {
	uint64_t packets, bytes;
};

struct doca_flow_pipe_entry {
	struct doca_flow_pipe *pipe;
	struct doca_flow_pipe_entry *next; /* of the same hash */
	uint8_t key[MAX_KEY];
	size_t length;
	struct doca_flow_fwd fwd;
	struct totals live, shown;
	uint32_t epoch, aging_s;
	uint64_t used_ms;
	bool in_force, counted, aged, leaving;
	void *ctx;
};

struct doca_flow_pipe {
	struct doca_flow_pipe_cfg cfg;
	struct template t;
	struct doca_flow_fwd fwd, miss;
	struct doca_flow_pipe_entry **table;
	uint32_t mask, held; /* held: entries in force or on their way */
	struct doca_flow_pipe *next;
};

doca_error_t doca_flow_pipe_cfg_create(struct doca_flow_pipe_cfg **cfg, struct doca_flow_port *port)
{
	MAY_FAIL;
	if (port == NULL || !port->started)
		return misused(DOCA_ERROR_BAD_STATE, "a pipe on a port that is not started");
	if ((*cfg = make(sizeof **cfg)) == NULL)
		return DOCA_ERROR_NO_MEMORY;
	(*cfg)->entries = 8192;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_destroy(struct doca_flow_pipe_cfg *cfg)
{
	unmake(cfg);
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_name(struct doca_flow_pipe_cfg *cfg, const char *name)
{
	MAY_FAIL;
	snprintf(cfg->name, sizeof cfg->name, "%s", name);
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_type(struct doca_flow_pipe_cfg *cfg, enum doca_flow_pipe_type type)
{
	(void)cfg;
	MAY_FAIL;
	return type == DOCA_FLOW_PIPE_BASIC ? DOCA_SUCCESS : DOCA_ERROR_NOT_SUPPORTED;
}

doca_error_t doca_flow_pipe_cfg_set_is_root(struct doca_flow_pipe_cfg *cfg, bool root)
{
	MAY_FAIL;
	cfg->root = root;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_nr_entries(struct doca_flow_pipe_cfg *cfg, uint32_t n)
{
	MAY_FAIL;
	cfg->entries = n;
	return n > 0 ? DOCA_SUCCESS : DOCA_ERROR_INVALID_VALUE;
}

doca_error_t doca_flow_pipe_cfg_set_match(struct doca_flow_pipe_cfg *cfg, const struct doca_flow_match *m,
	const struct doca_flow_match *mask)
{
	MAY_FAIL;
	cfg->match = *m, cfg->matches = true;
	if ((cfg->masked = mask != NULL))
		cfg->mask = *mask;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_monitor(struct doca_flow_pipe_cfg *cfg, const struct doca_flow_monitor *m)
{
	MAY_FAIL;
	cfg->monitor = *m, cfg->monitors = true;
	return DOCA_SUCCESS;
}

/* reachable says whether a packet may be sent there. */
static doca_error_t reachable(const struct doca_flow_fwd *fwd, bool any)
{
	if (fwd->type == DOCA_FLOW_FWD_PORT && !(any && fwd->port_id == 0xffff) &&
	    (fwd->port_id >= MAX_PORTS || !card.port[fwd->port_id].started))
		return misused(DOCA_ERROR_INVALID_VALUE, "forward to port %u, which is not started", fwd->port_id);
	if (fwd->type == DOCA_FLOW_FWD_PIPE && !any && fwd->next_pipe == NULL)
		return misused(DOCA_ERROR_INVALID_VALUE, "forward to no pipe");
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_create(const struct doca_flow_pipe_cfg *cfg, const struct doca_flow_fwd *fwd,
				   const struct doca_flow_fwd *miss, struct doca_flow_pipe **pipe)
{
	MAY_FAIL;
	if (!cfg->matches || fwd == NULL)
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s without a match or a forward", cfg->name);
	if (cfg->root && card.root)
		return misused(DOCA_ERROR_ALREADY_EXIST, "a second root pipe, %s", cfg->name);
	if (cfg->root && cfg->monitors)
		return misused(DOCA_ERROR_NOT_SUPPORTED, "a root pipe that counts: refused on BlueField-2 with 2.9.4");
	if (miss && miss->type != DOCA_FLOW_FWD_PIPE && miss->type != DOCA_FLOW_FWD_DROP)
		return misused(DOCA_ERROR_INVALID_VALUE, "invalid fwd_miss type %d", miss->type);
	doca_error_t err = reachable(fwd, true);
	if (err == DOCA_SUCCESS && miss)
		err = reachable(miss, false);
	if (err != DOCA_SUCCESS)
		return err;
	struct doca_flow_pipe *p = make(sizeof *p);
	uint32_t size = 16;
	while (size < cfg->entries && size < 1u << 24)
		size <<= 1;
	if (p == NULL || (p->table = calloc(size, sizeof *p->table)) == NULL)
		return unmake(p), DOCA_ERROR_NO_MEMORY;
	p->cfg = *cfg, p->fwd = *fwd, p->mask = size - 1;
	p->miss = miss ? *miss : (struct doca_flow_fwd){.type = DOCA_FLOW_FWD_DROP};
	read_template(&p->t, &cfg->match, cfg->masked ? &cfg->mask : NULL);
	pthread_mutex_lock(&lock);
	p->next = card.pipes, card.pipes = p;
	if (cfg->root)
		card.root = p;
	pthread_mutex_unlock(&lock);
	*pipe = p;
	return DOCA_SUCCESS;
}

static void end_pipe(struct doca_flow_pipe *p)
{
	pthread_mutex_lock(&lock);
	for (struct doca_flow_pipe **at = &card.pipes; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	if (card.root == p)
		card.root = NULL;
	for (uint32_t k = 0; k < card.queued; k++) { /* its operations that are under way end with it */
		struct operation *o = &card.queue[(card.first + k) % (card.depth + 1)];
		if (o->entry == NULL || o->entry->pipe != p)
			continue;
		if (o->op == DOCA_FLOW_ENTRY_OP_ADD)
			unmake(o->entry);
		o->entry = NULL;
	}
	for (uint32_t k = 0; k <= p->mask; k++)
		for (struct doca_flow_pipe_entry *e = p->table[k], *next; e; e = next) {
			next = e->next;
			card.entries--;
			unmake(e);
		}
	pthread_mutex_unlock(&lock);
	free(p->table);
	unmake(p);
}

void doca_flow_pipe_destroy(struct doca_flow_pipe *p) { end_pipe(p); }

static uint32_t hash(const uint8_t *key, size_t n)
{
	uint64_t h = 14695981039346656037ull;
	for (size_t k = 0; k < n; k++)
		h = (h ^ key[k]) * 1099511628211ull;
	return (uint32_t)(h ^ h >> 32);
}

static struct doca_flow_pipe_entry **find(struct doca_flow_pipe *p, const uint8_t *key, size_t n)
{
	struct doca_flow_pipe_entry **at = &p->table[hash(key, n) & p->mask];
	while (*at && ((*at)->length != n || memcmp((*at)->key, key, n) != 0))
		at = &(*at)->next;
	return at;
}
