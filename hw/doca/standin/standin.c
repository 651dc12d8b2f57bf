/*
 * A DOCA Flow that keeps pipes, entries, counters and completions in memory, and breaks in the ways in which the real one is
 * documented, or was seen, to break. It is for tests of the shim and of the driver: nothing it does says anything of a
 * card's speed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

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
	uint32_t devargs_ports;
	struct standin_port_state eth[MAX_PORTS];
	struct doca_flow_port port[MAX_PORTS];
	struct doca_flow_pipe *root, *pipes;

	uint32_t depth, counters, counters_used;
	doca_flow_entry_process_cb callback;
	pthread_t owner;
	bool owned;

	struct operation *queue; /* a ring */
	uint32_t first, queued, submitted;

	uint32_t entries, limit, objects;
	uint64_t passed_ms;

	uint32_t every_ms, epoch;
	uint64_t renewed_ms;

	char failing[64];
	uint32_t fail_after, fail_times;
	doca_error_t fail_with;
	char misuse[256];
} card = {.limit = UINT32_MAX, .every_ms = RELEASE >= 303 ? 1000 : 500};

/* misused notes what the documentation forbids. The caller then refuses. */
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
	if (card.fail_times == 0 || strcmp(card.failing, call) != 0)
		return DOCA_SUCCESS;
	if (card.fail_after > 0) {
		card.fail_after--;
		return DOCA_SUCCESS;
	}
	card.fail_times--;
	return card.fail_with;
}

#define MAY_FAIL                                                                                                               \
	do {                                                                                                                   \
		doca_error_t planned_err = planned(__func__);                                                                  \
		if (planned_err != DOCA_SUCCESS)                                                                               \
			return planned_err;                                                                                    \
	} while (0)

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

/* ---- Errors, version ---------------------------------------------------------------------------------------------- */

static const char *const error_names[] = {
	"SUCCESS", "UNKNOWN", "NOT_PERMITTED", "IN_USE", "NOT_SUPPORTED", "AGAIN", "INVALID_VALUE", "NO_MEMORY", "INITIALIZATION",
	"TIME_OUT", "SHUTDOWN", "BAD_STATE", "NOT_FOUND", "FULL", "DRIVER", "ALREADY_EXIST",
};

const char *doca_error_get_name(doca_error_t e) { return error_names[e]; }
const char *doca_error_get_descr(doca_error_t e) { return error_names[e]; }
const char *doca_version_runtime(void) { return "stand-in"; }

/* ---- Devices and DPDK --------------------------------------------------------------------------------------------- */

struct doca_devinfo {
	char pci[DOCA_DEVINFO_PCI_ADDR_SIZE];
};
struct doca_dev {
	int unused;
};
struct doca_dev_rep {
	int unused;
};

static struct doca_devinfo the_device = {"0000:03:00.0"};

doca_error_t doca_devinfo_create_list(struct doca_devinfo ***list, uint32_t *n)
{
	MAY_FAIL;
	if ((*list = make(sizeof **list)) == NULL)
		return DOCA_ERROR_NO_MEMORY;
	(*list)[0] = &the_device;
	*n = 1;
	return DOCA_SUCCESS;
}

doca_error_t doca_devinfo_destroy_list(struct doca_devinfo **list)
{
	unmake(list);
	return DOCA_SUCCESS;
}

doca_error_t doca_devinfo_is_equal_pci_addr(const struct doca_devinfo *info, const char *pci, uint8_t *equal)
{
	*equal = strcasecmp(info->pci, pci) == 0 || strcasecmp(info->pci + 5, pci) == 0;
	return DOCA_SUCCESS;
}

doca_error_t doca_dev_open(struct doca_devinfo *info, struct doca_dev **dev)
{
	(void)info;
	MAY_FAIL;
	if (!card.eal)
		return misused(DOCA_ERROR_BAD_STATE, "doca_dev_open before rte_eal_init");
	card.device = true;
	return (*dev = make(sizeof **dev)) ? DOCA_SUCCESS : DOCA_ERROR_NO_MEMORY;
}

doca_error_t doca_dev_close(struct doca_dev *dev)
{
	for (int p = 0; p < MAX_PORTS; p++)
		if (card.eth[p].running)
			return misused(DOCA_ERROR_IN_USE, "doca_dev_close while DPDK port %d runs", p);
	unmake(dev);
	card.device = false;
	return DOCA_SUCCESS;
}

#if RELEASE >= 301
doca_error_t doca_dpdk_open_dev_rep_by_port_id(uint16_t port, struct doca_dev_rep **rep)
{
	MAY_FAIL;
	if (port == 0 || port >= MAX_PORTS || !card.eth[port].probed)
		return DOCA_ERROR_NOT_FOUND;
	return (*rep = make(sizeof **rep)) ? DOCA_SUCCESS : DOCA_ERROR_NO_MEMORY;
}

doca_error_t doca_dev_rep_close(struct doca_dev_rep *rep)
{
	unmake(rep);
	return DOCA_SUCCESS;
}
#endif

/* representors counts those of a list in DPDK's notation: vf3, vf0-7, vf[0,2-3], 65535. */
static int representors(const char *devargs)
{
	const char *at = strstr(devargs, "representor=");
	int n = 0;
	if (at == NULL)
		return -1;
	for (at += strlen("representor="); *at;) {
		if (*at < '0' || *at > '9') {
			at++;
			continue;
		}
		char *end;
		long low = strtol(at, &end, 10), high = low;
		if (*end == '-')
			high = strtol(end + 1, &end, 10);
		if (high < low)
			return -1;
		n += (int)(high - low + 1);
		at = end;
	}
	return n;
}

doca_error_t doca_dpdk_port_probe(struct doca_dev *dev, const char *devargs)
{
	(void)dev;
	MAY_FAIL;
	if (strstr(devargs, "dv_flow_en=2") == NULL)
		return misused(DOCA_ERROR_NOT_SUPPORTED, "probe without dv_flow_en=2: no hardware steering");
	int n = representors(devargs);
	if (n < 1 || n >= MAX_PORTS)
		return DOCA_ERROR_INVALID_VALUE;
	for (int p = 0; p <= n; p++)
		card.eth[p].probed = true;
	return DOCA_SUCCESS;
}

static int last_errno;
int standin_rte_errno(void) { return last_errno; }
const char *rte_strerror(int e) { return strerror(e); }

int rte_eal_init(int argc, char **argv)
{
	(void)argv;
	if (planned("rte_eal_init") != DOCA_SUCCESS || card.eal || argc < 1) {
		last_errno = 1;
		return -1;
	}
	card.eal = true;
	return argc;
}

int rte_eal_cleanup(void)
{
	card.eal = false;
	memset(card.eth, 0, sizeof card.eth);
	return 0;
}

struct rte_mempool {
	int unused;
};

struct rte_mempool *rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache, uint16_t priv, uint16_t room, int socket)
{
	(void)name, (void)n, (void)cache, (void)priv, (void)room, (void)socket;
	if (planned("rte_pktmbuf_pool_create") != DOCA_SUCCESS) {
		last_errno = 12;
		return NULL;
	}
	return make(sizeof(struct rte_mempool));
}

void rte_mempool_free(struct rte_mempool *pool) { unmake(pool); }

uint16_t rte_eth_find_next_owned_by(uint16_t port, uint64_t owner)
{
	(void)owner;
	while (port < MAX_PORTS && !card.eth[port].probed)
		port++;
	return port;
}

int rte_eth_dev_info_get(uint16_t port, struct rte_eth_dev_info *info)
{
	static const uint32_t uplink = 0, representor = RTE_ETH_DEV_REPRESENTOR;
	info->dev_flags = port == 0 ? &uplink : &representor;
	return 0;
}

int rte_eth_dev_socket_id(uint16_t port) { return (void)port, 0; }

static int port_step(const char *call, bool in_order, bool *done)
{
	if (planned(call) != DOCA_SUCCESS)
		return -5;
	if (!in_order) {
		misused(DOCA_ERROR_BAD_STATE, "%s out of order", call);
		return -22;
	}
	*done = true;
	return 0;
}

int rte_eth_dev_configure(uint16_t p, uint16_t rx, uint16_t tx, const struct rte_eth_conf *conf)
{
	(void)conf;
	return port_step(__func__, card.eth[p].probed && rx > 0 && tx > 0, &card.eth[p].configured);
}

int rte_eth_rx_queue_setup(uint16_t p, uint16_t q, uint16_t n, unsigned socket, const struct rte_eth_rxconf *conf, struct rte_mempool *m)
{
	(void)q, (void)n, (void)socket, (void)conf;
	return port_step(__func__, card.eth[p].configured && m, &card.eth[p].rx);
}

int rte_eth_tx_queue_setup(uint16_t p, uint16_t q, uint16_t n, unsigned socket, const struct rte_eth_txconf *conf)
{
	(void)q, (void)n, (void)socket, (void)conf;
	return port_step(__func__, card.eth[p].configured, &card.eth[p].tx);
}

int rte_flow_isolate(uint16_t p, int set, struct rte_flow_error *err)
{
	(void)err;
	return port_step(__func__, !card.eth[p].running && set, &card.eth[p].isolated);
}

int rte_eth_dev_start(uint16_t p) { return port_step(__func__, card.eth[p].rx && card.eth[p].tx, &card.eth[p].running); }

int rte_eth_dev_stop(uint16_t p)
{
	if (card.port[p].started)
		misused(DOCA_ERROR_IN_USE, "rte_eth_dev_stop of port %u while DOCA Flow has it", p);
	card.eth[p].running = false;
	return 0;
}

int rte_eth_dev_close(uint16_t p)
{
	memset(&card.eth[p], 0, sizeof card.eth[p]);
	return 0;
}

/* ---- The library and its ports ------------------------------------------------------------------------------------ */

struct doca_flow_cfg {
	uint32_t queues, counters, depth;
	char mode[128];
	bool rss;
	doca_flow_entry_process_cb callback;
};

doca_error_t doca_flow_cfg_create(struct doca_flow_cfg **cfg)
{
	MAY_FAIL;
	return (*cfg = make(sizeof **cfg)) ? DOCA_SUCCESS : DOCA_ERROR_NO_MEMORY;
}

doca_error_t doca_flow_cfg_destroy(struct doca_flow_cfg *cfg)
{
	unmake(cfg);
	return DOCA_SUCCESS;
}

#define SETTER(name, type, field)                                                                                              \
	doca_error_t doca_flow_cfg_set_##name(struct doca_flow_cfg *cfg, type value)                                           \
	{                                                                                                                      \
		MAY_FAIL;                                                                                                      \
		cfg->field = value;                                                                                            \
		return DOCA_SUCCESS;                                                                                           \
	}
SETTER(pipe_queues, uint16_t, queues)
SETTER(nr_counters, uint32_t, counters)
SETTER(queue_depth, uint32_t, depth)
SETTER(cb_entry_process, doca_flow_entry_process_cb, callback)
#undef SETTER

doca_error_t doca_flow_cfg_set_mode_args(struct doca_flow_cfg *cfg, const char *mode)
{
	MAY_FAIL;
	snprintf(cfg->mode, sizeof cfg->mode, "%s", mode);
	return DOCA_SUCCESS;
}

#if RELEASE <= 301
doca_error_t doca_flow_cfg_set_default_rss(struct doca_flow_cfg *cfg, const struct doca_flow_resource_rss_cfg *rss)
{
	MAY_FAIL;
	if (rss->nr_queues < 1 || rss->queues_array == NULL)
		return DOCA_ERROR_INVALID_VALUE;
	cfg->rss = true;
	return DOCA_SUCCESS;
}
#endif

doca_error_t doca_flow_init(struct doca_flow_cfg *cfg)
{
	MAY_FAIL;
	for (int p = 0; p < MAX_PORTS; p++)
		if (card.eth[p].probed && !card.eth[p].running)
			return misused(DOCA_ERROR_BAD_STATE, "doca_flow_init before DPDK port %d was started", p);
	if (card.flow)
		return misused(DOCA_ERROR_BAD_STATE, "doca_flow_init twice");
	if (strncmp(cfg->mode, "switch,hws", 10) != 0)
		return misused(DOCA_ERROR_INVALID_VALUE, "mode %s, want switch,hws", cfg->mode);
	if (cfg->queues == 0 || cfg->callback == NULL)
		return misused(DOCA_ERROR_INVALID_VALUE, "doca_flow_init without queues or without a callback");
	card.depth = cfg->depth ? cfg->depth : 128;
	card.counters = cfg->counters;
	card.callback = cfg->callback;
	card.queue = make((card.depth + 1) * sizeof *card.queue);
	card.first = card.queued = card.submitted = 0;
	card.flow = true;
	return card.queue ? DOCA_SUCCESS : DOCA_ERROR_NO_MEMORY;
}

void doca_flow_destroy(void)
{
	for (int p = 0; p < MAX_PORTS; p++)
		if (card.port[p].started)
			misused(DOCA_ERROR_IN_USE, "doca_flow_destroy while port %d is started", p);
	unmake(card.queue);
	card.queue = NULL, card.flow = false, card.owned = false;
}

struct doca_flow_port_cfg {
	int id;
	uint32_t actions_memory;
	bool dev, rep;
};

doca_error_t doca_flow_port_cfg_create(struct doca_flow_port_cfg **cfg)
{
	MAY_FAIL;
	if ((*cfg = make(sizeof **cfg)) == NULL)
		return DOCA_ERROR_NO_MEMORY;
	(*cfg)->id = -1;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_port_cfg_destroy(struct doca_flow_port_cfg *cfg)
{
	unmake(cfg);
	return DOCA_SUCCESS;
}

#if RELEASE >= 300
doca_error_t doca_flow_port_cfg_set_port_id(struct doca_flow_port_cfg *cfg, uint16_t id)
{
	MAY_FAIL;
	cfg->id = id;
	return DOCA_SUCCESS;
}
#else
doca_error_t doca_flow_port_cfg_set_devargs(struct doca_flow_port_cfg *cfg, const char *id)
{
	char *end;
	MAY_FAIL;
	cfg->id = (int)strtol(id, &end, 10);
	return *id && !*end ? DOCA_SUCCESS : DOCA_ERROR_INVALID_VALUE;
}
#endif

#if RELEASE >= 210
doca_error_t doca_flow_port_cfg_set_actions_mem_size(struct doca_flow_port_cfg *cfg, uint32_t size)
{
	MAY_FAIL;
	if (size < 64 || size & (size - 1))
		return misused(DOCA_ERROR_INVALID_VALUE, "action memory of %u B: not a power of two of at least 64", size);
	cfg->actions_memory = size;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *cfg, struct doca_dev *dev)
#else
doca_error_t doca_flow_port_cfg_set_dev(struct doca_flow_port_cfg *cfg, void *dev)
#endif
{
	MAY_FAIL;
	cfg->dev = dev != NULL;
	return DOCA_SUCCESS;
}

#if RELEASE >= 301
doca_error_t doca_flow_port_cfg_set_dev_rep(struct doca_flow_port_cfg *cfg, struct doca_dev_rep *rep)
{
	MAY_FAIL;
	cfg->rep = rep != NULL;
	return DOCA_SUCCESS;
}
#endif

doca_error_t doca_flow_port_start(const struct doca_flow_port_cfg *cfg, struct doca_flow_port **port)
{
	MAY_FAIL;
	if (!card.flow || cfg->id < 0 || cfg->id >= MAX_PORTS || !card.eth[cfg->id].running)
		return misused(DOCA_ERROR_BAD_STATE, "start of port %d, which DPDK does not run", cfg->id);
	if (cfg->id != 0 && !card.port[0].started)
		return misused(DOCA_ERROR_BAD_STATE, "port %d started before the proxy port", cfg->id);
	if ((cfg->id == 0) != cfg->dev)
		return misused(DOCA_ERROR_INVALID_VALUE, "port %d %s a device", cfg->id, cfg->dev ? "with" : "without");
	if (RELEASE >= 210 && cfg->actions_memory == 0)
		return misused(DOCA_ERROR_INVALID_VALUE, "port %d without action memory", cfg->id);
	if (RELEASE >= 301 && cfg->id != 0 && !cfg->rep)
		return misused(DOCA_ERROR_INVALID_VALUE, "port %d without a representor's handle", cfg->id);
	*port = &card.port[cfg->id];
	**port = (struct doca_flow_port){.id = (uint16_t)cfg->id, .started = true};
	return DOCA_SUCCESS;
}

static void end_pipe(struct doca_flow_pipe *);

doca_error_t doca_flow_port_stop(struct doca_flow_port *port)
{
	if (port->id == 0) {
		for (int p = 1; p < MAX_PORTS; p++)
			if (card.port[p].started)
				misused(DOCA_ERROR_IN_USE, "the proxy port stopped before port %d", p);
		while (card.pipes)
			end_pipe(card.pipes);
	}
	port->started = false;
	return DOCA_SUCCESS;
}

struct doca_flow_port *doca_flow_port_switch_get(const struct doca_flow_port *port) { return (void)port, &card.port[0]; }

struct doca_flow_target {
	int unused;
};
static struct doca_flow_target kernel_target;

doca_error_t doca_flow_get_target(enum doca_flow_target_type type, struct doca_flow_target **target)
{
	(void)type;
	MAY_FAIL;
	*target = &kernel_target;
	return DOCA_SUCCESS;
}

/* ---- Matches ------------------------------------------------------------------------------------------------------ */

/* The parts of a match. Those of one layer overlap; the template's type says which holds. */
enum { PORT, L3, L4, IP4_SRC, IP4_DST, IP6_SRC, IP6_DST, L4_SRC, L4_DST, FIELDS };

#define AT(member) offsetof(struct doca_flow_match, member), sizeof(((struct doca_flow_match *)0)->member)
static const struct field {
	size_t at, size;
	enum doca_flow_l3_type l3;
	bool l4;
} fields[FIELDS] = {
#if RELEASE >= 300
	[PORT] = {AT(parser_meta.port_id), 0, false},
#else
	[PORT] = {AT(parser_meta.port_meta), 0, false},
#endif
	[L3] = {AT(parser_meta.outer_l3_type), 0, false},
	[L4] = {AT(parser_meta.outer_l4_type), 0, false},
	[IP4_SRC] = {AT(outer.ip4.src_ip), DOCA_FLOW_L3_TYPE_IP4, false},
	[IP4_DST] = {AT(outer.ip4.dst_ip), DOCA_FLOW_L3_TYPE_IP4, false},
	[IP6_SRC] = {AT(outer.ip6.src_ip), DOCA_FLOW_L3_TYPE_IP6, false},
	[IP6_DST] = {AT(outer.ip6.dst_ip), DOCA_FLOW_L3_TYPE_IP6, false},
	[L4_SRC] = {AT(outer.transport.src_port), 0, true},
	[L4_DST] = {AT(outer.transport.dst_port), 0, true},
};

enum use { IGNORED, CONSTANT, CHANGEABLE };

static bool all(const void *p, size_t n, uint8_t value)
{
	const uint8_t *b = p;
	while (n > 0 && b[n - 1] == value)
		n--;
	return n == 0;
}

#define MAX_KEY 48

struct template {
	struct doca_flow_match match;
	enum use use[FIELDS];
};

/* read_template says what each part of a pipe's match means: without a mask zeros ignore, ones change from entry to entry, and
 * anything else is constant; with one, what it leaves out is ignored. */
static void read_template(struct template *t, const struct doca_flow_match *match, const struct doca_flow_match *mask)
{
	t->match = *match;
	for (int f = 0; f < FIELDS; f++) {
		const struct field *field = &fields[f];
		const uint8_t *value = (const uint8_t *)match + field->at, *bits = mask ? (const uint8_t *)mask + field->at : NULL;
		t->use[f] = IGNORED;
		if ((field->l3 && field->l3 != match->outer.l3_type) || (field->l4 && match->outer.l4_type_ext == DOCA_FLOW_L4_TYPE_EXT_NONE))
			continue;
		if (all(bits ? bits : value, field->size, 0))
			continue;
		t->use[f] = all(value, field->size, 0xff) ? CHANGEABLE : CONSTANT;
	}
}

/* key_of collects what tells entries apart, or what of a packet is compared with that. It reports whether the constant parts
 * agree. */
static bool key_of(const struct template *t, const struct doca_flow_match *m, uint8_t *key, size_t *n, bool packet)
{
	*n = 0;
	for (int f = 0; f < FIELDS; f++) {
		const uint8_t *value = (const uint8_t *)m + fields[f].at;
		if (t->use[f] == CONSTANT && packet && memcmp(value, (const uint8_t *)&t->match + fields[f].at, fields[f].size) != 0)
			return false;
		if (t->use[f] != CHANGEABLE)
			continue;
		if (packet && ((fields[f].l3 && fields[f].l3 != m->outer.l3_type) || (fields[f].l4 && m->outer.l4_type_ext == 0)))
			return false;
		memcpy(key + *n, value, fields[f].size);
		*n += fields[f].size;
	}
	return true;
}

/* ---- Pipes and entries -------------------------------------------------------------------------------------------- */

struct doca_flow_pipe_cfg {
	char name[64];
	bool root, matches, masked, monitors;
	uint32_t entries;
	struct doca_flow_match match, mask;
	struct doca_flow_monitor monitor;
};

struct totals {
	uint64_t packets, bytes;
};

struct doca_flow_pipe_entry {
	struct doca_flow_pipe *pipe;
	struct doca_flow_pipe_entry *next; /* of the same hash */
	uint8_t key[MAX_KEY];
	size_t length;
	struct doca_flow_fwd fwd;
	struct totals live, shown;
	uint32_t epoch, aging_s;
	uint64_t used_ms;
	bool in_force, counted, aged, leaving;
	void *ctx;
};

struct doca_flow_pipe {
	struct doca_flow_pipe_cfg cfg;
	struct template t;
	struct doca_flow_fwd fwd, miss;
	struct doca_flow_pipe_entry **table;
	uint32_t mask, held; /* held: entries in force or on their way */
	struct doca_flow_pipe *next;
};

doca_error_t doca_flow_pipe_cfg_create(struct doca_flow_pipe_cfg **cfg, struct doca_flow_port *port)
{
	MAY_FAIL;
	if (port == NULL || !port->started)
		return misused(DOCA_ERROR_BAD_STATE, "a pipe on a port that is not started");
	if ((*cfg = make(sizeof **cfg)) == NULL)
		return DOCA_ERROR_NO_MEMORY;
	(*cfg)->entries = 8192;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_destroy(struct doca_flow_pipe_cfg *cfg)
{
	unmake(cfg);
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_name(struct doca_flow_pipe_cfg *cfg, const char *name)
{
	MAY_FAIL;
	snprintf(cfg->name, sizeof cfg->name, "%s", name);
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_type(struct doca_flow_pipe_cfg *cfg, enum doca_flow_pipe_type type)
{
	(void)cfg;
	MAY_FAIL;
	return type == DOCA_FLOW_PIPE_BASIC ? DOCA_SUCCESS : DOCA_ERROR_NOT_SUPPORTED;
}

doca_error_t doca_flow_pipe_cfg_set_is_root(struct doca_flow_pipe_cfg *cfg, bool root)
{
	MAY_FAIL;
	cfg->root = root;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_nr_entries(struct doca_flow_pipe_cfg *cfg, uint32_t n)
{
	MAY_FAIL;
	cfg->entries = n;
	return n > 0 ? DOCA_SUCCESS : DOCA_ERROR_INVALID_VALUE;
}

doca_error_t doca_flow_pipe_cfg_set_match(struct doca_flow_pipe_cfg *cfg, const struct doca_flow_match *m, const struct doca_flow_match *mask)
{
	MAY_FAIL;
	cfg->match = *m, cfg->matches = true;
	if ((cfg->masked = mask != NULL))
		cfg->mask = *mask;
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_cfg_set_monitor(struct doca_flow_pipe_cfg *cfg, const struct doca_flow_monitor *m)
{
	MAY_FAIL;
	cfg->monitor = *m, cfg->monitors = true;
	return DOCA_SUCCESS;
}

/* reachable says whether a packet may be sent there. */
static doca_error_t reachable(const struct doca_flow_fwd *fwd, bool any)
{
	if (fwd->type == DOCA_FLOW_FWD_PORT && !(any && fwd->port_id == 0xffff) &&
	    (fwd->port_id >= MAX_PORTS || !card.port[fwd->port_id].started))
		return misused(DOCA_ERROR_INVALID_VALUE, "forward to port %u, which is not started", fwd->port_id);
	if (fwd->type == DOCA_FLOW_FWD_PIPE && !any && fwd->next_pipe == NULL)
		return misused(DOCA_ERROR_INVALID_VALUE, "forward to no pipe");
	return DOCA_SUCCESS;
}

doca_error_t doca_flow_pipe_create(const struct doca_flow_pipe_cfg *cfg, const struct doca_flow_fwd *fwd,
				   const struct doca_flow_fwd *miss, struct doca_flow_pipe **pipe)
{
	MAY_FAIL;
	if (!cfg->matches || fwd == NULL)
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s without a match or a forward", cfg->name);
	if (cfg->root && card.root)
		return misused(DOCA_ERROR_ALREADY_EXIST, "a second root pipe, %s", cfg->name);
	if (cfg->root && cfg->monitors)
		return misused(DOCA_ERROR_NOT_SUPPORTED, "a root pipe that counts: refused on BlueField-2 with 2.9.4");
	if (miss && miss->type != DOCA_FLOW_FWD_PIPE && miss->type != DOCA_FLOW_FWD_DROP)
		return misused(DOCA_ERROR_INVALID_VALUE, "invalid fwd_miss type %d", miss->type);
	doca_error_t err = reachable(fwd, true);
	if (err == DOCA_SUCCESS && miss)
		err = reachable(miss, false);
	if (err != DOCA_SUCCESS)
		return err;
	struct doca_flow_pipe *p = make(sizeof *p);
	uint32_t size = 16;
	while (size < cfg->entries && size < 1u << 24)
		size <<= 1;
	if (p == NULL || (p->table = calloc(size, sizeof *p->table)) == NULL)
		return unmake(p), DOCA_ERROR_NO_MEMORY;
	p->cfg = *cfg, p->fwd = *fwd, p->mask = size - 1;
	p->miss = miss ? *miss : (struct doca_flow_fwd){.type = DOCA_FLOW_FWD_DROP};
	read_template(&p->t, &cfg->match, cfg->masked ? &cfg->mask : NULL);
	pthread_mutex_lock(&lock);
	p->next = card.pipes, card.pipes = p;
	if (cfg->root)
		card.root = p;
	pthread_mutex_unlock(&lock);
	*pipe = p;
	return DOCA_SUCCESS;
}

static void end_pipe(struct doca_flow_pipe *p)
{
	pthread_mutex_lock(&lock);
	for (struct doca_flow_pipe **at = &card.pipes; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	if (card.root == p)
		card.root = NULL;
	for (uint32_t k = 0; k < card.queued; k++) { /* its operations under way end with it */
		struct operation *o = &card.queue[(card.first + k) % (card.depth + 1)];
		if (o->entry == NULL || o->entry->pipe != p)
			continue;
		if (o->op == DOCA_FLOW_ENTRY_OP_ADD)
			unmake(o->entry);
		o->entry = NULL;
	}
	for (uint32_t k = 0; k <= p->mask; k++)
		for (struct doca_flow_pipe_entry *e = p->table[k], *next; e; e = next) {
			next = e->next;
			card.entries--;
			unmake(e);
		}
	pthread_mutex_unlock(&lock);
	free(p->table);
	unmake(p);
}

void doca_flow_pipe_destroy(struct doca_flow_pipe *p) { end_pipe(p); }

static uint32_t hash(const uint8_t *key, size_t n)
{
	uint64_t h = 14695981039346656037ull;
	for (size_t k = 0; k < n; k++)
		h = (h ^ key[k]) * 1099511628211ull;
	return (uint32_t)(h ^ h >> 32);
}

static struct doca_flow_pipe_entry **find(struct doca_flow_pipe *p, const uint8_t *key, size_t n)
{
	struct doca_flow_pipe_entry **at = &p->table[hash(key, n) & p->mask];
	while (*at && ((*at)->length != n || memcmp((*at)->key, key, n) != 0))
		at = &(*at)->next;
	return at;
}

/* enqueue takes an operation, or says why not. */
static doca_error_t enqueue(uint16_t queue, struct doca_flow_pipe_entry *e, enum doca_flow_entry_op op, const struct doca_flow_fwd *fwd,
			    uint32_t flags)
{
#if RELEASE >= 303
	const uint32_t now = DOCA_FLOW_ENTRY_FLAGS_NO_WAIT, wait = DOCA_FLOW_ENTRY_FLAGS_WAIT_FOR_BATCH;
#else
	const uint32_t now = DOCA_FLOW_NO_WAIT, wait = DOCA_FLOW_WAIT_FOR_BATCH;
#endif
	if (queue != 0)
		return misused(DOCA_ERROR_INVALID_VALUE, "queue %u of 1", queue);
	if (flags != now && flags != wait)
		return misused(DOCA_ERROR_INVALID_VALUE, "flags %u", flags);
	if (!card.owned)
		card.owner = pthread_self(), card.owned = true;
	if (!pthread_equal(card.owner, pthread_self()))
		return misused(DOCA_ERROR_BAD_STATE, "two threads use one queue");
	if (card.queued == card.depth)
		return misused(DOCA_ERROR_INVALID_VALUE, "more than %u operations in the queue", card.depth);
	card.queue[(card.first + card.queued++) % (card.depth + 1)] = (struct operation){e, op, fwd ? *fwd : (struct doca_flow_fwd){0}};
	if (flags == now)
		card.submitted = card.queued;
	return DOCA_SUCCESS;
}

static doca_error_t add(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m, const struct doca_flow_monitor *monitor,
			const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **entry)
{
	if (p->held == p->cfg.entries)
		return DOCA_ERROR_FULL;
	const struct doca_flow_fwd *to = &p->fwd;
	bool open = (p->fwd.type == DOCA_FLOW_FWD_PORT && p->fwd.port_id == 0xffff) || (p->fwd.type == DOCA_FLOW_FWD_PIPE && !p->fwd.next_pipe);
	if (open != (fwd != NULL))
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s: a forward %s", p->cfg.name, open ? "is wanted for each entry" : "is fixed by the pipe");
	if (fwd) {
		if (fwd->type != p->fwd.type && fwd->type != DOCA_FLOW_FWD_DROP)
			return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s: another kind of forward in an entry", p->cfg.name);
		doca_error_t err = reachable(to = fwd, false);
		if (err != DOCA_SUCCESS)
			return err;
	}
	bool counted = monitor && monitor->counter_type == DOCA_FLOW_RESOURCE_TYPE_NON_SHARED;
	if (counted && !p->cfg.monitors)
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s does not count, but its entry does", p->cfg.name);
	if (monitor && monitor->aging_sec && p->cfg.monitor.aging_sec != UINT32_MAX)
		return misused(DOCA_ERROR_INVALID_VALUE, "pipe %s does not age, but its entry does", p->cfg.name);
	if (counted && card.counters_used == card.counters)
		return DOCA_ERROR_NO_MEMORY;
	struct doca_flow_pipe_entry *e = make(sizeof *e);
	if (e == NULL)
		return DOCA_ERROR_NO_MEMORY;
	*e = (struct doca_flow_pipe_entry){.pipe = p, .fwd = *to, .counted = counted, .aging_s = monitor ? monitor->aging_sec : 0, .ctx = ctx};
	key_of(&p->t, m, e->key, &e->length, false);
	doca_error_t err = enqueue(queue, e, DOCA_FLOW_ENTRY_OP_ADD, NULL, flags);
	if (err != DOCA_SUCCESS)
		return unmake(e), err;
	card.counters_used += counted;
	p->held++;
	*entry = e;
	return DOCA_SUCCESS;
}

#define LOCKED(call)                                                                                                           \
	pthread_mutex_lock(&lock);                                                                                             \
	doca_error_t locked_err = planned(__func__);                                                                           \
	if (locked_err == DOCA_SUCCESS)                                                                                        \
		locked_err = (call);                                                                                           \
	pthread_mutex_unlock(&lock);                                                                                           \
	return locked_err

#if RELEASE >= 303
doca_error_t doca_flow_pipe_basic_add_entry(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m, uint8_t action,
					    const struct doca_flow_actions *actions, const struct doca_flow_monitor *monitor,
					    const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **e)
#elif RELEASE >= 302
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m, uint8_t action,
				      const struct doca_flow_actions *actions, const struct doca_flow_monitor *monitor,
				      const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **e)
#else
doca_error_t doca_flow_pipe_add_entry(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_match *m,
				      const struct doca_flow_actions *actions, const struct doca_flow_monitor *monitor,
				      const struct doca_flow_fwd *fwd, uint32_t flags, void *ctx, struct doca_flow_pipe_entry **e)
#endif
{
#if RELEASE >= 302
	(void)action;
#endif
	(void)actions;
	LOCKED(add(queue, p, m, monitor, fwd, flags, ctx, e));
}

static doca_error_t change(uint16_t queue, struct doca_flow_pipe_entry *e, enum doca_flow_entry_op op, const struct doca_flow_fwd *fwd, uint32_t flags)
{
	if (!e->in_force || e->leaving)
		return misused(DOCA_ERROR_BAD_STATE, "pipe %s: an entry changed that is not in force", e->pipe->cfg.name);
	doca_error_t err = fwd ? reachable(fwd, false) : DOCA_SUCCESS;
	if (err == DOCA_SUCCESS)
		err = enqueue(queue, e, op, fwd, flags);
	if (err == DOCA_SUCCESS && op == DOCA_FLOW_ENTRY_OP_DEL)
		e->leaving = true;
	return err;
}

#if RELEASE >= 303
doca_error_t doca_flow_pipe_basic_update_entry(uint16_t queue, struct doca_flow_pipe *p, uint8_t action, const struct doca_flow_actions *actions,
					       const struct doca_flow_monitor *monitor, const struct doca_flow_fwd *fwd, uint32_t flags,
					       struct doca_flow_pipe_entry *e)
{
	(void)p, (void)action, (void)actions, (void)monitor;
	LOCKED(change(queue, e, DOCA_FLOW_ENTRY_OP_UPD, fwd, flags));
}
#elif RELEASE != 302
doca_error_t doca_flow_pipe_update_entry(uint16_t queue, struct doca_flow_pipe *p, const struct doca_flow_actions *actions,
					 const struct doca_flow_monitor *monitor, const struct doca_flow_fwd *fwd,
					 enum doca_flow_flags_type flags, struct doca_flow_pipe_entry *e)
{
	(void)p, (void)actions, (void)monitor;
	LOCKED(change(queue, e, DOCA_FLOW_ENTRY_OP_UPD, fwd, flags));
}
#endif

#if RELEASE >= 209
doca_error_t doca_flow_pipe_remove_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *e)
#else
doca_error_t doca_flow_pipe_rm_entry(uint16_t queue, uint32_t flags, struct doca_flow_pipe_entry *e)
#endif
{
	LOCKED(change(queue, e, DOCA_FLOW_ENTRY_OP_DEL, NULL, flags));
}

/* ---- Counters ----------------------------------------------------------------------------------------------------- */

static uint64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* age_clock is the time by which entries age: it stands still but for standin_pass when counters are renewed by hand. */
static uint64_t age_clock(void) { return card.passed_ms + (card.every_ms ? clock_ms() : 0); }

/* renew begins an epoch when one is due: what is read in it is what was counted before it. */
static void renew(void)
{
	if (card.every_ms == 0)
		return;
	uint64_t now = clock_ms();
	if (now - card.renewed_ms >= card.every_ms)
		card.renewed_ms = now, card.epoch++;
}

static void show(struct doca_flow_pipe_entry *e)
{
	if (e->epoch != card.epoch)
		e->shown = e->live, e->epoch = card.epoch;
}

static doca_error_t totals_of(struct doca_flow_pipe_entry *e, uint64_t *packets, uint64_t *bytes)
{
	if (!e->counted)
		return misused(DOCA_ERROR_INVALID_VALUE, "query of an entry without a counter");
	renew();
	show(e);
	*packets = e->shown.packets, *bytes = e->shown.bytes;
	return DOCA_SUCCESS;
}

#if RELEASE >= 209
doca_error_t doca_flow_resource_query_entry(struct doca_flow_pipe_entry *e, struct doca_flow_resource_query *q)
{
	LOCKED(totals_of(e, &q->counter.total_pkts, &q->counter.total_bytes));
}
#else
doca_error_t doca_flow_query_entry(struct doca_flow_pipe_entry *e, struct doca_flow_query *q)
{
	LOCKED(totals_of(e, &q->total_pkts, &q->total_bytes));
}
#endif

/* ---- Completions and ageing --------------------------------------------------------------------------------------- */

/* carry_out does one operation. It reports whether the entry is to be freed. */
static bool carry_out(struct operation *o, bool *ok)
{
	struct doca_flow_pipe_entry *e = o->entry, **at;
	struct doca_flow_pipe *p = e->pipe;
	*ok = planned("completion") == DOCA_SUCCESS;
	switch (o->op) {
	case DOCA_FLOW_ENTRY_OP_ADD:
		at = find(p, e->key, e->length);
		if (*at)
			misused(DOCA_ERROR_ALREADY_EXIST, "pipe %s: two entries with one key", p->cfg.name);
		if (!*ok || *at || card.entries == card.limit) {
			*ok = false;
			p->held--, card.counters_used -= e->counted;
			return true;
		}
		*at = e, e->in_force = true, e->used_ms = age_clock(), e->epoch = card.epoch;
		card.entries++;
		return false;
	case DOCA_FLOW_ENTRY_OP_UPD:
		if (*ok)
			e->fwd = o->fwd;
		return false;
	default:
		e->leaving = *ok;
		if (!*ok)
			return false;
		at = find(p, e->key, e->length);
		*at = e->next;
		p->held--, card.entries--, card.counters_used -= e->counted;
		return true;
	}
}

doca_error_t doca_flow_entries_process(struct doca_flow_port *port, uint16_t queue, uint64_t timeout_us, uint32_t max)
{
	(void)port, (void)queue, (void)timeout_us;
	MAY_FAIL;
	for (uint32_t n = 0; max == 0 || n < max; n++) {
		pthread_mutex_lock(&lock);
		if (card.submitted == 0) {
			pthread_mutex_unlock(&lock);
			break;
		}
		struct operation o = card.queue[card.first];
		card.first = (card.first + 1) % (card.depth + 1), card.queued--, card.submitted--;
		bool ok = false, end = o.entry && carry_out(&o, &ok);
		pthread_mutex_unlock(&lock);
		if (o.entry == NULL)
			continue;
		card.callback(o.entry, 0, ok ? DOCA_FLOW_ENTRY_STATUS_SUCCESS : DOCA_FLOW_ENTRY_STATUS_ERROR, o.op, o.entry->ctx);
		if (end) {
			pthread_mutex_lock(&lock);
			unmake(o.entry);
			pthread_mutex_unlock(&lock);
		}
	}
	return DOCA_SUCCESS;
}

int doca_flow_aging_handle(struct doca_flow_port *port, uint16_t queue, uint64_t quota_us, uint64_t max)
{
	(void)port, (void)queue, (void)quota_us, (void)max;
	int aged = 0;
	for (struct doca_flow_pipe *p = card.pipes; p; p = p->next) {
		for (uint32_t k = 0; p->cfg.monitor.aging_sec && k <= p->mask; k++)
			for (struct doca_flow_pipe_entry *e = p->table[k]; e; e = e->next) {
				pthread_mutex_lock(&lock);
				bool due = e->aging_s && !e->aged && age_clock() >= e->used_ms + e->aging_s * 1000ull;
				e->aged |= due;
				pthread_mutex_unlock(&lock);
				if (!due)
					continue;
				card.callback(e, 0, DOCA_FLOW_ENTRY_STATUS_SUCCESS, DOCA_FLOW_ENTRY_OP_AGED, e->ctx);
				aged++;
			}
	}
	return aged ? aged : -1;
}

/* ---- Packets ------------------------------------------------------------------------------------------------------ */

static uint16_t be16(const uint8_t *b) { return (uint16_t)(b[0] << 8 | b[1]); }

/* dissect reads what the card's parser would. */
static void dissect(struct doca_flow_match *m, uint16_t in, const uint8_t *b, uint32_t n)
{
	memset(m, 0, sizeof *m);
#if RELEASE >= 300
	m->parser_meta.port_id = in;
#else
	m->parser_meta.port_meta = in;
#endif
	uint32_t at = 12;
	while (n >= at + 6 && (be16(b + at) == 0x8100 || be16(b + at) == 0x88a8))
		at += 4;
	if (n < at + 2)
		return;
	uint16_t ether = be16(b + at);
	uint8_t proto;
	at += 2;
	if (ether == 0x0800 && n >= at + 20) {
		m->parser_meta.outer_l3_type = DOCA_FLOW_L3_META_IPV4, m->outer.l3_type = DOCA_FLOW_L3_TYPE_IP4;
		memcpy(&m->outer.ip4.src_ip, b + at + 12, 4);
		memcpy(&m->outer.ip4.dst_ip, b + at + 16, 4);
		proto = m->outer.ip4.next_proto = b[at + 9];
		if (be16(b + at + 6) & 0x1fff)
			return; /* a later fragment has no ports */
		at += (b[at] & 15u) * 4;
	} else if (ether == 0x86dd && n >= at + 40) {
		m->parser_meta.outer_l3_type = DOCA_FLOW_L3_META_IPV6, m->outer.l3_type = DOCA_FLOW_L3_TYPE_IP6;
		memcpy(m->outer.ip6.src_ip, b + at + 8, 16);
		memcpy(m->outer.ip6.dst_ip, b + at + 24, 16);
		proto = m->outer.ip6.next_proto = b[at + 6];
		at += 40;
	} else {
		return;
	}
	if ((proto != 6 && proto != 17) || n < at + 4)
		return;
	m->parser_meta.outer_l4_type = proto == 6 ? DOCA_FLOW_L4_META_TCP : DOCA_FLOW_L4_META_UDP;
	m->outer.l4_type_ext = proto == 6 ? DOCA_FLOW_L4_TYPE_EXT_TCP : DOCA_FLOW_L4_TYPE_EXT_UDP;
	memcpy(&m->outer.transport.src_port, b + at, 2);
	memcpy(&m->outer.transport.dst_port, b + at + 2, 2);
}

struct standin_verdict standin_packet(uint16_t in, const uint8_t *frame, uint32_t n)
{
	struct doca_flow_match m;
	struct standin_verdict v = {STANDIN_DROPPED, in};
	dissect(&m, in, frame, n);
	pthread_mutex_lock(&lock);
	struct doca_flow_pipe *p = card.root;
	for (int hops = 0; p && hops < 16; hops++) {
		uint8_t key[MAX_KEY];
		size_t length;
		struct doca_flow_pipe_entry *e = key_of(&p->t, &m, key, &length, true) ? *find(p, key, length) : NULL;
		const struct doca_flow_fwd *fwd = e ? &e->fwd : &p->miss;
		if (e) {
			renew();
			show(e);
			e->live.packets++, e->live.bytes += n;
			e->used_ms = age_clock();
		}
		p = NULL;
		switch (fwd->type) {
		case DOCA_FLOW_FWD_PIPE:
			p = fwd->next_pipe;
			break;
		case DOCA_FLOW_FWD_PORT:
			v = (struct standin_verdict){STANDIN_PORT, fwd->port_id};
			break;
		case DOCA_FLOW_FWD_TARGET:
			v.kind = STANDIN_KERNEL;
			break;
		default:
			break;
		}
	}
	pthread_mutex_unlock(&lock);
	return v;
}

/* ---- The other side ----------------------------------------------------------------------------------------------- */

void standin_fail(const char *call, uint32_t after, uint32_t times, int error)
{
	pthread_mutex_lock(&lock);
	snprintf(card.failing, sizeof card.failing, "%s", call);
	card.fail_after = after, card.fail_times = *call ? times : 0, card.fail_with = (doca_error_t)error;
	pthread_mutex_unlock(&lock);
}

void standin_counters(uint32_t every_ms)
{
	pthread_mutex_lock(&lock);
	card.every_ms = every_ms;
	pthread_mutex_unlock(&lock);
}

void standin_refresh(void)
{
	pthread_mutex_lock(&lock);
	card.epoch++;
	pthread_mutex_unlock(&lock);
}

void standin_pass(uint32_t seconds)
{
	pthread_mutex_lock(&lock);
	card.passed_ms += seconds * 1000ull;
	pthread_mutex_unlock(&lock);
}

void standin_limit(uint32_t entries)
{
	pthread_mutex_lock(&lock);
	card.limit = entries;
	pthread_mutex_unlock(&lock);
}

uint32_t standin_entries(void)
{
	pthread_mutex_lock(&lock);
	uint32_t n = card.entries;
	pthread_mutex_unlock(&lock);
	return n;
}

uint32_t standin_objects(void)
{
	pthread_mutex_lock(&lock);
	uint32_t n = card.objects;
	pthread_mutex_unlock(&lock);
	return n;
}

const char *standin_misuse(void) { return card.misuse; }

void standin_reset(void)
{
	pthread_mutex_lock(&lock);
	uint32_t objects = card.objects;
	memset(&card, 0, sizeof card);
	card.objects = objects, card.limit = UINT32_MAX, card.every_ms = RELEASE >= 303 ? 1000 : 500;
	pthread_mutex_unlock(&lock);
}
