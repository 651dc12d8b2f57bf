/*
 * Each thing that the SDK is documented to refuse, for the tests of the stand-in.
 */
#ifndef SMARTINCO_DOCA_VIOLATIONS_H
#define SMARTINCO_DOCA_VIOLATIONS_H

#include <stdint.h>

#include "doca_error.h"

struct violation {
	const char *name;
	const char *said; /* a part of what standin_misuse must say; empty if the refusal is nobody's mistake */
	doca_error_t (*commit)(void);
};

const struct violation *violation(uint32_t k); /* NULL after the last */
int violate(const struct violation *);	       /* the error of the call that is wrong; DPDK must have been started */

#endif
