/*
 * The stand-in's other side: what a test, or the lab, does to the imitated card.
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stdint.h>

enum { STANDIN_DROPPED, STANDIN_PORT, STANDIN_KERNEL };

struct standin_verdict {
	int kind;      /* STANDIN_… */
	uint16_t port; /* where it leaves; with STANDIN_KERNEL, where it came in */
};

/* standin_packet puts a frame in at a port and says what the rules make of it. Safe from any thread. */
struct standin_verdict standin_packet(uint16_t in, const uint8_t *frame, uint32_t length);

/*
 * standin_representors gives the card representors of these network devices; "" makes one without a device. Safe until
 * the card is opened.
 */
void standin_representors(const char *const *devices, uint32_t n);

/* What the device was probed with, and the library's mode. */
const char *standin_probe(void);
const char *standin_mode(void);

/*
 * standin_wire makes the card's ports network devices of the calling thread's namespace. A frame that comes in at one
 * is forwarded as the rules say; frames of port 0 that the rules leave to the kernel are sent out of the device kernel.
 * The devices of the first port and of the kernel must exist; the others may come and go. The devices must carry frames
 * of up to 2,048 B. The result is NULL, or says what is wrong.
 */
const char *standin_wire(const char *const *devices, uint32_t ports, const char *kernel);
void standin_unwire(void);

struct standin_traffic {
	uint64_t received;	/* frames that came in */
	uint64_t left;		/* of these, those that the rules drop or leave to the kernel */
	uint64_t sent, unsent;	/* frames that devices have taken, and those that they have not */
};
struct standin_traffic standin_carried(void);

/*
 * standin_fail makes the call of a name fail with an error of doca_error.h: after the first calls, which succeed, for
 * the given number of times. The call "completion" is the card's refusal of an entry that the library has taken. Only
 * one call can be set to fail; "" means none.
 */
void standin_fail(const char *call, uint32_t after, uint32_t times, int error);

/* standin_note begins to note the names of calls that can fail. standin_noted returns them, each on a line. */
void standin_note(void);
const char *standin_noted(void);

/*
 * standin_counters sets how often readable counters are renewed: every so many milliseconds, or, if 0, when
 * standin_refresh is called. The initial value is that of the release.
 */
void standin_counters(uint32_t every_ms);
void standin_refresh(void);

/* standin_pass makes the given number of seconds pass for the ageing of entries. */
void standin_pass(uint32_t seconds);

/* standin_pace bounds the operations that one call of doca_flow_entries_process completes; 0 means all. */
void standin_pace(uint32_t completions);

/*
 * standin_spent is the stand-in's own part of the program's time, in nanoseconds: how long the program has been in
 * calls that add, change, remove, query and complete entries, without callbacks. The first call begins to measure.
 */
uint64_t standin_spent(void);

/* standin_limit bounds the entries of all pipes together, as the card's memory does. */
void standin_limit(uint32_t entries);

/* What exists now: entries in force, and objects that have not been given back. */
uint32_t standin_entries(void);
uint32_t standin_objects(void);

/* standin_misuse is the first thing that the program did against the documentation; empty if there is none. */
const char *standin_misuse(void);

/* standin_reset makes a new card. The library must be down. DPDK goes on, since a process can start it only once. */
void standin_reset(void);

#endif
