/*
 * DOCA Flow as one interface: all differences between the releases from 2.7 to 3.3 are here.
 */
#ifndef SMARTINCO_DOCA_RELEASES_H
#define SMARTINCO_DOCA_RELEASES_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <doca_dev.h>
#include <doca_dpdk.h>
#include <doca_error.h>
#include <doca_flow.h>
#include <doca_version.h>
#include <rte_flow.h>

#include "shim.h"

#define RELEASE (DOCA_VERSION_MAJOR * 100 + DOCA_VERSION_MINOR)
#if RELEASE < 207
#error "DOCA 2.7 or later is needed: before it, configuration had another form"
#endif

#if RELEASE >= 303
#define NOW DOCA_FLOW_ENTRY_FLAGS_NO_WAIT
#define LATER DOCA_FLOW_ENTRY_FLAGS_WAIT_FOR_BATCH
#else
#define NOW DOCA_FLOW_NO_WAIT
#define LATER DOCA_FLOW_WAIT_FOR_BATCH
#endif

#define QUEUE 0

/*
 * What the device is probed with, and the library's mode: those of NVIDIA's samples, flow_switch and flow_switch_rss.
 */
#if RELEASE >= 303
#define PROBE "dv_flow_en=2,fdb_def_rule_en=0,dv_xmeta_en=4"
#define MODE "switch,hws,hairpinq_num=4"
#else
#define PROBE "dv_flow_en=2,fdb_def_rule_en=0,vport_match=1,repr_matching_en=0,dv_xmeta_en=4"
#define MODE "switch,hws,isolated,hairpinq_num=4"
#endif

static inline doca_error_t add_entry(struct doca_flow_pipe *pipe, const struct doca_flow_match *match,
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

/* No source shows the call in 3.2, so nothing is moved in place there. */
#define CAN_UPDATE (RELEASE != 302)

static inline doca_error_t update_entry(struct doca_flow_pipe *pipe, const struct doca_flow_fwd *fwd, uint32_t flags,
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

static inline doca_error_t remove_entry(uint32_t flags, struct doca_flow_pipe_entry *entry)
{
#if RELEASE >= 209
	return doca_flow_pipe_remove_entry(QUEUE, flags, entry);
#else
	return doca_flow_pipe_rm_entry(QUEUE, flags, entry);
#endif
}

static inline doca_error_t query_entry(struct doca_flow_pipe_entry *entry, struct si_count *c)
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

/* port_identity fills in what the release wants in a port's configuration. */
static inline doca_error_t port_identity(struct doca_flow_port_cfg *cfg, uint16_t port)
{
#if RELEASE >= 300
	return doca_flow_port_cfg_set_port_id(cfg, port);
#else
	char number[8];
	snprintf(number, sizeof number, "%u", port);
	return doca_flow_port_cfg_set_devargs(cfg, number);
#endif
}

static inline doca_error_t port_memory(struct doca_flow_port_cfg *cfg, uint32_t entries)
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

/*
 * From 3.1 a representor has a handle: the samples open it, probe the device with it, and give it to its port. In
 * earlier releases it is enough that the probe's arguments name all representors.
 */
#define HANDLES (RELEASE >= 301)

#if HANDLES
/* representor_open finds a representor by its network device. */
static inline doca_error_t representor_open(struct doca_dev *dev, const char *device, struct doca_dev_rep **rep)
{
	struct doca_devinfo_rep **list;
	uint32_t n;
	doca_error_t err = doca_devinfo_rep_create_list(dev, DOCA_DEVINFO_REP_FILTER_NET, &list, &n);
	if (err != DOCA_SUCCESS)
		return err;
	err = DOCA_ERROR_NOT_FOUND;
	for (uint32_t k = 0; k < n && err == DOCA_ERROR_NOT_FOUND; k++) {
		char name[DOCA_DEVINFO_IFACE_NAME_SIZE];
		if (doca_devinfo_rep_get_iface_name(list[k], name, sizeof name) == DOCA_SUCCESS && strcmp(name, device) == 0)
			err = doca_dev_rep_open(list[k], rep); /* a representor without a name is another one */
	}
	doca_devinfo_rep_destroy_list(list);
	return err;
}

static inline doca_error_t probe_with(struct doca_dev *dev, const char *args, struct doca_dev_rep **reps, uint32_t n)
{
	return doca_dpdk_port_probe_with_representors(dev, args, reps, n);
}

/* representor_of opens the representor of a port of DPDK, and says which network device that is. */
static inline doca_error_t representor_of(uint16_t port, struct doca_dev *dev, struct doca_dev_rep **rep,
	char *device, uint32_t size)
{
	doca_error_t err = doca_dpdk_open_dev_rep_by_port_id(port, dev, rep);
	return err == DOCA_SUCCESS ? doca_devinfo_rep_get_iface_name(doca_dev_rep_as_devinfo(*rep), device, size) : err;
}

static inline doca_error_t port_representor(struct doca_flow_port_cfg *cfg, struct doca_dev_rep *rep)
{
	return doca_flow_port_cfg_set_dev_rep(cfg, rep);
}

static inline void representor_close(struct doca_dev_rep *rep)
{
	if (rep)
		doca_dev_rep_close(rep);
}
#else
static inline doca_error_t representor_open(struct doca_dev *dev, const char *device, struct doca_dev_rep **rep)
{
	return (void)dev, (void)device, (void)rep, DOCA_ERROR_NOT_SUPPORTED;
}

static inline doca_error_t probe_with(struct doca_dev *dev, const char *args, struct doca_dev_rep **reps, uint32_t n)
{
	return (void)dev, (void)args, (void)reps, (void)n, DOCA_ERROR_NOT_SUPPORTED;
}

static inline doca_error_t representor_of(uint16_t port, struct doca_dev *dev, struct doca_dev_rep **rep,
	char *device, uint32_t size)
{
	return (void)port, (void)dev, (void)rep, (void)device, (void)size, DOCA_ERROR_NOT_SUPPORTED;
}

static inline doca_error_t port_representor(struct doca_flow_port_cfg *cfg, struct doca_dev_rep *rep)
{
	return (void)cfg, (void)rep, DOCA_SUCCESS;
}

static inline void representor_close(struct doca_dev_rep *rep) { (void)rep; }
#endif

/* default_rss is where packets go for which there is no rule: to the only queue. */
static inline doca_error_t default_rss(struct doca_flow_cfg *cfg)
{
#if RELEASE <= 301
	uint16_t queue = 0;
	struct doca_flow_resource_rss_cfg rss = {.queues_array = &queue, .nr_queues = 1};
	return doca_flow_cfg_set_default_rss(cfg, &rss);
#else
	(void)cfg;
	return DOCA_SUCCESS;
#endif
}

/* isolate makes a DPDK port show the program only packets that a rule sends to it. */
static inline int isolate(uint16_t port)
{
#if RELEASE <= 300
	struct rte_flow_error why = {0};
	return rte_flow_isolate(port, 1, &why);
#else
	(void)port;
	return 0;
#endif
}

#endif
