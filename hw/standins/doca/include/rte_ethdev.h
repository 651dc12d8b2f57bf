#ifndef STANDIN_RTE_ETHDEV_H
#define STANDIN_RTE_ETHDEV_H

#include <stdint.h>

#include "rte_mbuf.h"

#define RTE_MAX_ETHPORTS 64
#define RTE_ETH_DEV_REPRESENTOR (1u << 1)

struct rte_eth_conf {
	uint32_t link_speeds;
};

struct rte_eth_dev_info {
	const uint32_t *dev_flags;
};

struct rte_eth_rxconf;
struct rte_eth_txconf;
struct rte_flow_error {
	const char *message;
};

uint16_t rte_eth_find_next_owned_by(uint16_t port_id, uint64_t owner);
#define RTE_ETH_FOREACH_DEV(p)                                               \
	for (p = rte_eth_find_next_owned_by(0, 0); p < RTE_MAX_ETHPORTS;         \
		p = rte_eth_find_next_owned_by((uint16_t)(p + 1), 0))

int rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *);
int rte_eth_dev_get_name_by_port(uint16_t port, char *name);
int rte_eth_dev_socket_id(uint16_t port);
int rte_eth_dev_configure(uint16_t port, uint16_t rx_queues, uint16_t tx_queues, const struct rte_eth_conf *);
int rte_eth_rx_queue_setup(uint16_t port, uint16_t queue, uint16_t descriptors, unsigned socket,
			   const struct rte_eth_rxconf *, struct rte_mempool *);
int rte_eth_tx_queue_setup(uint16_t port, uint16_t queue, uint16_t descriptors, unsigned socket,
	const struct rte_eth_txconf *);
int rte_eth_dev_start(uint16_t port);
int rte_eth_dev_stop(uint16_t port);
int rte_eth_dev_close(uint16_t port);

#endif
