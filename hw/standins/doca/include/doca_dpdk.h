/* The bridge between a device and DPDK's ports. The marks are those of doca_flow.h. */
#ifndef STANDIN_DOCA_DPDK_H
#define STANDIN_DOCA_DPDK_H

#include "doca_dev.h"

doca_error_t doca_dpdk_port_probe(struct doca_dev *, const char *devargs); /* [30], [s210-303] */
#if STANDIN_RELEASE >= 300
doca_error_t doca_dpdk_open_dev_rep_by_port_id(uint16_t port_id, struct doca_dev *, struct doca_dev_rep **);
	/* [30], [ovs], and seven other callers */
#endif
#if STANDIN_RELEASE >= 301
doca_error_t doca_dpdk_port_probe_with_representors(struct doca_dev *, const char *devargs, struct doca_dev_rep **,
	uint32_t n); /* [s301-303]; the number's type is not seen */
#endif

#endif
