/*
 * The shim between Go and DOCA Flow. No type of the SDK appears here, and no pointer to memory of the SDK or of Go
 * crosses it: rules and pipes are numbers, results are integers, and si_error() says in words what went wrong last.
 *
 * All functions are for one thread, the one that called si_open first: DOCA Flow gives each thread a queue of its own,
 * and DPDK, which is started once in a process, pins the thread that starts it.
 */
#ifndef SMARTINCO_DOCA_SHIM_H
#define SMARTINCO_DOCA_SHIM_H

#include <stdint.h>

/* What functions return. */
enum {
	SI_OK = 0,
	SI_FAILED = -1, /* the SDK, or the system, refused: see si_error() */
	SI_BUSY = -2,   /* the queue is full, or the card wants to be asked again: poll, then go on */
};

enum { SI_OTHERS_KERNEL, SI_OTHERS_DROP };

struct si_config {
	const char *pci;          /* of the physical function: 0000:03:00.0 */
	const char *representors; /* in DPDK's notation: vf[0-3]; port 1 is the first of them */
	const char *devices;      /* their network devices, in the same order, separated by spaces */
	const char *probe;        /* device arguments; empty for those of the release */
	const char *mode;         /* of DOCA Flow; empty for that of the release */
	const char *eal;          /* more arguments for DPDK, separated by spaces */
	uint32_t rules;           /* that each of the four pipes can hold */
	uint32_t queue_depth;     /* requests under way at a time */
	uint8_t others;           /* what happens to traffic that is neither TCP nor UDP: SI_OTHERS_… */
	uint8_t in_place;         /* a move changes the entry, rather than removing and adding it */
};

struct si_tuple {
	uint8_t v6, proto;
	uint16_t src_port, dst_port; /* of the host's byte order */
	uint8_t src[16], dst[16];    /* IPv4 in the first four */
};

enum { SI_ADD, SI_MOVE, SI_REMOVE, SI_AGED };

struct si_request {
	uint8_t op;
	uint16_t port;   /* add, move: DPDK's number of the representor; SI_DROP to drop */
	uint32_t rule;   /* move, remove */
	uint64_t cookie; /* the caller's; comes back with the answer */
	uint32_t idle_s; /* add: the rule ends without a packet for so long; 0 for never */
	struct si_tuple tuple; /* add */
};

#define SI_DROP 0xffff

struct si_done {
	uint64_t cookie;
	uint64_t packets, bytes; /* move, remove, aged: everything that the rule had counted by then */
	uint32_t rule;
	uint8_t op;
	uint8_t ok; /* otherwise nothing has changed, unless a move has lost its rule: then `gone` */
	uint8_t gone;
	int16_t why; /* if not ok: an error of the SDK, for si_reason, or one of these */
};

enum { SI_CARD_REFUSED = -1, SI_PIPE_FULL = -2, SI_NO_RULE = -3 };

struct si_count {
	uint64_t packets, bytes;
};

int si_open(const struct si_config *);
int si_close(void);

/* si_egress makes packets that come in at a port leave by another, and counts them. si_egress_count reads the count. */
int si_egress(uint16_t port, uint16_t to);
int si_egress_end(uint16_t port, struct si_count *last);
int si_egress_count(uint16_t port, struct si_count *);

/*
 * si_apply sends requests and says how many it has taken; SI_BUSY means not all. si_poll answers each of those taken,
 * in order for the same rule.
 */
int si_apply(const struct si_request *, uint32_t n, uint32_t *taken);
int si_poll(uint64_t timeout_us, struct si_done *, uint32_t max, uint32_t *n);
uint32_t si_pending(void); /* requests whose answer si_poll has not given */

/* si_age looks for idle rules, up to the given time, and removes them. si_poll reports each as SI_AGED. */
int si_age(uint64_t quota_us);

/* si_query reads the counters of rules, as fresh as the card shows them. */
int si_query(const uint32_t *rules, uint32_t n, struct si_count *);

const char *si_error(void);
const char *si_reason(int16_t why);
const char *si_release(void); /* the release that it was compiled for, and the one that it runs with */

#endif
