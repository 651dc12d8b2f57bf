/*
 * What both halves of the shim share: start.c, which opens the card, and shim.c, which carries out requests.
 */
#ifndef SMARTINCO_DOCA_STATE_H
#define SMARTINCO_DOCA_STATE_H

#include <rte_ethdev.h>

#include "releases.h"

enum { V4_TCP, V4_UDP, V6_TCP, V6_UDP, TUPLE_PIPES };

static const struct shape {
	const char *name;
	bool v6, tcp;
} shapes[TUPLE_PIPES] = {{"flows-ip4-tcp", false, true}, {"flows-ip4-udp", false, false},
			 {"flows-ip6-tcp", true, true},	 {"flows-ip6-udp", true, false}};

enum stage { FREE, ADDING, LIVE, UPDATING, MOVING_OUT, MOVED_OUT, MOVING_IN, REMOVING, AGED, ENDING };

struct rule {
	struct doca_flow_pipe_entry *entry;
	struct si_count before; /* counted by its earlier entries */
	struct si_count last;	/* counted by this one, once it is being removed */
	uint64_t cookie;
	uint32_t next; /* in the list of free rules, or of those to be added again */
	uint32_t idle_s;
	uint16_t port;
	uint8_t stage, pipe;
	struct si_tuple tuple;
};

#define NONE UINT32_MAX

struct shim {
	struct si_config cfg;
	struct doca_dev *dev;
	struct rte_mempool *mbufs;
	uint16_t ports;
	bool flow;
	struct doca_flow_port *port[RTE_MAX_ETHPORTS];
	struct doca_dev_rep *rep[RTE_MAX_ETHPORTS]; /* in the releases that have them */
	struct doca_flow_port *proxy;
	struct doca_flow_pipe *kernel, *flows[TUPLE_PIPES], *dispatch, *egress, *root;
	struct doca_flow_pipe_entry *from[RTE_MAX_ETHPORTS]; /* in the pipe egress */
	struct doca_flow_pipe_entry *pushing; /* see flush */
	enum { ABSENT, COMING, THERE, GOING } pusher;
	uint32_t held[TUPLE_PIPES], leaving[TUPLE_PIPES]; /* rules, and those of them that are being removed */

	struct rule *rule;
	uint32_t rules, free, again;

	uint32_t pending;  /* requests that were taken and not answered yet */
	uint32_t buffered; /* entries given to the SDK to be sent with a later one */
	int fixed;	   /* pipes' own entries that are under way; -1 after one has failed */
	struct si_done *done;
	uint32_t first, dones, room;
};

extern struct shim shim;

/* What went wrong, for si_error; they return SI_FAILED. */
int si_fail(const char *format, ...);
int si_refused(const char *what, doca_error_t);

#define TRY(call)                              \
	do {                                       \
		doca_error_t try_err = (call);         \
		if (try_err != DOCA_SUCCESS)           \
			return si_refused(#call, try_err); \
	} while (0)

/* si_completed is the callback for what the card has answered. */
void si_completed(struct doca_flow_pipe_entry *, uint16_t queue, enum doca_flow_entry_status, enum doca_flow_entry_op,
	void *ctx);

/* si_settle waits for pipes' own entries. */
int si_settle(const char *what);

#endif
