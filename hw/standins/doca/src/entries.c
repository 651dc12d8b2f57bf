/* Entries: requests, completions, counters, ageing. */

/* enqueue takes an operation, or says why not. */
static doca_error_t enqueue(uint16_t queue, struct doca_flow_pipe_entry *e, enum doca_flow_entry_op op,
	const struct doca_flow_fwd *fwd, uint32_t flags)
{
#if RELEASE >= 303
	const uint32_t now = DOCA_FLOW_ENTRY_FLAGS_NO_WAIT, wait = DOCA_FLOW_ENTRY_FLAGS_WAIT_FOR_BATCH;
#else
	const uint32_t now = DOCA_FLOW_NO_WAIT, wait = DOCA_FLOW_WAIT_FOR_BATCH;
#endif
	if (queue != 0)
		return misused(DOCA_ERROR_INVALID_VALUE, "queue %u of 1", queue);
	if (flags != now && flags != wait)
		return misused(DOCA_ERROR_INVALID_VALUE, "flags %u", flags);
	if (!card.owned)
		card.owner = pthread_self(), card.owned = true;
	if (!pthread_equal(card.owner, pthread_self()))
		return misused(DOCA_ERROR_BAD_STATE, "two threads use one queue");
	if (card.queued == card.depth)
		return misused(DOCA_ERROR_INVALID_VALUE, "more than %u operations in the queue", card.depth);
	card.queue[(card.first + card.queued++) % (card.depth + 1)] =
		(struct operation){e, op, fwd ? *fwd : (struct doca_flow_fwd){0}};
	if (flags == now)
		card.submitted = card.queued;
	return DOCA_SUCCESS;
}

static doca_error_t add(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m,
	const struct doca_flow_monitor *monitor,
			const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **entry)
{
	if (p->held == p->cfg.entries)
		return DOCA_ERROR_FULL;
	const struct doca_flow_fwd *to = &p->fwd;
	bool open = (p->fwd.type == DOCA_FLOW_FWD_PORT && p->fwd.port_id == 0xffff) ||
		(p->fwd.type == DOCA_FLOW_FWD_PIPE && !p->fwd.next_pipe);
	if (open != (fwd != NULL))
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s: a forward %s", p->cfg.name,
			open ? "is wanted for each entry" : "is fixed by the pipe");
	if (fwd) {
		if (fwd->type != p->fwd.type && fwd->type != DOCA_FLOW_FWD_DROP)
			return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s: another kind of forward in an entry", p->cfg.name);
		doca_error_t err = reachable(to = fwd, false);
		if (err != DOCA_SUCCESS)
			return err;
	}
	if ((m->outer.l3_type && m->outer.l3_type != p->t.match.outer.l3_type) ||
	    (m->outer.l4_type_ext && m->outer.l4_type_ext != p->t.match.outer.l4_type_ext))
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s: another protocol in an entry", p->cfg.name);
	bool counted = monitor && monitor->counter_type == DOCA_FLOW_RESOURCE_TYPE_NON_SHARED;
	if (counted && !p->cfg.monitors)
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s does not count, but its entry does", p->cfg.name);
	if (monitor && monitor->aging_sec && p->cfg.monitor.aging_sec != UINT32_MAX)
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s does not age, but its entry does", p->cfg.name);
	if (counted && card.counters_used == card.counters)
		return DOCA_ERROR_NO_MEMORY;
	struct doca_flow_pipe_entry *e = make(sizeof *e);
	if (e == NULL)
		return DOCA_ERROR_NO_MEMORY;
	*e = (struct doca_flow_pipe_entry){.pipe = p, .fwd = *to, .counted = counted,
		.aging_s = monitor ? monitor->aging_sec : 0, .ctx = ctx};
	key_of(&p->t, m, e->key, &e->length, false);
	doca_error_t err = enqueue(queue, e, DOCA_FLOW_ENTRY_OP_ADD, NULL, flags);
	if (err != DOCA_SUCCESS)
		return unmake(e), err;
	card.counters_used += counted;
	p->held++;
	*entry = e;
	return DOCA_SUCCESS;
}

#define LOCKED(call)                             \
	uint64_t locked_at = ticks();                \
	pthread_mutex_lock(&lock);                   \
	doca_error_t locked_err = planned(__func__); \
	if (locked_err == DOCA_SUCCESS)              \
		locked_err = (call);                     \
	card.spent += ticks() - locked_at;           \
	pthread_mutex_unlock(&lock);                 \
	return locked_err

#if RELEASE >= 303
doca_error_t doca_flow_pipe_basic_add_entry(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m,
	uint8_t action, const struct doca_flow_actions *actions, const struct doca_flow_monitor *monitor,
					    const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **e)
#elif RELEASE >= 302
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m,
	uint8_t action, const struct doca_flow_actions *actions, const struct doca_flow_monitor *monitor,
				      const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **e)
#else
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m,
				      const struct doca_flow_actions *actions, const struct doca_flow_monitor *monitor,
				      const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **e)
#endif
{
#if RELEASE >= 302
	(void)action;
#endif
	(void)actions;
	LOCKED(add(queue, p, m, monitor, fwd, flags, ctx, e));
}

static doca_error_t change(uint16_t queue, struct doca_flow_pipe_entry *e, enum doca_flow_entry_op op,
	const struct doca_flow_fwd *fwd, uint32_t flags)
{
	if (!e->in_force || e->leaving)
		return misused(DOCA_ERROR_BAD_STATE, "pipe %s: an entry changed that is not in force", e->pipe->cfg.name);
	doca_error_t err = fwd ? reachable(fwd, false) : DOCA_SUCCESS;
	if (err == DOCA_SUCCESS)
		err = enqueue(queue, e, op, fwd, flags);
	if (err == DOCA_SUCCESS && op == DOCA_FLOW_ENTRY_OP_DEL)
		e->leaving = true;
	return err;
}

#if RELEASE >= 303
doca_error_t doca_flow_pipe_basic_update_entry(uint16_t queue, struct doca_flow_pipe *p, uint8_t action,
	const struct doca_flow_actions *actions,
					       const struct doca_flow_monitor *monitor, const struct doca_flow_fwd *fwd, uint32_t flags,
					       struct doca_flow_pipe_entry *e)
{
	(void)p, (void)action, (void)actions, (void)monitor;
	LOCKED(change(queue, e, DOCA_FLOW_ENTRY_OP_UPD, fwd, flags));
}
#elif RELEASE != 302
doca_error_t doca_flow_pipe_update_entry(uint16_t queue, struct doca_flow_pipe *p,
	const struct doca_flow_actions *actions, const struct doca_flow_monitor *monitor, const struct doca_flow_fwd *fwd,
					 enum doca_flow_flags_type flags, struct doca_flow_pipe_entry *e)
{
	(void)p, (void)actions, (void)monitor;
	LOCKED(change(queue, e, DOCA_FLOW_ENTRY_OP_UPD, fwd, flags));
}
#endif

#if RELEASE >= 209
doca_error_t doca_flow_pipe_remove_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *e)
#else
doca_error_t doca_flow_pipe_rm_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *e)
#endif
{
	LOCKED(change(queue, e, DOCA_FLOW_ENTRY_OP_DEL, NULL, flags));
}

/* ---- Counters ---------------------------------------------------------------------------------------------------- */

static uint64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/*
 * age_clock is the time by which entries age. If counters are renewed by hand, only standin_pass moves it.
 */
static uint64_t age_clock(void) { return card.passed_ms + (card.every_ms ? clock_ms() : 0); }

/* renew begins an epoch when one is due. Readings in an epoch show what was counted before it. */
static void renew(void)
{
	if (card.every_ms == 0)
		return;
	uint64_t now = clock_ms();
	if (now - card.renewed_ms >= card.every_ms)
		card.renewed_ms = now, card.epoch++;
}

static void show(struct doca_flow_pipe_entry *e)
{
	if (e->epoch != card.epoch)
		e->shown = e->live, e->epoch = card.epoch;
}

static doca_error_t totals_of(struct doca_flow_pipe_entry *e, uint64_t *packets, uint64_t *bytes)
{
	if (!e->counted)
		return misused(DOCA_ERROR_INVALID_VALUE, "query of an entry without a counter");
	renew();
	show(e);
	*packets = e->shown.packets, *bytes = e->shown.bytes;
	return DOCA_SUCCESS;
}

#if RELEASE >= 209
doca_error_t doca_flow_resource_query_entry(struct doca_flow_pipe_entry *e, struct doca_flow_resource_query *q)
{
	LOCKED(totals_of(e, &q->counter.total_pkts, &q->counter.total_bytes));
}
#else
doca_error_t doca_flow_query_entry(struct doca_flow_pipe_entry *e, struct doca_flow_query *q)
{
	LOCKED(totals_of(e, &q->total_pkts, &q->total_bytes));
}
#endif

/* ---- Completions and ageing -------------------------------------------------------------------------------------- */

/* carry_out does one operation. It reports whether the entry is to be freed. */
static bool carry_out(struct operation *o, bool *ok)
{
	struct doca_flow_pipe_entry *e = o->entry, **at;
	struct doca_flow_pipe *p = e->pipe;
	*ok = planned("completion") == DOCA_SUCCESS;
	switch (o->op) {
	case DOCA_FLOW_ENTRY_OP_ADD:
		at = find(p, e->key, e->length);
		if (*at)
			misused(DOCA_ERROR_ALREADY_EXIST, "pipe %s: two entries with one key", p->cfg.name);
		if (!*ok || *at || card.entries == card.limit) {
			*ok = false;
			p->held--, card.counters_used -= e->counted;
			return true;
		}
		*at = e, e->in_force = true, e->used_ms = age_clock(), e->epoch = card.epoch;
		card.entries++;
		return false;
	case DOCA_FLOW_ENTRY_OP_UPD:
		if (*ok)
			e->fwd = o->fwd;
		return false;
	default:
		e->leaving = *ok;
		if (!*ok)
			return false;
		at = find(p, e->key, e->length);
		*at = e->next;
		p->held--, card.entries--, card.counters_used -= e->counted;
		return true;
	}
}

doca_error_t doca_flow_entries_process(struct doca_flow_port *port, uint16_t queue, uint64_t timeout_us, uint32_t max)
{
	(void)port, (void)queue, (void)timeout_us;
	MAY_FAIL;
	if (card.pace && (max == 0 || max > card.pace))
		max = card.pace;
	for (uint32_t n = 0; max == 0 || n < max; n++) {
		uint64_t begun = ticks();
		pthread_mutex_lock(&lock);
		if (card.submitted == 0) {
			pthread_mutex_unlock(&lock);
			break;
		}
		struct operation o = card.queue[card.first];
		card.first = (card.first + 1) % (card.depth + 1), card.queued--, card.submitted--;
		bool ok = false, end = o.entry && carry_out(&o, &ok);
		card.spent += ticks() - begun;
		pthread_mutex_unlock(&lock);
		if (o.entry == NULL)
			continue;
		card.callback(o.entry, 0, ok ? DOCA_FLOW_ENTRY_STATUS_SUCCESS : DOCA_FLOW_ENTRY_STATUS_ERROR, o.op,
			o.entry->ctx);
		if (end) {
			begun = ticks();
			pthread_mutex_lock(&lock);
			unmake(o.entry);
			card.spent += ticks() - begun;
			pthread_mutex_unlock(&lock);
		}
	}
	return DOCA_SUCCESS;
}

int doca_flow_aging_handle(struct doca_flow_port *port, uint16_t queue, uint64_t quota_us, uint64_t max)
{
	(void)port, (void)queue, (void)quota_us, (void)max;
	int aged = 0;
	for (struct doca_flow_pipe *p = card.pipes; p; p = p->next) {
		for (uint32_t k = 0; p->cfg.monitor.aging_sec && k <= p->mask; k++)
			for (struct doca_flow_pipe_entry *e = p->table[k]; e; e = e->next) {
				pthread_mutex_lock(&lock);
				bool due = e->aging_s && !e->aged && age_clock() >= e->used_ms + e->aging_s * 1000ull;
				e->aged |= due;
				pthread_mutex_unlock(&lock);
				if (!due)
					continue;
				card.callback(e, 0, DOCA_FLOW_ENTRY_STATUS_SUCCESS, DOCA_FLOW_ENTRY_OP_AGED, e->ctx);
				aged++;
			}
	}
	return aged ? aged : -1;
}
