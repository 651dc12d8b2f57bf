//go:build doca

/*
 * The only file that sees DOCA Flow. What differs between the releases 2.7 to 3.3 stands in the first section; below it
 * there is one interface.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <doca_dev.h>
#include <doca_dpdk.h>
#include <doca_error.h>
#include <doca_flow.h>
#include <doca_version.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "shim.h"

#define RELEASE (DOCA_VERSION_MAJOR * 100 + DOCA_VERSION_MINOR)
#if RELEASE < 207
#error "DOCA 2.7 or later is needed: before it, configuration had another form"
#endif

/* ---- The releases ------------------------------------------------------------------------------------------------- */

#if RELEASE >= 303
#define NOW DOCA_FLOW_ENTRY_FLAGS_NO_WAIT
#define LATER DOCA_FLOW_ENTRY_FLAGS_WAIT_FOR_BATCH
#else
#define NOW DOCA_FLOW_NO_WAIT
#define LATER DOCA_FLOW_WAIT_FOR_BATCH
#endif

#define QUEUE 0

static doca_error_t add_entry(struct doca_flow_pipe *pipe, const struct doca_flow_match *match,
			      const struct doca_flow_monitor *monitor, const struct doca_flow_fwd *fwd, uint32_t flags,
			      void *ctx, struct doca_flow_pipe_entry **entry)
{
#if RELEASE >= 303
	return doca_flow_pipe_basic_add_entry(QUEUE, pipe, match, 0, NULL, monitor, fwd, flags, ctx, entry);
#elif RELEASE >= 302
	return doca_flow_pipe_add_entry(QUEUE, pipe, match, 0, NULL, monitor, fwd, flags, ctx, entry);
#else
	return doca_flow_pipe_add_entry(QUEUE, pipe, match, NULL, monitor, fwd, flags, ctx, entry);
#endif
}

/* In 3.2 the call is not known to exist, so nothing is moved in place there. */
#define CAN_UPDATE (RELEASE != 302)

static doca_error_t update_entry(struct doca_flow_pipe *pipe, const struct doca_flow_fwd *fwd, uint32_t flags,
				 struct doca_flow_pipe_entry *entry)
{
#if RELEASE >= 303
	return doca_flow_pipe_basic_update_entry(QUEUE, pipe, 0, NULL, NULL, fwd, flags, entry);
#elif CAN_UPDATE
	return doca_flow_pipe_update_entry(QUEUE, pipe, NULL, NULL, fwd, (enum doca_flow_flags_type)flags, entry);
#else
	(void)pipe, (void)fwd, (void)flags, (void)entry;
	return DOCA_ERROR_NOT_SUPPORTED;
#endif
}

static doca_error_t remove_entry(uint32_t flags, struct doca_flow_pipe_entry *entry)
{
#if RELEASE >= 209
	return doca_flow_pipe_remove_entry(QUEUE, flags, entry);
#else
	return doca_flow_pipe_rm_entry(QUEUE, flags, entry);
#endif
}

static doca_error_t query_entry(struct doca_flow_pipe_entry *entry, struct si_count *c)
{
	doca_error_t err;
#if RELEASE >= 209
	struct doca_flow_resource_query q = {0};
	if ((err = doca_flow_resource_query_entry(entry, &q)) == DOCA_SUCCESS)
		*c = (struct si_count){q.counter.total_pkts, q.counter.total_bytes};
#else
	struct doca_flow_query q = {0};
	if ((err = doca_flow_query_entry(entry, &q)) == DOCA_SUCCESS)
		*c = (struct si_count){q.total_pkts, q.total_bytes};
#endif
	return err;
}

#if RELEASE >= 300
#define MATCH_PORT parser_meta.port_id
#else
#define MATCH_PORT parser_meta.port_meta
#endif

/* port_identity gives a port's configuration what the release wants to know of it. */
static doca_error_t port_identity(struct doca_flow_port_cfg *cfg, uint16_t port)
{
#if RELEASE >= 300
	return doca_flow_port_cfg_set_port_id(cfg, port);
#else
	char number[8];
	snprintf(number, sizeof number, "%u", port);
	return doca_flow_port_cfg_set_devargs(cfg, number);
#endif
}

static doca_error_t port_memory(struct doca_flow_port_cfg *cfg, uint32_t entries)
{
#if RELEASE >= 210
	uint32_t size = 4096; /* a power of two; 128 B an entry, and 2,304 B for the one queue */
	while (size < entries * 128ull && size < 1u << 31)
		size <<= 1;
	return doca_flow_port_cfg_set_actions_mem_size(cfg, size);
#else
	(void)cfg, (void)entries;
	return DOCA_SUCCESS;
#endif
}

/* ---- State -------------------------------------------------------------------------------------------------------- */

enum { V4_TCP, V4_UDP, V6_TCP, V6_UDP, TUPLE_PIPES };

static const struct shape {
	const char *name;
	bool v6, tcp;
} shapes[TUPLE_PIPES] = {{"flows-ip4-tcp", false, true}, {"flows-ip4-udp", false, false},
			 {"flows-ip6-tcp", true, true},	 {"flows-ip6-udp", true, false}};

enum stage { FREE, ADDING, LIVE, UPDATING, MOVING_OUT, MOVED_OUT, MOVING_IN, REMOVING, AGED, ENDING };

struct rule {
	struct doca_flow_pipe_entry *entry;
	struct si_count before; /* counted by the entries that it had before this one */
	struct si_count last;	/* counted by this one, once it is being removed */
	uint64_t cookie;
	uint32_t next; /* in the list of free rules, or of those to be added again */
	uint32_t idle_s;
	uint16_t port;
	uint8_t stage, pipe;
	struct si_tuple tuple;
};

#define NONE UINT32_MAX

static struct {
	struct si_config cfg;
	struct doca_dev *dev;
	struct rte_mempool *mbufs;
	uint16_t ports;
	bool eal, flow;
	struct doca_flow_port *port[RTE_MAX_ETHPORTS];
#if RELEASE >= 301
	struct doca_dev_rep *rep[RTE_MAX_ETHPORTS];
#endif
	struct doca_flow_port *proxy;
	struct doca_flow_pipe *kernel, *flows[TUPLE_PIPES], *dispatch, *egress, *root;
	struct doca_flow_pipe_entry *from[RTE_MAX_ETHPORTS]; /* in the pipe egress */
	struct doca_flow_pipe_entry *flushing;
	uint32_t held[TUPLE_PIPES];

	struct rule *rule;
	uint32_t rules, free, again;

	uint32_t pending; /* requests that were taken and are not answered */
	uint32_t buffered; /* entries given to the SDK to be sent with a later one */
	int fixed;	   /* entries of our own under way; -1 after one failed */
	struct si_done *done;
	uint32_t first, dones, room;
} s;

static char error_text[512];

static int fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(error_text, sizeof error_text, format, args);
	va_end(args);
	return SI_FAILED;
}

static int refused(const char *what, doca_error_t err)
{
	return fail("%s: %s (%s)", what, doca_error_get_descr(err), doca_error_get_name(err));
}

#define TRY(call)                                                                                                              \
	do {                                                                                                                   \
		doca_error_t try_err = (call);                                                                                 \
		if (try_err != DOCA_SUCCESS)                                                                                   \
			return refused(#call, try_err);                                                                        \
	} while (0)

const char *si_error(void) { return error_text; }

const char *si_release(void)
{
	static char text[64];
	snprintf(text, sizeof text, "%d.%d, running %s", DOCA_VERSION_MAJOR, DOCA_VERSION_MINOR, doca_version_runtime());
	return text;
}

/* ---- Answers ------------------------------------------------------------------------------------------------------ */

static struct si_count sum(struct si_count a, struct si_count b)
{
	return (struct si_count){a.packets + b.packets, a.bytes + b.bytes};
}

static void answer(uint32_t id, uint8_t op, bool ok, bool gone)
{
	struct rule *r = &s.rule[id];
	struct si_count c = r->stage == UPDATING ? sum(r->before, r->last) : r->before;
	s.done[(s.first + s.dones++) % s.room] = (struct si_done){
		.cookie = r->cookie, .packets = c.packets, .bytes = c.bytes, .rule = id, .op = op, .ok = ok, .gone = gone};
	s.pending--;
	if (gone) {
		s.held[r->pipe]--;
		r->stage = FREE, r->entry = NULL, r->next = s.free, s.free = id;
	} else {
		r->stage = LIVE;
	}
}

static void again(uint32_t id, uint8_t stage)
{
	s.rule[id].stage = stage, s.rule[id].next = s.again, s.again = id;
}

/* completed takes one answer of the card. Entries of our own have no context. */
static void completed(struct doca_flow_pipe_entry *entry, uint16_t queue, enum doca_flow_entry_status status,
		      enum doca_flow_entry_op op, void *ctx)
{
	bool ok = status == DOCA_FLOW_ENTRY_STATUS_SUCCESS;
	(void)entry, (void)queue;
	if (ctx == NULL) {
		s.fixed = !ok ? -1 : s.fixed > 0 ? s.fixed - 1 : s.fixed;
		return;
	}
	uint32_t id = (uint32_t)(uintptr_t)ctx - 1;
	struct rule *r = &s.rule[id];
	if (op == DOCA_FLOW_ENTRY_OP_AGED) {
		if (r->stage == LIVE)
			again(id, AGED);
		return;
	}
	if (ok && op == DOCA_FLOW_ENTRY_OP_DEL)
		r->before = sum(r->before, r->last);
	switch (r->stage) {
	case ADDING:
		answer(id, SI_ADD, ok, !ok);
		break;
	case UPDATING:
		answer(id, SI_MOVE, ok, false);
		break;
	case MOVING_OUT: /* added again once the SDK has returned from the completions */
		if (ok)
			again(id, MOVED_OUT);
		else
			answer(id, SI_MOVE, false, false);
		break;
	case MOVING_IN:
		answer(id, SI_MOVE, ok, !ok);
		break;
	case REMOVING:
		answer(id, SI_REMOVE, ok, ok);
		break;
	case ENDING:
		answer(id, SI_AGED, ok, ok);
		break;
	}
}

/* ---- Requests ----------------------------------------------------------------------------------------------------- */

static void sent(uint32_t flags) { s.buffered = flags == (uint32_t)LATER ? s.buffered + 1 : 0; }

static struct doca_flow_fwd towards(uint16_t port)
{
	struct doca_flow_fwd fwd = {.type = DOCA_FLOW_FWD_DROP};
	if (port != SI_DROP)
		fwd = (struct doca_flow_fwd){.type = DOCA_FLOW_FWD_PORT, .port_id = port};
	return fwd;
}

static doca_error_t enter(uint32_t id, uint32_t flags)
{
	struct rule *r = &s.rule[id];
	const struct shape *shape = &shapes[r->pipe];
	struct doca_flow_match m = {0};
	if (shape->v6) {
		m.outer.l3_type = DOCA_FLOW_L3_TYPE_IP6;
		memcpy(m.outer.ip6.src_ip, r->tuple.src, 16);
		memcpy(m.outer.ip6.dst_ip, r->tuple.dst, 16);
	} else {
		m.outer.l3_type = DOCA_FLOW_L3_TYPE_IP4;
		memcpy(&m.outer.ip4.src_ip, r->tuple.src, 4);
		memcpy(&m.outer.ip4.dst_ip, r->tuple.dst, 4);
	}
	m.parser_meta.outer_l3_type = shape->v6 ? DOCA_FLOW_L3_META_IPV6 : DOCA_FLOW_L3_META_IPV4;
	m.parser_meta.outer_l4_type = shape->tcp ? DOCA_FLOW_L4_META_TCP : DOCA_FLOW_L4_META_UDP;
	m.outer.l4_type_ext = shape->tcp ? DOCA_FLOW_L4_TYPE_EXT_TCP : DOCA_FLOW_L4_TYPE_EXT_UDP;
	if (shape->tcp)
		m.outer.tcp.l4_port.src_port = htons(r->tuple.src_port), m.outer.tcp.l4_port.dst_port = htons(r->tuple.dst_port);
	else
		m.outer.udp.l4_port.src_port = htons(r->tuple.src_port), m.outer.udp.l4_port.dst_port = htons(r->tuple.dst_port);
	struct doca_flow_monitor monitor = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED, .aging_sec = r->idle_s};
	struct doca_flow_fwd fwd = towards(r->port);
	doca_error_t err = add_entry(s.flows[r->pipe], &m, &monitor, &fwd, flags, (void *)(uintptr_t)(id + 1), &r->entry);
	if (err == DOCA_SUCCESS)
		sent(flags);
	return err;
}

/* leave takes a rule's entry out of its pipe; what it counted is read first, since the card forgets it. */
static doca_error_t leave(uint32_t id, uint32_t flags)
{
	struct rule *r = &s.rule[id];
	doca_error_t err = query_entry(r->entry, &r->last);
	if (err == DOCA_SUCCESS && (err = remove_entry(flags, r->entry)) == DOCA_SUCCESS)
		sent(flags);
	return err;
}

static bool known(uint32_t id) { return id < s.rules && s.rule[id].stage == LIVE; }

/* refuse answers a request that did not get as far as the card. */
static void refuse(const struct si_request *q)
{
	s.done[(s.first + s.dones++) % s.room] = (struct si_done){.cookie = q->cookie, .rule = q->rule, .op = q->op};
	s.pending--;
}

static void request(const struct si_request *q, uint32_t flags)
{
	s.pending++;
	if (q->op == SI_ADD) {
		uint8_t pipe = (uint8_t)((q->tuple.v6 ? V6_TCP : V4_TCP) + (q->tuple.proto == 6 ? 0 : 1));
		if (s.held[pipe] == s.cfg.rules || s.free == NONE) {
			fail("pipe %s: full with %u rules", shapes[pipe].name, s.held[pipe]);
			return refuse(q);
		}
		uint32_t id = s.free;
		struct rule *r = &s.rule[id];
		s.free = r->next, s.held[pipe]++;
		*r = (struct rule){.cookie = q->cookie, .port = q->port, .idle_s = q->idle_s, .stage = ADDING, .pipe = pipe, .tuple = q->tuple};
		doca_error_t err = enter(id, flags);
		if (err != DOCA_SUCCESS) {
			refused("add an entry", err);
			answer(id, SI_ADD, false, true);
		}
		return;
	}
	if (!known(q->rule)) {
		fail("rule %u is not in force", q->rule);
		return refuse(q);
	}
	struct rule *r = &s.rule[q->rule];
	r->cookie = q->cookie;
	doca_error_t err;
	if (q->op == SI_MOVE && s.cfg.in_place) {
		struct doca_flow_fwd fwd = towards(q->port);
		r->stage = UPDATING;
		if ((err = query_entry(r->entry, &r->last)) == DOCA_SUCCESS &&
		    (err = update_entry(s.flows[r->pipe], &fwd, flags, r->entry)) == DOCA_SUCCESS)
			r->port = q->port, sent(flags);
	} else {
		r->stage = q->op == SI_MOVE ? MOVING_OUT : REMOVING;
		if ((err = leave(q->rule, flags)) == DOCA_SUCCESS && q->op == SI_MOVE)
			r->port = q->port;
	}
	if (err != DOCA_SUCCESS) {
		refused(q->op == SI_MOVE ? "move an entry" : "remove an entry", err);
		answer(q->rule, q->op, false, false);
	}
}

int si_apply(const struct si_request *q, uint32_t n, uint32_t *taken)
{
	uint32_t room = s.pending < s.cfg.queue_depth ? s.cfg.queue_depth - s.pending : 0;
	if (room > s.room - s.dones - s.pending)
		room = s.room - s.dones - s.pending;
	*taken = n < room ? n : room;
	for (uint32_t k = 0; k < *taken; k++)
		request(&q[k], k + 1 < *taken ? LATER : NOW);
	return *taken < n ? SI_BUSY : SI_OK;
}

uint32_t si_pending(void) { return s.pending; }

/* flush sends what is buffered because the request that should have taken it along was refused: it adds an entry for a port
 * that no packet comes from, or removes it. */
static int flush(void)
{
	if (s.buffered == 0)
		return SI_OK;
	s.buffered = 0;
	s.fixed++;
	if (s.flushing) {
		TRY(remove_entry(NOW, s.flushing));
		s.flushing = NULL;
		return SI_OK;
	}
	struct doca_flow_match m = {.MATCH_PORT = 0xfffe};
	struct doca_flow_monitor monitor = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED};
	struct doca_flow_fwd fwd = towards(0);
	TRY(add_entry(s.egress, &m, &monitor, &fwd, NOW, NULL, &s.flushing));
	return SI_OK;
}

/* follow_up does what completions asked for: the second half of moves, and the end of idle rules. */
static void follow_up(void)
{
	while (s.again != NONE) {
		uint32_t id = s.again;
		struct rule *r = &s.rule[id];
		if (r->stage == AGED) {
			if (s.pending >= s.cfg.queue_depth || s.pending + s.dones >= s.room)
				return;
			s.again = r->next, s.pending++, r->stage = ENDING;
			doca_error_t err = leave(id, NOW);
			if (err != DOCA_SUCCESS) {
				refused("remove an idle entry", err);
				answer(id, SI_AGED, false, false);
			}
			continue;
		}
		s.again = r->next, r->stage = MOVING_IN;
		doca_error_t err = enter(id, NOW);
		if (err != DOCA_SUCCESS) {
			refused("move an entry", err);
			answer(id, SI_MOVE, false, true);
		}
	}
}

int si_poll(uint64_t timeout_us, struct si_done *out, uint32_t max, uint32_t *n)
{
	*n = 0;
	if (s.dones == 0 && (s.pending > 0 || s.again != NONE)) {
		if (flush() != SI_OK)
			return SI_FAILED;
		TRY(doca_flow_entries_process(s.proxy, QUEUE, timeout_us, 0));
		follow_up();
	}
	for (; s.dones > 0 && *n < max; s.dones--, s.first = (s.first + 1) % s.room)
		out[(*n)++] = s.done[s.first];
	return SI_OK;
}

int si_age(uint64_t quota_us)
{
	doca_flow_aging_handle(s.proxy, QUEUE, quota_us, 0);
	follow_up();
	return SI_OK;
}

int si_query(const uint32_t *rules, uint32_t n, struct si_count *c)
{
	for (uint32_t k = 0; k < n; k++) {
		struct rule *r = rules[k] < s.rules ? &s.rule[rules[k]] : NULL;
		if (r == NULL || r->stage == FREE)
			return fail("rule %u is not in force", rules[k]);
		struct si_count now = {0, 0};
		switch (r->stage) {
		case LIVE:
		case UPDATING:
			TRY(query_entry(r->entry, &now));
			break;
		case MOVING_OUT:
		case REMOVING:
		case ENDING:
			now = r->last;
			break;
		}
		c[k] = sum(r->before, now);
	}
	return SI_OK;
}

/* ---- Egress ------------------------------------------------------------------------------------------------------- */

/* settle waits for entries of our own. */
static int settle(const char *what)
{
	for (int tries = 0; s.fixed > 0 && tries < 500; tries++) {
		TRY(doca_flow_entries_process(s.proxy, QUEUE, 10000, 0));
		follow_up();
	}
	if (s.fixed == 0)
		return SI_OK;
	bool slow = s.fixed > 0;
	s.fixed = 0;
	return fail("%s: the card %s", what, slow ? "did not answer within 5 s" : "refused");
}

int si_egress(uint16_t port, uint16_t to)
{
	if (port >= s.ports || to >= s.ports || s.from[port])
		return fail("ports %u to %u: there are %u, and each has one way out", port, to, s.ports);
	struct doca_flow_match m = {.MATCH_PORT = port};
	struct doca_flow_monitor monitor = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED};
	struct doca_flow_fwd fwd = towards(to);
	struct doca_flow_pipe_entry *entry;
	TRY(add_entry(s.egress, &m, &monitor, &fwd, NOW, NULL, &entry));
	s.buffered = 0, s.fixed++;
	if (settle("the way out of a port") != SI_OK)
		return SI_FAILED;
	s.from[port] = entry;
	return SI_OK;
}

int si_egress_count(uint16_t port, struct si_count *c)
{
	if (port >= s.ports || s.from[port] == NULL)
		return fail("port %u has no way out", port);
	TRY(query_entry(s.from[port], c));
	return SI_OK;
}

int si_egress_end(uint16_t port, struct si_count *last)
{
	if (si_egress_count(port, last) != SI_OK)
		return SI_FAILED;
	TRY(remove_entry(NOW, s.from[port]));
	s.from[port] = NULL;
	s.buffered = 0, s.fixed++;
	return settle("the end of a port's way out");
}

/* ---- Start and stop ----------------------------------------------------------------------------------------------- */

static int start_dpdk(void)
{
	char text[512], *args[40] = {"smartinco", "-a", "pci:00:00.0"}; /* an address that is not there: nothing is probed unasked */
	int n = 3;
	snprintf(text, sizeof text, "%s", s.cfg.eal ? s.cfg.eal : "");
	for (char *at, *word = strtok_r(text, " ", &at); word && n < 39; word = strtok_r(NULL, " ", &at))
		args[n++] = word;
	if (rte_eal_init(n, args) < 0)
		return fail("rte_eal_init: %s", rte_strerror(rte_errno));
	s.eal = true;
	return SI_OK;
}

static int open_device(void)
{
	struct doca_devinfo **list;
	uint32_t n;
	TRY(doca_devinfo_create_list(&list, &n));
	doca_error_t err = DOCA_ERROR_NOT_FOUND;
	for (uint32_t k = 0; k < n && err == DOCA_ERROR_NOT_FOUND; k++) {
		uint8_t is = 0;
		if (doca_devinfo_is_equal_pci_addr(list[k], s.cfg.pci, &is) == DOCA_SUCCESS && is)
			err = doca_dev_open(list[k], &s.dev);
	}
	doca_devinfo_destroy_list(list);
	if (err != DOCA_SUCCESS)
		return fail("device %s of %u: %s", s.cfg.pci, n, doca_error_get_descr(err));
	char devargs[256];
	snprintf(devargs, sizeof devargs, "dv_flow_en=2,fdb_def_rule_en=0,vport_match=1,repr_matching_en=0,dv_xmeta_en=4,representor=%s",
		 s.cfg.representors);
	TRY(doca_dpdk_port_probe(s.dev, devargs));
	return SI_OK;
}

static int start_ports(void)
{
	uint16_t p;
	s.mbufs = rte_pktmbuf_pool_create("smartinco", 4096, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (s.mbufs == NULL)
		return fail("memory for packets: %s; are there huge pages?", rte_strerror(rte_errno));
	RTE_ETH_FOREACH_DEV(p) {
		struct rte_eth_conf conf = {0};
		unsigned socket = (unsigned)rte_eth_dev_socket_id(p);
		int err = rte_eth_dev_configure(p, 1, 1, &conf);
		if (err == 0)
			err = rte_eth_rx_queue_setup(p, 0, 256, socket, NULL, s.mbufs);
		if (err == 0)
			err = rte_eth_tx_queue_setup(p, 0, 256, socket, NULL);
#if RELEASE <= 300
		struct rte_flow_error why = {0};
		if (err == 0)
			err = rte_flow_isolate(p, 1, &why);
#endif
		if (err == 0)
			err = rte_eth_dev_start(p);
		if (err != 0)
			return fail("DPDK port %u: %s", p, rte_strerror(-err));
		if (p != s.ports)
			return fail("DPDK numbered its ports with gaps: %u where %u was expected", p, s.ports);
		s.ports++;
	}
	struct rte_eth_dev_info info;
	if (s.ports == 0 || rte_eth_dev_info_get(0, &info) != 0 || *info.dev_flags & RTE_ETH_DEV_REPRESENTOR)
		return fail("DPDK port 0 of %u is not the uplink of %s", s.ports, s.cfg.pci);
	return SI_OK;
}

static int start_flow(void)
{
	struct doca_flow_cfg *cfg;
	TRY(doca_flow_cfg_create(&cfg));
	uint32_t counters = s.cfg.rules * TUPLE_PIPES + RTE_MAX_ETHPORTS;
	doca_error_t err = doca_flow_cfg_set_pipe_queues(cfg, 1);
#if RELEASE <= 301
	uint16_t queue = 0;
	struct doca_flow_resource_rss_cfg rss = {.queues_array = &queue, .nr_queues = 1};
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_default_rss(cfg, &rss);
#endif
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_mode_args(cfg, s.cfg.mode);
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_nr_counters(cfg, counters + counters / 10);
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_queue_depth(cfg, s.cfg.queue_depth);
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_cb_entry_process(cfg, completed);
	if (err == DOCA_SUCCESS)
		err = doca_flow_init(cfg);
	doca_flow_cfg_destroy(cfg);
	if (err != DOCA_SUCCESS)
		return refused("doca_flow_init", err);
	s.flow = true;
	return SI_OK;
}

static doca_error_t describe_port(struct doca_flow_port_cfg *cfg, uint16_t p)
{
	doca_error_t err = port_identity(cfg, p);
	if (err == DOCA_SUCCESS)
		err = port_memory(cfg, p == 0 ? s.cfg.rules * TUPLE_PIPES : 1);
	if (err == DOCA_SUCCESS && p == 0)
		err = doca_flow_port_cfg_set_dev(cfg, s.dev);
#if RELEASE >= 301
	if (err == DOCA_SUCCESS && p > 0)
		err = doca_dpdk_open_dev_rep_by_port_id(p, &s.rep[p]);
	if (err == DOCA_SUCCESS && p > 0)
		err = doca_flow_port_cfg_set_dev_rep(cfg, s.rep[p]);
#endif
	return err;
}

static int start_flow_ports(void)
{
	for (uint16_t p = 0; p < s.ports; p++) { /* the proxy first */
		struct doca_flow_port_cfg *cfg;
		TRY(doca_flow_port_cfg_create(&cfg));
		doca_error_t err = describe_port(cfg, p);
		if (err == DOCA_SUCCESS)
			err = doca_flow_port_start(cfg, &s.port[p]);
		doca_flow_port_cfg_destroy(cfg);
		if (err != DOCA_SUCCESS)
			return fail("start of port %u: %s", p, doca_error_get_descr(err));
	}
	s.proxy = doca_flow_port_switch_get(s.port[0]);
	return SI_OK;
}

/* pipe makes one whose entries are told apart by match under mask. */
static int pipe_with(const char *name, bool root, uint32_t entries, const struct doca_flow_match *match,
		     const struct doca_flow_match *mask, const struct doca_flow_monitor *monitor,
		     const struct doca_flow_fwd *fwd, const struct doca_flow_fwd *miss, struct doca_flow_pipe **pipe)
{
	struct doca_flow_pipe_cfg *cfg;
	TRY(doca_flow_pipe_cfg_create(&cfg, s.proxy));
	doca_error_t err = doca_flow_pipe_cfg_set_name(cfg, name);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_type(cfg, DOCA_FLOW_PIPE_BASIC);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_is_root(cfg, root);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_nr_entries(cfg, entries);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_match(cfg, match, mask);
	if (err == DOCA_SUCCESS && monitor)
		err = doca_flow_pipe_cfg_set_monitor(cfg, monitor);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_create(cfg, fwd, miss, pipe);
	doca_flow_pipe_cfg_destroy(cfg);
	return err == DOCA_SUCCESS ? SI_OK : fail("pipe %s: %s (%s)", name, doca_error_get_descr(err), doca_error_get_name(err));
}

/* fixed_entry adds one of our own and waits for it. */
static int fixed_entry(const char *what, struct doca_flow_pipe *pipe, const struct doca_flow_match *m,
		       const struct doca_flow_fwd *fwd)
{
	struct doca_flow_pipe_entry *entry;
	TRY(add_entry(pipe, m, NULL, fwd, NOW, NULL, &entry));
	s.fixed++;
	return settle(what);
}

/*
 * build makes the tree from its leaves up:
 *
 *	root       from the uplink?         else -> egress
 *	  dispatch TCP or UDP, IPv4 or 6?   else -> others
 *	    flows  a pipe for each of the four: five-tuple -> port, counted   else -> kernel
 *	egress     from which port?  -> its way out, counted                  else -> kernel
 *	kernel     the netdev of the port where the packet came in
 */
static int build(void)
{
	const struct doca_flow_match nothing = {0};
	const struct doca_flow_monitor counted = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED};
	const struct doca_flow_monitor counted_aged = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED, .aging_sec = UINT32_MAX}; /* each entry says */
	struct doca_flow_match m, mask;
	struct doca_flow_target *target;
	TRY(doca_flow_get_target(DOCA_FLOW_TARGET_KERNEL, &target));
	struct doca_flow_fwd up = {.type = DOCA_FLOW_FWD_TARGET, .target = target};
	if (pipe_with("kernel", false, 1, &nothing, NULL, NULL, &up, NULL, &s.kernel) != SI_OK ||
	    fixed_entry("pipe kernel", s.kernel, &nothing, NULL) != SI_OK)
		return SI_FAILED;
	struct doca_flow_fwd kernel = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = s.kernel};
	struct doca_flow_fwd drop = {.type = DOCA_FLOW_FWD_DROP};
	struct doca_flow_fwd any_port = {.type = DOCA_FLOW_FWD_PORT, .port_id = 0xffff};

	for (int k = 0; k < TUPLE_PIPES; k++) {
		const struct shape *shape = &shapes[k];
		memset(&m, 0, sizeof m);
		memset(&mask, 0, sizeof mask);
		m.outer.l3_type = mask.outer.l3_type = shape->v6 ? DOCA_FLOW_L3_TYPE_IP6 : DOCA_FLOW_L3_TYPE_IP4;
		m.outer.l4_type_ext = mask.outer.l4_type_ext = shape->tcp ? DOCA_FLOW_L4_TYPE_EXT_TCP : DOCA_FLOW_L4_TYPE_EXT_UDP;
		m.parser_meta.outer_l3_type = shape->v6 ? DOCA_FLOW_L3_META_IPV6 : DOCA_FLOW_L3_META_IPV4;
		m.parser_meta.outer_l4_type = shape->tcp ? DOCA_FLOW_L4_META_TCP : DOCA_FLOW_L4_META_UDP;
		memset(&mask.parser_meta.outer_l3_type, 0xff, sizeof mask.parser_meta.outer_l3_type);
		memset(&mask.parser_meta.outer_l4_type, 0xff, sizeof mask.parser_meta.outer_l4_type);
		if (shape->v6) {
			memset(m.outer.ip6.src_ip, 0xff, 16), memset(mask.outer.ip6.src_ip, 0xff, 16);
			memset(m.outer.ip6.dst_ip, 0xff, 16), memset(mask.outer.ip6.dst_ip, 0xff, 16);
		} else {
			m.outer.ip4.src_ip = mask.outer.ip4.src_ip = UINT32_MAX;
			m.outer.ip4.dst_ip = mask.outer.ip4.dst_ip = UINT32_MAX;
		}
		if (shape->tcp) {
			m.outer.tcp.l4_port.src_port = mask.outer.tcp.l4_port.src_port = UINT16_MAX;
			m.outer.tcp.l4_port.dst_port = mask.outer.tcp.l4_port.dst_port = UINT16_MAX;
		} else {
			m.outer.udp.l4_port.src_port = mask.outer.udp.l4_port.src_port = UINT16_MAX;
			m.outer.udp.l4_port.dst_port = mask.outer.udp.l4_port.dst_port = UINT16_MAX;
		}
		if (pipe_with(shape->name, false, s.cfg.rules, &m, &mask, &counted_aged, &any_port, &kernel, &s.flows[k]) != SI_OK)
			return SI_FAILED;
	}

	struct doca_flow_fwd any_pipe = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = NULL};
	memset(&m, 0, sizeof m);
	memset(&m.parser_meta.outer_l3_type, 0xff, sizeof m.parser_meta.outer_l3_type);
	memset(&m.parser_meta.outer_l4_type, 0xff, sizeof m.parser_meta.outer_l4_type);
	if (pipe_with("dispatch", false, TUPLE_PIPES, &m, &m, NULL, &any_pipe,
		      s.cfg.others == SI_OTHERS_DROP ? &drop : &kernel, &s.dispatch) != SI_OK)
		return SI_FAILED;
	for (int k = 0; k < TUPLE_PIPES; k++) {
		struct doca_flow_fwd to = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = s.flows[k]};
		memset(&m, 0, sizeof m);
		m.parser_meta.outer_l3_type = shapes[k].v6 ? DOCA_FLOW_L3_META_IPV6 : DOCA_FLOW_L3_META_IPV4;
		m.parser_meta.outer_l4_type = shapes[k].tcp ? DOCA_FLOW_L4_META_TCP : DOCA_FLOW_L4_META_UDP;
		if (fixed_entry("pipe dispatch", s.dispatch, &m, &to) != SI_OK)
			return SI_FAILED;
	}

	memset(&m, 0, sizeof m);
	memset(&m.MATCH_PORT, 0xff, sizeof m.MATCH_PORT);
	if (pipe_with("egress", false, RTE_MAX_ETHPORTS, &m, &m, &counted, &any_port, &kernel, &s.egress) != SI_OK)
		return SI_FAILED;
	struct doca_flow_fwd inbound = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = s.dispatch};
	struct doca_flow_fwd outbound = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = s.egress};
	if (pipe_with("root", true, 1, &m, &m, NULL, &inbound, &outbound, &s.root) != SI_OK)
		return SI_FAILED;
	memset(&m, 0, sizeof m); /* port 0, the uplink */
	return fixed_entry("pipe root", s.root, &m, NULL);
}

int si_open(const struct si_config *cfg, uint16_t *ports)
{
	if (s.rule)
		return fail("it is open already");
	memset(&s, 0, sizeof s);
	s.cfg = *cfg;
	if (s.cfg.in_place && !CAN_UPDATE)
		return fail("DOCA %s cannot change an entry in place, as far as is known", si_release());
	s.free = s.again = NONE;
	s.rules = cfg->rules * TUPLE_PIPES;
	s.room = 2 * cfg->queue_depth;
	s.rule = calloc(s.rules, sizeof *s.rule);
	s.done = calloc(s.room, sizeof *s.done);
	if (s.rule == NULL || s.done == NULL) {
		si_close();
		return fail("no memory for %u rules", s.rules);
	}
	for (uint32_t id = s.rules; id-- > 0; s.free = id)
		s.rule[id].next = s.free;
	if (start_dpdk() != SI_OK || open_device() != SI_OK || start_ports() != SI_OK || start_flow() != SI_OK ||
	    start_flow_ports() != SI_OK || build() != SI_OK) {
		char why[sizeof error_text];
		memcpy(why, error_text, sizeof why);
		si_close();
		memcpy(error_text, why, sizeof why);
		return SI_FAILED;
	}
	*ports = s.ports;
	return SI_OK;
}

/* si_close takes down what there is, in the opposite order. DPDK cannot be started twice in a process. */
int si_close(void)
{
	struct doca_flow_pipe *pipes[] = {s.root, s.egress, s.dispatch, s.flows[0], s.flows[1], s.flows[2], s.flows[3], s.kernel};
	for (unsigned k = 0; k < sizeof pipes / sizeof *pipes; k++)
		if (pipes[k])
			doca_flow_pipe_destroy(pipes[k]);
	for (int p = RTE_MAX_ETHPORTS; p-- > 0;) {
		if (s.port[p])
			doca_flow_port_stop(s.port[p]);
#if RELEASE >= 301
		if (s.rep[p])
			doca_dev_rep_close(s.rep[p]);
#endif
	}
	if (s.flow)
		doca_flow_destroy();
	for (uint16_t p = s.ports; p-- > 0;) {
		rte_eth_dev_stop(p);
		rte_eth_dev_close(p);
	}
	if (s.mbufs)
		rte_mempool_free(s.mbufs);
	if (s.dev)
		doca_dev_close(s.dev);
	if (s.eal)
		rte_eal_cleanup();
	free(s.rule);
	free(s.done);
	memset(&s, 0, sizeof s);
	return SI_OK;
}
