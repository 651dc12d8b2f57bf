/*
 * The stand-in for DOCA Flow: see doc.go.
 *
 * It is compiled as one unit, so that its parts can share static functions and variables.
 */
#include "card.h"
#include "dpdk.c"
#include "library.c"
#include "pipes.c"
#include "entries.c"
#include "packets.c"
#include "wires.c"
#include "control.c"
#include "signatures.c"
