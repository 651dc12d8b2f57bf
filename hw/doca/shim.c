//go:build doca

/*
 * Requests and answers: rules, their counters, and the instances' way out.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

struct shim shim;

static char error_text[512];

int si_fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(error_text, sizeof error_text, format, args);
	va_end(args);
	return SI_FAILED;
}

int si_refused(const char *what, doca_error_t err)
{
	return si_fail("%s: %s (%s)", what, doca_error_get_descr(err), doca_error_get_name(err));
}

const char *si_error(void) { return error_text; }

const char *si_reason(int16_t why)
{
	static char text[64];
	switch (why) {
	case SI_CARD_REFUSED:
		return "it answered with an error";
	case SI_PIPE_FULL:
		snprintf(text, sizeof text, "the pipe is full with %u rules", shim.cfg.rules);
		return text;
	case SI_NO_RULE:
		return "the rule is not in force";
	}
	return doca_error_get_descr((doca_error_t)why);
}

const char *si_release(void)
{
	static char text[64];
	snprintf(text, sizeof text, "%d.%d, running %s", DOCA_VERSION_MAJOR, DOCA_VERSION_MINOR, doca_version_runtime());
	return text;
}

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

static struct si_count sum(struct si_count a, struct si_count b)
{
	return (struct si_count){a.packets + b.packets, a.bytes + b.bytes};
}

static void put(struct si_done d)
{
	shim.done[(shim.first + shim.dones++) % shim.room] = d;
	shim.pending--;
}

static void release(uint32_t id)
{
	struct rule *r = &shim.rule[id];
	shim.held[r->pipe]--;
	r->stage = FREE, r->entry = NULL, r->next = shim.free, shim.free = id;
}

static void leaves(struct rule *r, enum stage how) { r->stage = how, shim.leaving[r->pipe]++; }

/* stays undoes leaves, if there is anything to undo. */
static void stays(struct rule *r)
{
	shim.leaving[r->pipe] -= r->stage == REMOVING || r->stage == ENDING;
	r->stage = LIVE;
}

static void answer(uint32_t id, uint8_t op, bool gone, int16_t why)
{
	struct rule *r = &shim.rule[id];
	struct si_count c = r->stage == UPDATING ? sum(r->before, r->last) : r->before;
	put((struct si_done){.cookie = r->cookie, .packets = c.packets, .bytes = c.bytes, .rule = id, .op = op,
			     .ok = why == 0, .gone = gone, .why = why});
	stays(r);
	if (gone)
		release(id);
}

static void again(uint32_t id, uint8_t stage)
{
	shim.rule[id].stage = stage, shim.rule[id].next = shim.again, shim.again = id;
}

/* completed takes one answer of the card. Pipes' own entries have no context. */
void si_completed(struct doca_flow_pipe_entry *entry, uint16_t queue, enum doca_flow_entry_status status,
		      enum doca_flow_entry_op op, void *ctx)
{
	bool ok = status == DOCA_FLOW_ENTRY_STATUS_SUCCESS;
	(void)entry, (void)queue;
	if (ctx == &shim.pusher) {
		shim.pusher = (op == DOCA_FLOW_ENTRY_OP_ADD) == ok ? THERE : ABSENT;
		return;
	}
	if (ctx == NULL) {
		shim.fixed = !ok ? -1 : shim.fixed > 0 ? shim.fixed - 1 : shim.fixed;
		return;
	}
	uint32_t id = (uint32_t)(uintptr_t)ctx - 1;
	struct rule *r = &shim.rule[id];
	if (op == DOCA_FLOW_ENTRY_OP_AGED) {
		if (r->stage == LIVE)
			again(id, AGED);
		return;
	}
	if (ok && op == DOCA_FLOW_ENTRY_OP_DEL)
		r->before = sum(r->before, r->last);
	int16_t why = ok ? 0 : SI_CARD_REFUSED;
	switch (r->stage) {
	case ADDING:
		answer(id, SI_ADD, !ok, why);
		break;
	case UPDATING:
		answer(id, SI_MOVE, false, why);
		break;
	case MOVING_OUT: /* added again once the SDK has returned from the completions */
		if (ok)
			again(id, MOVED_OUT);
		else
			answer(id, SI_MOVE, false, why);
		break;
	case MOVING_IN:
		answer(id, SI_MOVE, !ok, why);
		break;
	case REMOVING:
		answer(id, SI_REMOVE, ok, why);
		break;
	case ENDING:
		answer(id, SI_AGED, ok, why);
		break;
	}
}

/* ---- Requests ---------------------------------------------------------------------------------------------------- */

static void sent(uint32_t flags) { shim.buffered = flags == (uint32_t)LATER ? shim.buffered + 1 : 0; }

static struct doca_flow_fwd towards(uint16_t port)
{
	struct doca_flow_fwd fwd = {.type = DOCA_FLOW_FWD_DROP};
	if (port != SI_DROP)
		fwd = (struct doca_flow_fwd){.type = DOCA_FLOW_FWD_PORT, .port_id = port};
	return fwd;
}

static doca_error_t enter(uint32_t id, uint32_t flags)
{
	struct rule *r = &shim.rule[id];
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
		m.outer.tcp.l4_port.src_port = htons(r->tuple.src_port),
			m.outer.tcp.l4_port.dst_port = htons(r->tuple.dst_port);
	else
		m.outer.udp.l4_port.src_port = htons(r->tuple.src_port),
			m.outer.udp.l4_port.dst_port = htons(r->tuple.dst_port);
	struct doca_flow_monitor monitor = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED, .aging_sec = r->idle_s};
	struct doca_flow_fwd fwd = towards(r->port);
	doca_error_t err = add_entry(shim.flows[r->pipe], &m, &monitor, &fwd, flags, (void *)(uintptr_t)(id + 1),
		&r->entry);
	if (err == DOCA_SUCCESS)
		sent(flags);
	return err;
}

/* under_way is how much of the queue is used. */
static uint32_t under_way(void)
{
	return shim.pending + (shim.pusher == COMING || shim.pusher == GOING) + (shim.fixed > 0 ? (uint32_t)shim.fixed : 0);
}

/* leave removes a rule's entry from its pipe. It reads the entry's counter first, since the card removes that too. */
static doca_error_t leave(uint32_t id, uint32_t flags)
{
	struct rule *r = &shim.rule[id];
	doca_error_t err = query_entry(r->entry, &r->last);
	if (err == DOCA_SUCCESS && (err = remove_entry(flags, r->entry)) == DOCA_SUCCESS)
		sent(flags);
	return err;
}

static bool known(uint32_t id) { return id < shim.rules && shim.rule[id].stage == LIVE; }

/* refuse answers a request that has not reached the card. */
static bool refuse(const struct si_request *q, int16_t why)
{
	put((struct si_done){.cookie = q->cookie, .rule = q->rule, .op = q->op, .why = why});
	return true;
}

/* request takes a request, or reports false if the card wants to be asked again later. */
static bool request(const struct si_request *q, uint32_t flags)
{
	shim.pending++;
	doca_error_t err;
	if (q->op == SI_ADD) {
		uint8_t pipe = (uint8_t)((q->tuple.v6 ? V6_TCP : V4_TCP) + (q->tuple.proto == 6 ? 0 : 1));
		if (shim.held[pipe] == shim.cfg.rules) {
			if (shim.leaving[pipe] == 0)
				return refuse(q, SI_PIPE_FULL);
			shim.pending--; /* there will be room */
			return false;
		}
		uint32_t id = shim.free;
		struct rule *r = &shim.rule[id];
		shim.free = r->next, shim.held[pipe]++;
		*r = (struct rule){.cookie = q->cookie, .port = q->port, .idle_s = q->idle_s, .stage = ADDING, .pipe = pipe,
			.tuple = q->tuple};
		err = enter(id, flags);
		if (err == DOCA_ERROR_AGAIN)
			release(id), shim.pending--;
		else if (err != DOCA_SUCCESS)
			answer(id, SI_ADD, true, (int16_t)err);
		return err != DOCA_ERROR_AGAIN;
	}
	if (!known(q->rule))
		return refuse(q, SI_NO_RULE);
	struct rule *r = &shim.rule[q->rule];
	r->cookie = q->cookie;
	if (q->op == SI_MOVE && shim.cfg.in_place) {
		struct doca_flow_fwd fwd = towards(q->port);
		r->stage = UPDATING;
		if ((err = query_entry(r->entry, &r->last)) == DOCA_SUCCESS &&
		    (err = update_entry(shim.flows[r->pipe], &fwd, flags, r->entry)) == DOCA_SUCCESS)
			r->port = q->port, sent(flags);
	} else {
		if (q->op == SI_MOVE)
			r->stage = MOVING_OUT;
		else
			leaves(r, REMOVING);
		if ((err = leave(q->rule, flags)) == DOCA_SUCCESS && q->op == SI_MOVE)
			r->port = q->port;
	}
	if (err == DOCA_ERROR_AGAIN)
		stays(r), shim.pending--;
	else if (err != DOCA_SUCCESS)
		answer(q->rule, q->op, false, (int16_t)err);
	return err != DOCA_ERROR_AGAIN;
}

int si_apply(const struct si_request *q, uint32_t n, uint32_t *taken)
{
	uint32_t used = under_way(), room = used < shim.cfg.queue_depth ? shim.cfg.queue_depth - used : 0;
	if (room > shim.room - shim.dones - shim.pending)
		room = shim.room - shim.dones - shim.pending;
	if (room > n)
		room = n;
	for (*taken = 0; *taken < room && request(&q[*taken], *taken + 1 < room ? LATER : NOW);)
		++*taken;
	return *taken < n ? SI_BUSY : SI_OK;
}

uint32_t si_pending(void) { return shim.pending + shim.dones; }

/*
 * flush sends buffered entries whose last request was refused and so did not send them. To this end it adds an entry
 * for a port from which no packet comes, or removes it.
 */
static int flush(void)
{
	struct doca_flow_match m = {.MATCH_PORT = 0xfffe};
	struct doca_flow_monitor monitor = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED};
	struct doca_flow_fwd fwd = towards(0);
	if (shim.buffered == 0 || shim.pusher == COMING || shim.pusher == GOING)
		return SI_OK;
	bool there = shim.pusher == THERE;
	doca_error_t err = there ? remove_entry(NOW, shim.pushing)
		: add_entry(shim.egress, &m, &monitor, &fwd, NOW, &shim.pusher, &shim.pushing);
	if (err == DOCA_ERROR_AGAIN)
		return SI_OK; /* the next poll tries again */
	if (err != DOCA_SUCCESS)
		return si_refused("an entry that takes others along", err);
	shim.pusher = there ? GOING : COMING;
	shim.buffered = 0;
	return SI_OK;
}

/* follow_up does what completions have brought about: the second half of moves, and the end of idle rules. */
static void follow_up(void)
{
	while (shim.again != NONE) {
		uint32_t id = shim.again;
		struct rule *r = &shim.rule[id];
		if (r->stage == AGED) {
			if (under_way() >= shim.cfg.queue_depth || shim.pending + shim.dones >= shim.room)
				return;
			shim.again = r->next, shim.pending++;
			leaves(r, ENDING);
			doca_error_t err = leave(id, NOW);
			if (err != DOCA_SUCCESS)
				answer(id, SI_AGED, false, (int16_t)err);
			continue;
		}
		shim.again = r->next, r->stage = MOVING_IN;
		doca_error_t err = enter(id, NOW);
		if (err == DOCA_ERROR_AGAIN)
			return again(id, MOVED_OUT);
		if (err != DOCA_SUCCESS)
			answer(id, SI_MOVE, true, (int16_t)err);
	}
}

int si_poll(uint64_t timeout_us, struct si_done *out, uint32_t max, uint32_t *n)
{
	*n = 0;
	if (shim.dones == 0) {
		if (flush() != SI_OK)
			return SI_FAILED;
		TRY(doca_flow_entries_process(shim.proxy, QUEUE, timeout_us, 0));
		follow_up();
	}
	for (; shim.dones > 0 && *n < max; shim.dones--, shim.first = (shim.first + 1) % shim.room)
		out[(*n)++] = shim.done[shim.first];
	return SI_OK;
}

int si_age(uint64_t quota_us)
{
	for (int part = 0; part < 10 && doca_flow_aging_handle(shim.proxy, QUEUE, quota_us / 10, 0) != -1; part++)
		;
	follow_up();
	return SI_OK;
}

int si_query(const uint32_t *rules, uint32_t n, struct si_count *c)
{
	for (uint32_t k = 0; k < n; k++) {
		struct rule *r = rules[k] < shim.rules ? &shim.rule[rules[k]] : NULL;
		if (r == NULL || r->stage == FREE)
			return si_fail("rule %u is not in force", rules[k]);
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

/* ---- Egress ------------------------------------------------------------------------------------------------------ */

/* make_room waits until the queue takes one more entry. */
static int make_room(void)
{
	for (int tries = 0; under_way() >= shim.cfg.queue_depth && tries < 500; tries++) {
		TRY(doca_flow_entries_process(shim.proxy, QUEUE, 10000, 0));
		follow_up();
	}
	return under_way() < shim.cfg.queue_depth ? SI_OK : si_fail("the card did not answer within 5 s");
}

int si_settle(const char *what)
{
	for (int tries = 0; shim.fixed > 0 && tries < 500; tries++) {
		TRY(doca_flow_entries_process(shim.proxy, QUEUE, 10000, 0));
		follow_up();
	}
	if (shim.fixed == 0)
		return SI_OK;
	bool slow = shim.fixed > 0;
	shim.fixed = 0;
	return si_fail("%s: the card %s", what, slow ? "did not answer within 5 s" : "refused");
}

int si_egress(uint16_t port, uint16_t to)
{
	if (port >= shim.ports || to >= shim.ports || shim.from[port])
		return si_fail("ports %u to %u: there are %u, and each has one way out", port, to, shim.ports);
	struct doca_flow_match m = {.MATCH_PORT = port};
	struct doca_flow_monitor monitor = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED};
	struct doca_flow_fwd fwd = towards(to);
	struct doca_flow_pipe_entry *entry;
	if (make_room() != SI_OK)
		return SI_FAILED;
	TRY(add_entry(shim.egress, &m, &monitor, &fwd, NOW, NULL, &entry));
	shim.buffered = 0, shim.fixed++;
	if (si_settle("the way out of a port") != SI_OK)
		return SI_FAILED;
	shim.from[port] = entry;
	return SI_OK;
}

int si_egress_count(uint16_t port, struct si_count *c)
{
	if (port >= shim.ports || shim.from[port] == NULL)
		return si_fail("port %u has no way out", port);
	TRY(query_entry(shim.from[port], c));
	return SI_OK;
}

int si_egress_end(uint16_t port, struct si_count *last)
{
	if (make_room() != SI_OK || si_egress_count(port, last) != SI_OK)
		return SI_FAILED;
	TRY(remove_entry(NOW, shim.from[port]));
	shim.from[port] = NULL;
	shim.buffered = 0, shim.fixed++;
	return si_settle("the end of a port's way out");
}
