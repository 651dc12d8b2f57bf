//go:build doca

/*
 * Start and stop: DPDK, the library, the ports, and the tree of pipes.
 */
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "state.h"

/* start_dpdk starts DPDK once in a process. DPDK is never ended, since it could not be started again. */
static int start_dpdk(void)
{
	/* the address of no device, so that DPDK probes none by itself */
	static char given[512], text[512], *args[64] = {"smartinco", "-a", "pci:00:00.0"};
	static bool runs;
	int n = 3;
	if (runs)
		return strcmp(given, shim.cfg.eal) == 0 ? SI_OK
			: si_fail("DPDK runs in this process with other arguments: %s", given);
	if (strlen(shim.cfg.eal) >= sizeof text)
		return si_fail("%zu bytes of arguments for DPDK: want less than %zu", strlen(shim.cfg.eal), sizeof text);
	strcpy(given, shim.cfg.eal);
	strcpy(text, given);
	for (char *at, *word = strtok_r(text, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
		if (n == sizeof args / sizeof *args - 1)
			return si_fail("more than %d arguments for DPDK", n - 3);
		args[n++] = word;
	}
	args[n] = NULL;
	if (rte_eal_init(n, args) < 0)
		return si_fail("rte_eal_init: %s", rte_strerror(rte_errno));
	runs = true;
	return SI_OK;
}

static int open_device(void)
{
	struct doca_devinfo **list;
	uint32_t n;
	TRY(doca_devinfo_create_list(&list, &n));
	doca_error_t err = DOCA_ERROR_NOT_FOUND;
	for (uint32_t k = 0; k < n && err == DOCA_ERROR_NOT_FOUND; k++) {
		uint8_t is = 0;
		if (doca_devinfo_is_equal_pci_addr(list[k], shim.cfg.pci, &is) == DOCA_SUCCESS && is)
			err = doca_dev_open(list[k], &shim.dev);
	}
	doca_devinfo_destroy_list(list);
	if (err != DOCA_SUCCESS)
		return si_fail("device %s of %u: %s", shim.cfg.pci, n, doca_error_get_descr(err));
	return SI_OK;
}

/* device_of is the network device that port p of DPDK should be; empty if there is none. */
static const char *device_of(uint16_t p)
{
	static char name[DOCA_DEVINFO_IFACE_NAME_SIZE];
	const char *at = shim.cfg.devices;
	while (--p > 0) {
		at += strcspn(at, " ");
		at += strspn(at, " ");
	}
	snprintf(name, sizeof name, "%.*s", (int)strcspn(at, " "), at);
	return name;
}

/* probe_names says whether the arguments of the testbed name the representors. */
static bool probe_names(void) { return strstr(shim.cfg.probe, "representor=") != NULL; }

/*
 * probe makes the device and its representors ports of DPDK: by the representors' handles if the release has them,
 * unless the arguments name them.
 */
static int probe(void)
{
	const char *given = *shim.cfg.probe ? shim.cfg.probe : PROBE;
	bool named = probe_names();
	if (HANDLES && !named) {
		uint16_t n = 0;
		for (const char *device; *(device = device_of(n + 1)); n++) {
			if (n + 1 == RTE_MAX_ETHPORTS)
				return si_fail("more than %d representors", n);
			doca_error_t err = representor_open(shim.dev, device, &shim.rep[n + 1]);
			if (err != DOCA_SUCCESS)
				return si_fail("representor %s of %s: %s", device, shim.cfg.pci, doca_error_get_descr(err));
		}
		TRY(probe_with(shim.dev, given, &shim.rep[1], n));
		return SI_OK;
	}
	char devargs[512];
	int length = snprintf(devargs, sizeof devargs, named ? "%s" : "%s,representor=%s", given, shim.cfg.representors);
	if (length >= (int)sizeof devargs)
		return si_fail("%d bytes of device arguments: want less than %zu", length, sizeof devargs);
	TRY(doca_dpdk_port_probe(shim.dev, devargs));
	return SI_OK;
}

/* check_representor checks that port p is the expected network device, and gets its handle. */
static int check_representor(uint16_t p)
{
	struct doca_dev_rep *rep = NULL;
	char device[DOCA_DEVINFO_IFACE_NAME_SIZE] = "";
	if (!HANDLES)
		return SI_OK;
	doca_error_t err = representor_of(p, shim.dev, &rep, device, sizeof device);
	if (shim.rep[p])
		representor_close(rep);
	else
		shim.rep[p] = rep;
	if (err != DOCA_SUCCESS)
		return si_fail("the representor of DPDK port %u: %s", p, doca_error_get_descr(err));
	if (strcmp(device, device_of(p)) != 0)
		return si_fail("DPDK port %u is %s, and %s was named in its place", p, device, device_of(p));
	return SI_OK;
}

/* check_ports checks that there are as many ports as are named, and that each is the expected one. */
static int check_ports(void)
{
	uint16_t named = 1; /* the uplink */
	while (*device_of(named))
		named++;
	if (shim.ports != named)
		return si_fail("the card shows %u ports for %s %s, and %u are named", shim.ports,
			       probe_names() ? "probe" : HANDLES ? "ports" : "representors",
			       probe_names() ? shim.cfg.probe : HANDLES ? shim.cfg.devices : shim.cfg.representors, named);
	for (uint16_t p = 1; p < shim.ports; p++)
		if (check_representor(p) != SI_OK)
			return SI_FAILED;
	return SI_OK;
}

static int start_ports(void)
{
	uint16_t p;
	shim.mbufs = rte_pktmbuf_pool_create("smartinco", 4096, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, -1);
	if (shim.mbufs == NULL)
		return si_fail("memory for packets: %s; are there huge pages?", rte_strerror(rte_errno));
	RTE_ETH_FOREACH_DEV(p) {
		struct rte_eth_conf conf = {0};
		unsigned socket = (unsigned)rte_eth_dev_socket_id(p);
		int err = rte_eth_dev_configure(p, 1, 1, &conf);
		if (err == 0)
			err = rte_eth_rx_queue_setup(p, 0, 256, socket, NULL, shim.mbufs);
		if (err == 0)
			err = rte_eth_tx_queue_setup(p, 0, 256, socket, NULL);
		if (err == 0)
			err = isolate(p);
		if (err == 0)
			err = rte_eth_dev_start(p);
		if (err != 0)
			return si_fail("DPDK port %u: %s", p, rte_strerror(-err));
		if (p != shim.ports)
			return si_fail("DPDK numbered its ports with gaps: %u where %u was expected", p, shim.ports);
		shim.ports++;
	}
	struct rte_eth_dev_info info;
	if (shim.ports == 0 || rte_eth_dev_info_get(0, &info) != 0 || *info.dev_flags & RTE_ETH_DEV_REPRESENTOR)
		return si_fail("DPDK port 0 of %u is not the uplink of %s", shim.ports, shim.cfg.pci);
	return check_ports();
}

static int start_flow(void)
{
	struct doca_flow_cfg *cfg;
	TRY(doca_flow_cfg_create(&cfg));
	uint32_t counters = shim.cfg.rules * TUPLE_PIPES + RTE_MAX_ETHPORTS;
	doca_error_t err = doca_flow_cfg_set_pipe_queues(cfg, 1);
	if (err == DOCA_SUCCESS)
		err = default_rss(cfg);
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_mode_args(cfg, *shim.cfg.mode ? shim.cfg.mode : MODE);
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_nr_counters(cfg, counters + counters / 10);
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_queue_depth(cfg, shim.cfg.queue_depth);
	if (err == DOCA_SUCCESS)
		err = doca_flow_cfg_set_cb_entry_process(cfg, si_completed);
	if (err == DOCA_SUCCESS)
		err = doca_flow_init(cfg);
	doca_flow_cfg_destroy(cfg);
	if (err != DOCA_SUCCESS)
		return si_refused("doca_flow_init", err);
	shim.flow = true;
	return SI_OK;
}

static doca_error_t describe_port(struct doca_flow_port_cfg *cfg, uint16_t p)
{
	doca_error_t err = port_identity(cfg, p);
	if (err == DOCA_SUCCESS)
		err = port_memory(cfg, p == 0 ? shim.cfg.rules * TUPLE_PIPES : 1);
	if (err == DOCA_SUCCESS && p == 0)
		err = doca_flow_port_cfg_set_dev(cfg, shim.dev);
	if (err == DOCA_SUCCESS && p > 0)
		err = port_representor(cfg, shim.rep[p]);
	return err;
}

static int start_flow_ports(void)
{
	for (uint16_t p = 0; p < shim.ports; p++) { /* the proxy first */
		struct doca_flow_port_cfg *cfg;
		TRY(doca_flow_port_cfg_create(&cfg));
		doca_error_t err = describe_port(cfg, p);
		if (err == DOCA_SUCCESS)
			err = doca_flow_port_start(cfg, &shim.port[p]);
		doca_flow_port_cfg_destroy(cfg);
		if (err != DOCA_SUCCESS)
			return si_fail("start of port %u: %s", p, doca_error_get_descr(err));
	}
	shim.proxy = doca_flow_port_switch_get(shim.port[0]);
	return SI_OK;
}

/* pipe makes a pipe whose entries differ in match under mask. */
static int pipe_with(const char *name, bool root, uint32_t entries, const struct doca_flow_match *match,
		     const struct doca_flow_match *mask, const struct doca_flow_monitor *monitor,
		     const struct doca_flow_fwd *fwd, const struct doca_flow_fwd *miss, struct doca_flow_pipe **pipe)
{
	struct doca_flow_pipe_cfg *cfg;
	TRY(doca_flow_pipe_cfg_create(&cfg, shim.proxy));
	doca_error_t err = doca_flow_pipe_cfg_set_name(cfg, name);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_type(cfg, DOCA_FLOW_PIPE_BASIC);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_is_root(cfg, root);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_nr_entries(cfg, entries);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_cfg_set_match(cfg, match, mask);
	if (err == DOCA_SUCCESS && monitor)
		err = doca_flow_pipe_cfg_set_monitor(cfg, monitor);
	if (err == DOCA_SUCCESS)
		err = doca_flow_pipe_create(cfg, fwd, miss, pipe);
	doca_flow_pipe_cfg_destroy(cfg);
	return err == DOCA_SUCCESS ? SI_OK
		: si_fail("pipe %s: %s (%s)", name, doca_error_get_descr(err), doca_error_get_name(err));
}

/* fixed_entry adds an entry of our own and waits for it. */
static int fixed_entry(const char *what, struct doca_flow_pipe *pipe, const struct doca_flow_match *m,
		       const struct doca_flow_fwd *fwd)
{
	struct doca_flow_pipe_entry *entry;
	TRY(add_entry(pipe, m, NULL, fwd, NOW, NULL, &entry));
	shim.fixed++;
	return si_settle(what);
}

/*
 * build makes the tree from its leaves up:
 *
 *	root       from the uplink?         else -> egress
 *	  dispatch TCP or UDP, IPv4 or 6?   else -> others
 *	    flows  a pipe for each of the four: five-tuple -> port, counted   else -> kernel
 *	egress     from which port?  -> its way out, counted                  else -> kernel
 *	kernel     the netdev of the port where the packet came in
 */
static int build(void)
{
	const struct doca_flow_match nothing = {0};
	const struct doca_flow_monitor counted = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED};
	/* each entry says when it ages */
	const struct doca_flow_monitor counted_aged = {.counter_type = DOCA_FLOW_RESOURCE_TYPE_NON_SHARED,
		.aging_sec = UINT32_MAX};
	struct doca_flow_match m, mask;
	struct doca_flow_target *target;
	TRY(doca_flow_get_target(DOCA_FLOW_TARGET_KERNEL, &target));
	struct doca_flow_fwd up = {.type = DOCA_FLOW_FWD_TARGET, .target = target};
	if (pipe_with("kernel", false, 1, &nothing, NULL, NULL, &up, NULL, &shim.kernel) != SI_OK ||
	    fixed_entry("pipe kernel", shim.kernel, &nothing, NULL) != SI_OK)
		return SI_FAILED;
	struct doca_flow_fwd kernel = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = shim.kernel};
	struct doca_flow_fwd drop = {.type = DOCA_FLOW_FWD_DROP};
	struct doca_flow_fwd any_port = {.type = DOCA_FLOW_FWD_PORT, .port_id = 0xffff};

	for (int k = 0; k < TUPLE_PIPES; k++) {
		const struct shape *shape = &shapes[k];
		memset(&m, 0, sizeof m);
		memset(&mask, 0, sizeof mask);
		m.outer.l3_type = mask.outer.l3_type = shape->v6 ? DOCA_FLOW_L3_TYPE_IP6 : DOCA_FLOW_L3_TYPE_IP4;
		m.outer.l4_type_ext = mask.outer.l4_type_ext = shape->tcp ? DOCA_FLOW_L4_TYPE_EXT_TCP
			: DOCA_FLOW_L4_TYPE_EXT_UDP;
		m.parser_meta.outer_l3_type = shape->v6 ? DOCA_FLOW_L3_META_IPV6 : DOCA_FLOW_L3_META_IPV4;
		m.parser_meta.outer_l4_type = shape->tcp ? DOCA_FLOW_L4_META_TCP : DOCA_FLOW_L4_META_UDP;
		memset(&mask.parser_meta.outer_l3_type, 0xff, sizeof mask.parser_meta.outer_l3_type);
		memset(&mask.parser_meta.outer_l4_type, 0xff, sizeof mask.parser_meta.outer_l4_type);
		if (shape->v6) {
			memset(m.outer.ip6.src_ip, 0xff, 16), memset(mask.outer.ip6.src_ip, 0xff, 16);
			memset(m.outer.ip6.dst_ip, 0xff, 16), memset(mask.outer.ip6.dst_ip, 0xff, 16);
		} else {
			m.outer.ip4.src_ip = mask.outer.ip4.src_ip = UINT32_MAX;
			m.outer.ip4.dst_ip = mask.outer.ip4.dst_ip = UINT32_MAX;
		}
		if (shape->tcp) {
			m.outer.tcp.l4_port.src_port = mask.outer.tcp.l4_port.src_port = UINT16_MAX;
			m.outer.tcp.l4_port.dst_port = mask.outer.tcp.l4_port.dst_port = UINT16_MAX;
		} else {
			m.outer.udp.l4_port.src_port = mask.outer.udp.l4_port.src_port = UINT16_MAX;
			m.outer.udp.l4_port.dst_port = mask.outer.udp.l4_port.dst_port = UINT16_MAX;
		}
		if (pipe_with(shape->name, false, shim.cfg.rules, &m, &mask, &counted_aged, &any_port, &kernel,
			&shim.flows[k]) != SI_OK)
			return SI_FAILED;
	}

	struct doca_flow_fwd any_pipe = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = NULL};
	memset(&m, 0, sizeof m);
	memset(&m.parser_meta.outer_l3_type, 0xff, sizeof m.parser_meta.outer_l3_type);
	memset(&m.parser_meta.outer_l4_type, 0xff, sizeof m.parser_meta.outer_l4_type);
	if (pipe_with("dispatch", false, TUPLE_PIPES, &m, &m, NULL, &any_pipe,
		      shim.cfg.others == SI_OTHERS_DROP ? &drop : &kernel, &shim.dispatch) != SI_OK)
		return SI_FAILED;
	for (int k = 0; k < TUPLE_PIPES; k++) {
		struct doca_flow_fwd to = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = shim.flows[k]};
		memset(&m, 0, sizeof m);
		m.parser_meta.outer_l3_type = shapes[k].v6 ? DOCA_FLOW_L3_META_IPV6 : DOCA_FLOW_L3_META_IPV4;
		m.parser_meta.outer_l4_type = shapes[k].tcp ? DOCA_FLOW_L4_META_TCP : DOCA_FLOW_L4_META_UDP;
		if (fixed_entry("pipe dispatch", shim.dispatch, &m, &to) != SI_OK)
			return SI_FAILED;
	}

	memset(&m, 0, sizeof m);
	memset(&m.MATCH_PORT, 0xff, sizeof m.MATCH_PORT);
	if (pipe_with("egress", false, RTE_MAX_ETHPORTS, &m, &m, &counted, &any_port, &kernel, &shim.egress) != SI_OK)
		return SI_FAILED;
	struct doca_flow_fwd inbound = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = shim.dispatch};
	struct doca_flow_fwd outbound = {.type = DOCA_FLOW_FWD_PIPE, .next_pipe = shim.egress};
	if (pipe_with("root", true, 1, &m, &m, NULL, &inbound, &outbound, &shim.root) != SI_OK)
		return SI_FAILED;
	memset(&m, 0, sizeof m); /* port 0, the uplink */
	return fixed_entry("pipe root", shim.root, &m, NULL);
}

int si_open(const struct si_config *cfg)
{
	if (shim.rule)
		return si_fail("it is open already");
	memset(&shim, 0, sizeof shim);
	shim.cfg = *cfg;
	if (shim.cfg.in_place && !CAN_UPDATE)
		return si_fail("DOCA %s cannot change an entry in place, as far as is known", si_release());
	shim.free = shim.again = NONE;
	shim.rules = cfg->rules * TUPLE_PIPES;
	shim.room = 2 * cfg->queue_depth;
	shim.rule = calloc(shim.rules, sizeof *shim.rule);
	shim.done = calloc(shim.room, sizeof *shim.done);
	if (shim.rule == NULL || shim.done == NULL) {
		si_close();
		return si_fail("no memory for %u rules", shim.rules);
	}
	for (uint32_t id = shim.rules; id-- > 0; shim.free = id)
		shim.rule[id].next = shim.free;
	if (start_dpdk() != SI_OK || open_device() != SI_OK || probe() != SI_OK || start_ports() != SI_OK ||
		start_flow() != SI_OK ||
	    start_flow_ports() != SI_OK || build() != SI_OK) {
		si_close();
		return SI_FAILED;
	}
	return SI_OK;
}

/* si_close takes everything down in the opposite order, except DPDK itself. */
int si_close(void)
{
	struct doca_flow_pipe *pipes[] = {shim.root, shim.egress, shim.dispatch, shim.flows[0], shim.flows[1],
		shim.flows[2], shim.flows[3], shim.kernel};
	for (unsigned k = 0; k < sizeof pipes / sizeof *pipes; k++)
		if (pipes[k])
			doca_flow_pipe_destroy(pipes[k]);
	for (int p = RTE_MAX_ETHPORTS; p-- > 0;) {
		if (shim.port[p])
			doca_flow_port_stop(shim.port[p]);
		representor_close(shim.rep[p]);
	}
	if (shim.flow)
		doca_flow_destroy();
	for (uint16_t p = shim.ports; p-- > 0;) {
		rte_eth_dev_stop(p);
		rte_eth_dev_close(p);
	}
	if (shim.mbufs)
		rte_mempool_free(shim.mbufs);
	if (shim.dev)
		doca_dev_close(shim.dev);
	free(shim.rule);
	free(shim.done);
	memset(&shim, 0, sizeof shim);
	return SI_OK;
}
