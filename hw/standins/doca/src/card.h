/* The state of the card, and what every part of the stand-in uses. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <doca_dpdk.h>
#include <doca_flow.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_flow.h>

#include "standin.h"

#define RELEASE STANDIN_RELEASE
#define MAX_PORTS RTE_MAX_ETHPORTS

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct standin_port_state {
	bool probed, configured, rx, tx, isolated, running;
	uint32_t device; /* in card.devices */
};

struct doca_flow_port {
	uint16_t id;
	bool started;
};

struct operation {
	struct doca_flow_pipe_entry *entry;
	enum doca_flow_entry_op op;
	struct doca_flow_fwd fwd;
};

static struct {
	bool eal, device, flow;
	cpu_set_t core; /* DPDK's */
	int cores;
	char devices[MAX_PORTS][DOCA_DEVINFO_IFACE_NAME_SIZE]; /* of the card's representors */
	uint32_t devices_n;
	char probe[512], mode[128]; /* as they came */
	struct standin_port_state eth[MAX_PORTS];
	struct doca_flow_port port[MAX_PORTS];
	struct doca_flow_pipe *root, *pipes;

	uint32_t depth, counters, counters_used;
	doca_flow_entry_process_cb callback;
	pthread_t owner;
	bool owned;

	struct operation *queue; /* a ring */
	uint32_t first, queued, submitted, pace;

	uint32_t entries, limit, objects;
	uint64_t passed_ms;

	uint32_t every_ms, epoch;
	uint64_t renewed_ms;

	char failing[64];
	uint32_t fail_after, fail_times;
	doca_error_t fail_with;
	char misuse[256];
	uint64_t spent; /* ticks in calls for entries */
	bool noting;
	char noted[4096];
} card = {.limit = UINT32_MAX, .every_ms = RELEASE >= 303 ? 1000 : 500};

/* misused notes a call that the documentation forbids. The caller then refuses it. */
static doca_error_t misused(doca_error_t err, const char *format, ...)
{
	if (card.misuse[0] == 0) {
		va_list args;
		va_start(args, format);
		vsnprintf(card.misuse, sizeof card.misuse, format, args);
		va_end(args);
	}
	return err;
}

/* planned says whether this call was told to fail. */
static doca_error_t planned(const char *call)
{
	if (card.noting) {
		char line[80];
		snprintf(line, sizeof line, "\n%s\n", call);
		if (strstr(card.noted, line) == NULL && strlen(card.noted) + strlen(line) < sizeof card.noted)
			strcat(card.noted, card.noted[0] ? line + 1 : line);
	}
	if (card.fail_times == 0 || strcmp(card.failing, call) != 0)
		return DOCA_SUCCESS;
	if (card.fail_after > 0) {
		card.fail_after--;
		return DOCA_SUCCESS;
	}
	card.fail_times--;
	return card.fail_with;
}

#define MAY_FAIL                                      \
	do {                                              \
		doca_error_t planned_err = planned(__func__); \
		if (planned_err != DOCA_SUCCESS)              \
			return planned_err;                       \
	} while (0)

/* ticks is a clock that costs almost nothing to read. standin_spent knows how long a tick is. */
static uint64_t ticks(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	uint64_t t;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
	return t;
#else
	return 0;
#endif
}

static void *make(size_t n)
{
	void *p = calloc(1, n);
	if (p)
		card.objects++;
	return p;
}

static void unmake(void *p)
{
	if (p)
		card.objects--;
	free(p);
}
