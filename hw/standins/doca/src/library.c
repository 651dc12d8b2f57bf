/* The library and its ports. */

struct doca_flow_cfg {
	uint32_t queues, counters, depth;
	char mode[128];
	bool rss;
	doca_flow_entry_process_cb callback;
};

doca_error_t doca_flow_cfg_create(struct doca_flow_cfg **cfg)
{
	MAY_FAIL;
	return (*cfg = make(sizeof **cfg)) ? DOCA_SUCCESS : DOCA_ERROR_NO_MEMORY;
}

doca_error_t doca_flow_cfg_destroy(struct doca_flow_cfg *cfg)
{
	unmake(cfg);
	return DOCA_SUCCESS;
}

#define SETTER(name, type, field)                                                \
	doca_error_t doca_flow_cfg_set_##name(struct doca_flow_cfg *cfg, type value) \
	{                                                                            \
		MAY_FAIL;                                                                \
		cfg->field = value;                                                      \
		return DOCA_SUCCESS;                                                     \
	}
SETTER(pipe_queues, uint16_t, queues)
SETTER(nr_counters, uint32_t, counters)
SETTER(queue_depth, uint32_t, depth)
SETTER(cb_entry_process, doca_flow_entry_process_cb, callback)
#undef SETTER

doca_error_t doca_flow_cfg_set_mode_args(struct doca_flow_cfg *cfg, const char *mode)
{
	MAY_FAIL;
	snprintf(cfg->mode, sizeof cfg->mode, "%s", mode);
	snprintf(card.mode, sizeof card.mode, "%s", mode);
	return DOCA_SUCCESS;
}

#if RELEASE <= 301
doca_error_t doca_flow_cfg_set_default_rss(struct doca_flow_cfg *cfg, const struct doca_flow_resource_rss_cfg *rss)
{
	MAY_FAIL;
	if (rss->nr_queues < 1 || rss->queues_array == NULL)
		return DOCA_ERROR_INVALID_VALUE;
	cfg->rss = true;
	return DOCA_SUCCESS;
}
#endif

doca_error_t doca_flow_init(struct doca_flow_cfg *cfg)
{
	MAY_FAIL;
	for (int p = 0; p < MAX_PORTS; p++)
		if (card.eth[p].probed && !card.eth[p].running)
			return misused(DOCA_ERROR_BAD_STATE, "doca_flow_init before DPDK port %d was started", p);
	if (card.flow)
		return misused(DOCA_ERROR_BAD_STATE, "doca_flow_init twice");
	if (strncmp(cfg->mode, "switch,hws", 10) != 0)
		return misused(DOCA_ERROR_INVALID_VALUE, "mode %s, want switch,hws", cfg->mode);
	if (cfg->queues == 0 || cfg->callback == NULL)
		return misused(DOCA_ERROR_INVALID_VALUE, "doca_flow_init without queues or without a callback");
	card.depth = cfg->depth ? cfg->depth : 128;
	card.counters = cfg->counters;
	card.callback = cfg->callback;
	card.queue = make((card.depth + 1) * sizeof *card.queue);
	card.first = card.queued = card.submitted = 0;
	card.flow = true;
	return card.queue ? DOCA_SUCCESS : DOCA_ERROR_NO_MEMORY;
}

void doca_flow_destroy(void)
{
	for (int p = 0; p < MAX_PORTS; p++)
		if (card.port[p].started)
			misused(DOCA_ERROR_IN_USE, "doca_flow_destroy while port %d is started", p);
	unmake(card.queue);
	card.queue = NULL, card.flow = false, card.owned = false;
}

struct doca_flow_port_cfg {
	int id;
	uint32_t actions_memory;
	bool dev, rep;
};

doca_error_t doca_flow_port_cfg_create(struct doca_flow_port_cfg **cfg)
{
	MAY_FAIL;
	if ((*cfg = make(sizeof **cfg)) == NULL)
		return DOCA_ERROR_NO_MEMORY;
	(*cfg)->id = -1;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_port_cfg_destroy(struct doca_flow_port_cfg *cfg)
{
	unmake(cfg);
	return DOCA_SUCCESS;
}

#if RELEASE >= 300
doca_error_t doca_flow_port_cfg_set_port_id(struct doca_flow_port_cfg *cfg, uint16_t id)
{
	MAY_FAIL;
	cfg->id = id;
	return DOCA_SUCCESS;
}
#else
doca_error_t doca_flow_port_cfg_set_devargs(struct doca_flow_port_cfg *cfg, const char *id)
{
	char *end;
	MAY_FAIL;
	cfg->id = (int)strtol(id, &end, 10);
	return *id && !*end ? DOCA_SUCCESS : DOCA_ERROR_INVALID_VALUE;
}
#endif

#if RELEASE >= 210
doca_error_t doca_flow_port_cfg_set_actions_mem_size(struct doca_flow_port_cfg *cfg, uint32_t size)
{
	MAY_FAIL;
	if (size < 64 || size & (size - 1))
		return misused(DOCA_ERROR_INVALID_VALUE, "action memory of %u B: not a power of two of at least 64", size);
	cfg->actions_memory = size;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *cfg, struct doca_dev *dev)
#else
doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *cfg, void *dev)
#endif
{
	MAY_FAIL;
	cfg->dev = dev != NULL;
	return DOCA_SUCCESS;
}

#if RELEASE >= 301
doca_error_t doca_flow_port_cfg_set_dev_rep(struct doca_flow_port_cfg *cfg, struct doca_dev_rep *rep)
{
	MAY_FAIL;
	cfg->rep = rep != NULL;
	return DOCA_SUCCESS;
}
#endif

doca_error_t doca_flow_port_start(const struct doca_flow_port_cfg *cfg, struct doca_flow_port **port)
{
	MAY_FAIL;
	if (!card.flow || cfg->id < 0 || cfg->id >= MAX_PORTS || !card.eth[cfg->id].running)
		return misused(DOCA_ERROR_BAD_STATE, "start of port %d, which DPDK does not run", cfg->id);
	if (cfg->id != 0 && !card.port[0].started)
		return misused(DOCA_ERROR_BAD_STATE, "port %d started before the proxy port", cfg->id);
	if ((cfg->id == 0) != cfg->dev)
		return misused(DOCA_ERROR_INVALID_VALUE, "port %d %s a device", cfg->id, cfg->dev ? "with" : "without");
	if (RELEASE >= 210 && cfg->actions_memory == 0)
		return misused(DOCA_ERROR_INVALID_VALUE, "port %d without action memory", cfg->id);
	if (RELEASE >= 301 && cfg->id != 0 && !cfg->rep)
		return misused(DOCA_ERROR_INVALID_VALUE, "port %d without a representor's handle", cfg->id);
	*port = &card.port[cfg->id];
	**port = (struct doca_flow_port){.id = (uint16_t)cfg->id, .started = true};
	return DOCA_SUCCESS;
}

static void end_pipe(struct doca_flow_pipe *);

doca_error_t doca_flow_port_stop(struct doca_flow_port *port)
{
	if (port->id == 0) {
		for (int p = 1; p < MAX_PORTS; p++)
			if (card.port[p].started)
				misused(DOCA_ERROR_IN_USE, "the proxy port stopped before port %d", p);
		while (card.pipes)
			end_pipe(card.pipes);
	}
	port->started = false;
	return DOCA_SUCCESS;
}

struct doca_flow_port *doca_flow_port_switch_get(const struct doca_flow_port *port)
{
	return (void)port, &card.port[0];
}

struct doca_flow_target {
	int unused;
};
static struct doca_flow_target kernel_target;

doca_error_t doca_flow_get_target(enum doca_flow_target_type type, struct doca_flow_target **target)
{
	(void)type;
	MAY_FAIL;
	*target = &kernel_target;
	return DOCA_SUCCESS;
}
