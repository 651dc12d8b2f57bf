/*
 * Devices: one physical function, found by its PCI address, and its representors. Where each declaration was seen
 * stands beside it, by the marks of doca_flow.h.
 */
#ifndef STANDIN_DOCA_DEV_H
#define STANDIN_DOCA_DEV_H

#include <stdint.h>

#include "doca_error.h"
#include "doca_version.h"

struct doca_devinfo;
struct doca_dev;
struct doca_devinfo_rep;
struct doca_dev_rep;

enum doca_devinfo_rep_filter { /* [30], names */
	DOCA_DEVINFO_REP_FILTER_ALL = 0,
	DOCA_DEVINFO_REP_FILTER_NET = 1 << 1,
	DOCA_DEVINFO_REP_FILTER_EMULATED = 1 << 2,
};

#define DOCA_DEVINFO_PCI_ADDR_SIZE 13	 /* [30] */
#define DOCA_DEVINFO_IFACE_NAME_SIZE 256 /* [30] */

doca_error_t doca_devinfo_create_list(struct doca_devinfo ***list, uint32_t *n);				 /* [30], [s210-303] */
doca_error_t doca_devinfo_destroy_list(struct doca_devinfo **list);						 /* [30], [s210-303] */
doca_error_t doca_devinfo_is_equal_pci_addr(const struct doca_devinfo *, const char *pci, uint8_t *equal);
	/* [30], [s210-303] */
doca_error_t doca_dev_open(struct doca_devinfo *, struct doca_dev **);						 /* [30], [s210-303] */
doca_error_t doca_dev_close(struct doca_dev *);									 /* [30], [s210-303] */

#if STANDIN_RELEASE >= 300
doca_error_t doca_devinfo_rep_create_list(struct doca_dev *, int filter, struct doca_devinfo_rep ***list,
	uint32_t *n); /* [30], [s210-303] */
doca_error_t doca_devinfo_rep_destroy_list(struct doca_devinfo_rep **list);					 /* [30], [s210-303] */
doca_error_t doca_devinfo_rep_get_iface_name(const struct doca_devinfo_rep *, char *name,
	uint32_t size);	 /* [30], [ovs] */
struct doca_devinfo_rep *doca_dev_rep_as_devinfo(struct doca_dev_rep *);					 /* [30], [s210-303] */
doca_error_t doca_dev_rep_open(struct doca_devinfo_rep *, struct doca_dev_rep **);				 /* [30], [s210-303] */
doca_error_t doca_dev_rep_close(struct doca_dev_rep *);								 /* [30], [s210-303] */
#endif

#endif
