#ifndef STANDIN_RTE_MBUF_H
#define STANDIN_RTE_MBUF_H

#include <stdint.h>

#define RTE_MBUF_DEFAULT_BUF_SIZE 2176

struct rte_mempool;

struct rte_mempool *rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache_size, uint16_t priv_size,
					    uint16_t data_room_size, int socket_id);
void rte_mempool_free(struct rte_mempool *);

#endif
