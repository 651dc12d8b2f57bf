/* Devices: one physical function, found by its PCI address. */
#ifndef STANDIN_DOCA_DEV_H
#define STANDIN_DOCA_DEV_H

#include <stdint.h>

#include "doca_error.h"
#include "doca_version.h"

struct doca_devinfo;
struct doca_dev;
struct doca_devinfo_rep;
struct doca_dev_rep;

enum doca_devinfo_rep_filter {
	DOCA_DEVINFO_REP_FILTER_ALL = 0,
	DOCA_DEVINFO_REP_FILTER_NET = 1 << 1,
	DOCA_DEVINFO_REP_FILTER_EMULATED = 1 << 2,
};

#define DOCA_DEVINFO_PCI_ADDR_SIZE 13
#define DOCA_DEVINFO_REP_VUID_SIZE 128

doca_error_t doca_devinfo_create_list(struct doca_devinfo ***list, uint32_t *n);
doca_error_t doca_devinfo_destroy_list(struct doca_devinfo **list);
doca_error_t doca_devinfo_is_equal_pci_addr(const struct doca_devinfo *, const char *pci, uint8_t *equal);
doca_error_t doca_dev_open(struct doca_devinfo *, struct doca_dev **);
doca_error_t doca_dev_close(struct doca_dev *);

#if STANDIN_RELEASE >= 301
doca_error_t doca_dev_rep_close(struct doca_dev_rep *);
#endif

#endif
