/* What the shim uses of DPDK, and no more: start-up, and ports that must be running before DOCA Flow may have them. */
#ifndef STANDIN_RTE_EAL_H
#define STANDIN_RTE_EAL_H

int rte_eal_init(int argc, char **argv);

#endif
