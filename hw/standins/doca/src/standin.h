/*
 * The stand-in's other side: what a test, or the lab, does to the card that is not there.
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stdint.h>

enum { STANDIN_DROPPED, STANDIN_PORT, STANDIN_KERNEL };

struct standin_verdict {
	int kind;      /* STANDIN_… */
	uint16_t port; /* where it leaves, or with STANDIN_KERNEL, where it came in */
};

/* standin_packet puts a frame in at a port and says what the rules make of it. Safe from any thread. */
struct standin_verdict standin_packet(uint16_t in, const uint8_t *frame, uint32_t length);

/*
 * standin_representors gives the card representors, of these network devices; one of "" has none. Safe until the card
 * is opened.
 */
void standin_representors(const char *const *devices, uint32_t n);

/* What the device was probed with, and the library's mode. */
const char *standin_probe(void);
const char *standin_mode(void);

/*
 * standin_wire makes the card's ports network devices of the calling thread's namespace: what comes in at one is
 * forwarded as the rules say, and what they leave to the kernel of port 0's frames is sent out of the device kernel.
 * Those of the first port and of the kernel must be there; the others may come and go. It returns NULL, or what is
 * wrong. The devices are to carry frames of up to 2,048 B.
 */
const char *standin_wire(const char *const *devices, uint32_t ports, const char *kernel);
void standin_unwire(void);

struct standin_traffic {
	uint64_t received;	/* frames that came in */
	uint64_t left;		/* of these, those that the rules drop or leave to the kernel */
	uint64_t sent, unsent;	/* frames that devices have taken, and have not */
};
struct standin_traffic standin_carried(void);

/*
 * standin_fail makes a call fail, by its name, with an error of doca_error.h: after so many that go well, so many
 * times. The call "completion" is the card's refusal of an entry that the library had taken. One at a time; "" for
 * none.
 */
void standin_fail(const char *call, uint32_t after, uint32_t times, int error);

/* standin_note has the names of calls noted, of those that can fail; standin_noted has them, each on a line. */
void standin_note(void);
const char *standin_noted(void);

/* standin_counters says how often the counters that can be read are renewed: every so many milliseconds, or when
 * standin_refresh is called if 0. At first it is what the release does. */
void standin_counters(uint32_t every_ms);
void standin_refresh(void);

/* standin_pass lets so many seconds pass for the ageing of entries. */
void standin_pass(uint32_t seconds);

/* standin_pace says how many operations are completed in one call of doca_flow_entries_process at most; 0 for all. */
void standin_pace(uint32_t completions);

/* standin_spent is how long the program has been in calls that add, change, remove, query and complete entries: the
 * stand-in's own part of the program's time, in nanoseconds, callbacks left out. The first call begins to measure. */
uint64_t standin_spent(void);

/* standin_limit bounds the entries of all pipes together, as the card's memory does. */
void standin_limit(uint32_t entries);

/* What is there now: entries in force, and objects that have not been given back. */
uint32_t standin_entries(void);
uint32_t standin_objects(void);

/* standin_misuse is what the program did that the documentation forbids, first of all; empty if nothing. */
const char *standin_misuse(void);

/* standin_reset makes a new card. DPDK, which is started once in a process, goes on; the library must be down. */
void standin_reset(void);

#endif
