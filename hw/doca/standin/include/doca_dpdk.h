/* The bridge between a device and DPDK's ports. */
#ifndef STANDIN_DOCA_DPDK_H
#define STANDIN_DOCA_DPDK_H

#include "doca_dev.h"

doca_error_t doca_dpdk_port_probe(struct doca_dev *, const char *devargs);
#if STANDIN_RELEASE >= 301
doca_error_t doca_dpdk_open_dev_rep_by_port_id(uint16_t port_id, struct doca_dev_rep **);
#endif

#endif
