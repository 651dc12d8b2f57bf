/*
 * What the shim uses of DPDK, and no more: start-up, and ports that must be running before DOCA Flow may have them.
 * DPDK is public: the declarations of these headers are those of its release 22.11, of which the programs of 3.0 are
 * built.
 */
#ifndef STANDIN_RTE_EAL_H
#define STANDIN_RTE_EAL_H

int rte_eal_init(int argc, char **argv);

#endif
