#ifndef STANDIN_RTE_ERRNO_H
#define STANDIN_RTE_ERRNO_H

int standin_rte_errno(void);
#define rte_errno standin_rte_errno()
const char *rte_strerror(int);

#endif
