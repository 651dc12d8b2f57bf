#ifndef STANDIN_RTE_FLOW_H
#define STANDIN_RTE_FLOW_H

#include "rte_ethdev.h"

int rte_flow_isolate(uint16_t port, int set, struct rte_flow_error *);

#endif
