//go:build doca && standin

/*
 * Calls that the SDK is documented to refuse, made to the stand-in. It must notice each, or the tests of the shim prove
 * nothing. A violation returns the result of the wrong call.
 */
#include <pthread.h>
#include <string.h>

#include <rte_eal.h>

#include "releases.h"
#include "standin.h"
#include "violations.h"

#define PORTS 3
#define DEPTH 8

static struct {
	struct doca_dev *dev;
	struct rte_mempool *mbufs;
	struct doca_flow_port *port[PORTS];
	struct doca_dev_rep *rep[PORTS];
	int completions;
} rig;

/* OK ends a step at the first error. */
#define OK(call)                      \
	do {                              \
		doca_error_t ok_err = (call); \
		if (ok_err != DOCA_SUCCESS)   \
			return ok_err;            \
	} while (0)

static void count(struct doca_flow_pipe_entry *e, uint16_t queue, enum doca_flow_entry_status status,
	enum doca_flow_entry_op op, void *ctx)
{
	(void)e, (void)queue, (void)op, (void)ctx;
	rig.completions += status == DOCA_FLOW_ENTRY_STATUS_SUCCESS;
}

static doca_error_t dpdk(const char *devargs, bool start)
{
	struct doca_devinfo **list;
	uint32_t n;
	OK(doca_devinfo_create_list(&list, &n));
	doca_error_t err = doca_dev_open(list[0], &rig.dev);
	doca_devinfo_destroy_list(list);
	OK(err);
	OK(doca_dpdk_port_probe(rig.dev, devargs));
	rig.mbufs = rte_pktmbuf_pool_create("rig", 64, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	for (uint16_t p = 0; start && p < PORTS; p++) {
		struct rte_eth_conf conf = {0};
		if (rte_eth_dev_configure(p, 1, 1, &conf) || rte_eth_rx_queue_setup(p, 0, 64, 0, NULL, rig.mbufs) ||
		    rte_eth_tx_queue_setup(p, 0, 64, 0, NULL) || rte_eth_dev_start(p))
			return DOCA_ERROR_DRIVER;
	}
	return DOCA_SUCCESS;
}

static doca_error_t library(const char *mode, uint32_t counters)
{
	struct doca_flow_cfg *cfg;
	OK(doca_flow_cfg_create(&cfg));
	doca_flow_cfg_set_pipe_queues(cfg, 1);
	doca_flow_cfg_set_mode_args(cfg, mode);
	doca_flow_cfg_set_nr_counters(cfg, counters);
	doca_flow_cfg_set_queue_depth(cfg, DEPTH);
	doca_flow_cfg_set_cb_entry_process(cfg, count);
	doca_error_t err = doca_flow_init(cfg);
	doca_flow_cfg_destroy(cfg);
	return err;
}

enum { WRONG_DEVICE = 1, WRONG_MEMORY = 2, NO_MEMORY = 4, NO_REPRESENTOR = 8 };

static doca_error_t port(uint16_t p, int wrong)
{
	struct doca_flow_port_cfg *cfg;
	OK(doca_flow_port_cfg_create(&cfg));
	doca_error_t err = port_identity(cfg, p);
	if ((p == 0) != !!(wrong & WRONG_DEVICE))
		doca_flow_port_cfg_set_dev(cfg, rig.dev);
	if (err == DOCA_SUCCESS && !(wrong & NO_MEMORY))
		err = port_memory(cfg, 64);
#if RELEASE >= 210
	if (err == DOCA_SUCCESS && wrong & WRONG_MEMORY)
		err = doca_flow_port_cfg_set_actions_mem_size(cfg, 5000);
#endif
	if (HANDLES && err == DOCA_SUCCESS && p > 0 && !(wrong & NO_REPRESENTOR)) {
		char device[DOCA_DEVINFO_IFACE_NAME_SIZE];
		if ((err = representor_of(p, rig.dev, &rig.rep[p], device, sizeof device)) == DOCA_SUCCESS)
			err = port_representor(cfg, rig.rep[p]);
	}
	if (err == DOCA_SUCCESS)
		err = doca_flow_port_start(cfg, &rig.port[p]);
	doca_flow_port_cfg_destroy(cfg);
	return err;
}

#define DEVARGS "dv_flow_en=2,representor=vf0-1"
#undef MODE
#define MODE "switch,hws"

static doca_error_t up(void)
{
	OK(dpdk(DEVARGS, true));
	OK(library(MODE, 16));
	for (uint16_t p = 0; p < PORTS; p++)
		OK(port(p, 0));
	return DOCA_SUCCESS;
}

static void down(void)
{
	for (int p = PORTS; p-- > 0;) {
		if (rig.port[p])
			doca_flow_port_stop(rig.port[p]);
		representor_close(rig.rep[p]);
	}
	doca_flow_destroy();
	for (uint16_t p = PORTS; p-- > 0;)
		rte_eth_dev_stop(p), rte_eth_dev_close(p);
	if (rig.mbufs)
		rte_mempool_free(rig.mbufs);
	if (rig.dev)
		doca_dev_close(rig.dev);
}

static const struct doca_flow_fwd drop = {.type = DOCA_FLOW_FWD_DROP},
	any_port = {.type = DOCA_FLOW_FWD_PORT, .port_id = 0xffff},
				  to_1 = {.type = DOCA_FLOW_FWD_PORT, .port_id = 1}, to_9 = {.type = DOCA_FLOW_FWD_PORT, .port_id = 9};
static const struct doca_flow_monitor counted = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED};

/* pipe_of makes a pipe over the source port of UDP packets, under a mask if there is one. */
static doca_error_t pipe_of(struct doca_flow_pipe **pipe, bool root, const struct doca_flow_monitor *monitor,
	const struct doca_flow_fwd *fwd, const struct doca_flow_fwd *miss, uint16_t mask)
{
	struct doca_flow_pipe_cfg *cfg;
	struct doca_flow_match m = {.outer = {.l4_type_ext = DOCA_FLOW_L4_TYPE_EXT_UDP}}, bits = m;
	m.outer.udp.l4_port.src_port = 0xffff;
	bits.outer.udp.l4_port.src_port = mask;
	OK(doca_flow_pipe_cfg_create(&cfg, rig.port[0]));
	doca_flow_pipe_cfg_set_name(cfg, "pipe");
	doca_flow_pipe_cfg_set_type(cfg, DOCA_FLOW_PIPE_BASIC);
	doca_flow_pipe_cfg_set_is_root(cfg, root);
	doca_flow_pipe_cfg_set_nr_entries(cfg, 16);
	doca_flow_pipe_cfg_set_match(cfg, &m, &bits);
	if (monitor)
		doca_flow_pipe_cfg_set_monitor(cfg, monitor);
	doca_error_t err = doca_flow_pipe_create(cfg, fwd, miss, pipe);
	doca_flow_pipe_cfg_destroy(cfg);
	return err;
}

static struct doca_flow_pipe *pipe_;
static struct doca_flow_pipe_entry *entry_;

static doca_error_t with_pipe(const struct doca_flow_monitor *monitor, const struct doca_flow_fwd *fwd, uint16_t mask)
{
	OK(up());
	return pipe_of(&pipe_, false, monitor, fwd, NULL, mask);
}

static doca_error_t add(uint16_t src_port, const struct doca_flow_monitor *monitor, const struct doca_flow_fwd *fwd,
	uint32_t flags)
{
	struct doca_flow_match m = {.outer = {.l4_type_ext = DOCA_FLOW_L4_TYPE_EXT_UDP}};
	m.outer.udp.l4_port.src_port = src_port;
	return add_entry(pipe_, &m, monitor, fwd, flags, NULL, &entry_);
}

static doca_error_t process(void) { return doca_flow_entries_process(rig.port[0], QUEUE, 0, 0); }

/* ---- The violations ---------------------------------------------------------------------------------------------- */

static doca_error_t probe_without_steering(void) { return dpdk("representor=vf0-1", false); }

static doca_error_t init_before_dpdk(void)
{
	OK(dpdk(DEVARGS, false));
	return library(MODE, 16);
}

static doca_error_t init_in_another_mode(void)
{
	OK(dpdk(DEVARGS, true));
	return library("vnf,hws", 16);
}

static doca_error_t init_twice(void)
{
	OK(up());
	return library(MODE, 16);
}

static doca_error_t eal_twice(void)
{
	char *args[] = {"rig", NULL};
	return rte_eal_init(1, args) < 0 ? DOCA_ERROR_DRIVER : DOCA_SUCCESS;
}

#if HANDLES
static doca_error_t named_twice(void)
{
	OK(dpdk(DEVARGS, false));
	OK(representor_open(rig.dev, "vf1", &rig.rep[1]));
	return probe_with(rig.dev, DEVARGS, &rig.rep[1], 1);
}

static doca_error_t representor_of_no_device(void)
{
	char device[DOCA_DEVINFO_IFACE_NAME_SIZE];
	OK(dpdk(DEVARGS, false));
	return representor_of(1, NULL, &rig.rep[1], device, sizeof device);
}
#endif

static doca_error_t representor_first(void)
{
	OK(dpdk(DEVARGS, true));
	OK(library(MODE, 16));
	return port(1, 0);
}

static doca_error_t proxy_without_device(void)
{
	OK(dpdk(DEVARGS, true));
	OK(library(MODE, 16));
	return port(0, WRONG_DEVICE);
}

static doca_error_t proxy_stops_first(void)
{
	OK(up());
	OK(doca_flow_port_stop(rig.port[0]));
	rig.port[0] = NULL;
	return DOCA_ERROR_IN_USE; /* the call says nothing */
}

#if RELEASE >= 210
static doca_error_t port_without_memory(void)
{
	OK(dpdk(DEVARGS, true));
	OK(library(MODE, 16));
	return port(0, NO_MEMORY);
}

static doca_error_t port_with_odd_memory(void)
{
	OK(dpdk(DEVARGS, true));
	OK(library(MODE, 16));
	return port(0, WRONG_MEMORY);
}
#endif

#if RELEASE >= 301
static doca_error_t port_without_representor(void)
{
	OK(dpdk(DEVARGS, true));
	OK(library(MODE, 16));
	OK(port(0, 0));
	return port(1, NO_REPRESENTOR);
}
#endif

static doca_error_t second_root(void)
{
	OK(up());
	OK(pipe_of(&pipe_, true, NULL, &to_1, NULL, 0xffff));
	return pipe_of(&pipe_, true, NULL, &to_1, NULL, 0xffff);
}

static doca_error_t root_that_counts(void)
{
	OK(up());
	return pipe_of(&pipe_, true, &counted, &to_1, NULL, 0xffff);
}

static doca_error_t miss_to_a_port(void)
{
	OK(up());
	return pipe_of(&pipe_, false, NULL, &to_1, &to_1, 0xffff);
}

static doca_error_t forward_to_no_port(void)
{
	OK(up());
	return pipe_of(&pipe_, false, NULL, &to_9, &drop, 0xffff);
}

static doca_error_t forward_of_a_fixed_pipe(void)
{
	OK(with_pipe(NULL, &to_1, 0xffff));
	return add(1, NULL, &to_1, NOW);
}

static doca_error_t no_forward_in_an_open_pipe(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	return add(1, NULL, NULL, NOW);
}

static doca_error_t counter_of_a_pipe_without(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	return add(1, &counted, &to_1, NOW);
}

static doca_error_t query_without_counter(void)
{
	struct si_count c;
	OK(with_pipe(NULL, &any_port, 0xffff));
	OK(add(1, NULL, &to_1, NOW));
	OK(process());
	return query_entry(entry_, &c);
}

static doca_error_t another_protocol(void)
{
	struct doca_flow_match m = {.outer = {.l4_type_ext = DOCA_FLOW_L4_TYPE_EXT_TCP}};
	OK(with_pipe(NULL, &any_port, 0xffff));
	return add_entry(pipe_, &m, NULL, &to_1, NOW, NULL, &entry_);
}

static doca_error_t two_entries_with_one_key(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	OK(add(1, NULL, &to_1, LATER));
	OK(add(1, NULL, &to_1, NOW));
	OK(process());
	return rig.completions == 1 ? DOCA_ERROR_ALREADY_EXIST : DOCA_SUCCESS;
}

/* The mask leaves the source port out, so that entries with two of them are the same. */
static doca_error_t two_entries_under_a_mask(void)
{
	OK(with_pipe(NULL, &any_port, 0));
	OK(add(1, NULL, &to_1, LATER));
	OK(add(2, NULL, &to_1, NOW));
	OK(process());
	return rig.completions == 1 ? DOCA_ERROR_ALREADY_EXIST : DOCA_SUCCESS;
}

static doca_error_t queue_too_deep(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	for (uint16_t k = 0; k < DEPTH; k++)
		OK(add(k, NULL, &to_1, NOW));
	return add(DEPTH, NULL, &to_1, NOW);
}

static doca_error_t flags_of_no_release(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	return add(1, NULL, &to_1, RELEASE >= 303 ? 0 : 2);
}

static void *add_elsewhere(void *err)
{
	*(doca_error_t *)err = add(2, NULL, &to_1, NOW);
	return NULL;
}

static doca_error_t two_threads_on_a_queue(void)
{
	pthread_t other;
	doca_error_t err = DOCA_SUCCESS;
	OK(with_pipe(NULL, &any_port, 0xffff));
	OK(add(1, NULL, &to_1, NOW));
	if (pthread_create(&other, NULL, add_elsewhere, &err) != 0)
		return DOCA_SUCCESS;
	pthread_join(other, NULL);
	return err;
}

static doca_error_t removed_twice(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	OK(add(1, NULL, &to_1, NOW));
	OK(process());
	OK(remove_entry(NOW, entry_));
	return remove_entry(NOW, entry_);
}

static doca_error_t removed_before_it_is_there(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	OK(add(1, NULL, &to_1, NOW));
	return remove_entry(NOW, entry_);
}

/* ---- What is no violation, but a limit or a delay ---------------------------------------------------------------- */

static doca_error_t batch_without_end(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	OK(add(1, NULL, &to_1, LATER));
	OK(process());
	return rig.completions == 0 ? DOCA_ERROR_AGAIN : DOCA_SUCCESS;
}

static doca_error_t more_counters_than_asked_for(void)
{
	OK(dpdk(DEVARGS, true));
	OK(library(MODE, 1));
	for (uint16_t p = 0; p < PORTS; p++)
		OK(port(p, 0));
	OK(pipe_of(&pipe_, false, &counted, &any_port, NULL, 0xffff));
	OK(add(1, &counted, &to_1, LATER));
	return add(2, &counted, &to_1, NOW);
}

static doca_error_t more_entries_than_asked_for(void)
{
	OK(with_pipe(NULL, &any_port, 0xffff));
	for (uint16_t k = 0; k < 16; k++) {
		OK(add(k, NULL, &to_1, NOW));
		OK(process());
	}
	return add(16, NULL, &to_1, NOW);
}

static const struct violation violations[] = {
#define V(f, said) {#f, said, f}
	V(probe_without_steering, "dv_flow_en=2"),
	V(init_before_dpdk, "before DPDK port"),
	V(init_in_another_mode, "want switch,hws"),
	V(init_twice, "doca_flow_init twice"),
	V(eal_twice, "rte_eal_init twice"),
	V(representor_first, "before the proxy port"),
	V(proxy_without_device, "without a device"),
	V(proxy_stops_first, "the proxy port stopped before port"),
#if RELEASE >= 210
	V(port_without_memory, "without action memory"),
	V(port_with_odd_memory, "not a power of two"),
#endif
#if HANDLES
	V(named_twice, "by handle and by name"),
	V(representor_of_no_device, "of no device"),
	V(port_without_representor, "without a representor's handle"),
#endif
	V(second_root, "second root"),
	V(root_that_counts, "root pipe that counts"),
	V(miss_to_a_port, "invalid fwd_miss type"),
	V(forward_to_no_port, "not started"),
	V(forward_of_a_fixed_pipe, "fixed by the pipe"),
	V(no_forward_in_an_open_pipe, "wanted for each entry"),
	V(counter_of_a_pipe_without, "does not count"),
	V(query_without_counter, "without a counter"),
	V(another_protocol, "another protocol"),
	V(two_entries_with_one_key, "two entries with one key"),
	V(two_entries_under_a_mask, "two entries with one key"),
	V(queue_too_deep, "more than 8 operations"),
	V(flags_of_no_release, "flags"),
	V(two_threads_on_a_queue, "two threads"),
	V(removed_twice, "not in force"),
	V(removed_before_it_is_there, "not in force"),
	V(batch_without_end, ""),
	V(more_counters_than_asked_for, ""),
	V(more_entries_than_asked_for, ""),
#undef V
};

const struct violation *violation(uint32_t k)
{
	return k < sizeof violations / sizeof *violations ? &violations[k] : NULL;
}

int violate(const struct violation *v)
{
	static const char *const devices[] = {"vf0", "vf1"};
	memset(&rig, 0, sizeof rig);
	standin_representors(devices, sizeof devices / sizeof *devices);
	int err = v->commit();
	down();
	return err;
}
