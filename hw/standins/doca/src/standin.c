/*
 * A DOCA Flow that keeps pipes, entries, counters and completions in memory, and breaks in the ways in which the real
 * one is documented, or was seen, to break. It is for tests of the shim and of the driver: nothing it does says
 * anything of a card's speed.
 *
 * It is compiled as one unit, so that its parts share what is nobody else's.
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
