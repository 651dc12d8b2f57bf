/* Devices and DPDK: what must be done before DOCA Flow may be started. */

static const char *const error_names[] = {
	"SUCCESS", "UNKNOWN", "NOT_PERMITTED", "IN_USE", "NOT_SUPPORTED", "AGAIN", "INVALID_VALUE", "NO_MEMORY",
	"INITIALIZATION",
	"TIME_OUT", "SHUTDOWN", "BAD_STATE", "NOT_FOUND", "FULL", "DRIVER", "ALREADY_EXIST",
};

const char *doca_error_get_name(doca_error_t e) { return error_names[e]; }
const char *doca_error_get_descr(doca_error_t e) { return error_names[e]; }
const char *doca_version_runtime(void) { return "stand-in"; }

/* ---- Devices and DPDK -------------------------------------------------------------------------------------------- */

struct doca_devinfo {
	char pci[DOCA_DEVINFO_PCI_ADDR_SIZE];
};
struct doca_dev {
	int unused;
};
struct doca_devinfo_rep {
	uint32_t at; /* in card.devices */
};
struct doca_dev_rep {
	struct doca_devinfo_rep info;
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
	MAY_FAIL;
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

#if RELEASE >= 300
static struct doca_devinfo_rep the_representors[MAX_PORTS];

/* Nobody may rely on the order of the list. */
doca_error_t doca_devinfo_rep_create_list(struct doca_dev *dev, int filter, struct doca_devinfo_rep ***list,
	uint32_t *n)
{
	(void)dev;
	MAY_FAIL;
	if (filter != DOCA_DEVINFO_REP_FILTER_NET)
		return misused(DOCA_ERROR_INVALID_VALUE, "representors by filter %d", filter);
	if ((*list = make((card.devices_n + 1) * sizeof **list)) == NULL)
		return DOCA_ERROR_NO_MEMORY;
	for (*n = 0; *n < card.devices_n; ++*n) {
		uint32_t at = card.devices_n - 1 - *n;
		the_representors[at].at = at;
		(*list)[*n] = &the_representors[at];
	}
	return DOCA_SUCCESS;
}

doca_error_t doca_devinfo_rep_destroy_list(struct doca_devinfo_rep **list)
{
	unmake(list);
	return DOCA_SUCCESS;
}

doca_error_t doca_devinfo_rep_get_iface_name(const struct doca_devinfo_rep *info, char *name, uint32_t size)
{
	MAY_FAIL;
	if (size < DOCA_DEVINFO_IFACE_NAME_SIZE)
		return misused(DOCA_ERROR_INVALID_VALUE, "a name in %u bytes", size);
	if (*card.devices[info->at] == 0)
		return DOCA_ERROR_NOT_SUPPORTED; /* it has no network device */
	snprintf(name, size, "%s", card.devices[info->at]);
	return DOCA_SUCCESS;
}

static doca_error_t open_rep(uint32_t at, struct doca_dev_rep **rep)
{
	if ((*rep = make(sizeof **rep)) == NULL)
		return DOCA_ERROR_NO_MEMORY;
	(*rep)->info.at = at;
	return DOCA_SUCCESS;
}

doca_error_t doca_dev_rep_open(struct doca_devinfo_rep *info, struct doca_dev_rep **rep)
{
	MAY_FAIL;
	return open_rep(info->at, rep);
}

struct doca_devinfo_rep *doca_dev_rep_as_devinfo(struct doca_dev_rep *rep) { return &rep->info; }

doca_error_t doca_dpdk_open_dev_rep_by_port_id(uint16_t port, struct doca_dev *dev, struct doca_dev_rep **rep)
{
	MAY_FAIL;
	if (dev == NULL)
		return misused(DOCA_ERROR_INVALID_VALUE, "a representor of no device");
	if (port == 0 || port >= MAX_PORTS || !card.eth[port].probed || card.eth[port].device >= card.devices_n)
		return DOCA_ERROR_NOT_FOUND;
	return open_rep(card.eth[port].device, rep);
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
	at += strlen("representor=");
	const char *functions = strstr(at, "vf"); /* behind that of the physical function, if it is named */
	for (at = functions ? functions : at; *at;) {
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

static doca_error_t probe_args(const char *devargs)
{
	snprintf(card.probe, sizeof card.probe, "%s", devargs);
	if (strstr(devargs, "dv_flow_en=2") == NULL)
		return misused(DOCA_ERROR_NOT_SUPPORTED, "probe without dv_flow_en=2: no hardware steering");
	return DOCA_SUCCESS;
}

doca_error_t doca_dpdk_port_probe(struct doca_dev *dev, const char *devargs)
{
	(void)dev;
	MAY_FAIL;
	doca_error_t err = probe_args(devargs);
	if (err != DOCA_SUCCESS)
		return err;
	int n = representors(devargs);
	if (n < 1 || n >= MAX_PORTS)
		return DOCA_ERROR_INVALID_VALUE;
	for (int p = 0; p <= n; p++)
		card.eth[p].probed = true, card.eth[p].device = (uint32_t)p - 1;
	return DOCA_SUCCESS;
}

#if RELEASE >= 301
doca_error_t doca_dpdk_port_probe_with_representors(struct doca_dev *dev, const char *devargs,
	struct doca_dev_rep **reps, uint32_t n)
{
	(void)dev;
	MAY_FAIL;
	doca_error_t err = probe_args(devargs);
	if (err != DOCA_SUCCESS)
		return err;
	if (strstr(devargs, "representor="))
		return misused(DOCA_ERROR_INVALID_VALUE, "representors by handle and by name");
	if (n < 1 || n >= MAX_PORTS)
		return DOCA_ERROR_INVALID_VALUE;
	card.eth[0].probed = true;
	for (uint32_t k = 0; k < n; k++)
		card.eth[k + 1].probed = true, card.eth[k + 1].device = reps[k]->info.at;
	return DOCA_SUCCESS;
}
#endif

static int last_errno;
int standin_rte_errno(void) { return last_errno; }
const char *rte_strerror(int e) { return strerror(e); }

/* pin reads a list of processors, 0-2,5, and binds the calling thread to the first of them, as DPDK does. */
static bool pin(const char *list)
{
	cpu_set_t first;
	CPU_ZERO(&card.core);
	CPU_ZERO(&first);
	card.cores = 0;
	for (char *end; *list; list = *end == ',' ? end + 1 : end) {
		long low = strtol(list, &end, 10), high = *end == '-' ? strtol(end + 1, &end, 10) : low;
		if (end == list || low < 0 || high < low || high >= CPU_SETSIZE || (*end && *end != ','))
			return false;
		if (card.cores == 0)
			CPU_SET((size_t)low, &first);
		for (; low <= high; low++, card.cores++)
			CPU_SET((size_t)low, &card.core);
	}
	return card.cores > 0 && sched_setaffinity(0, sizeof first, &first) == 0;
}

int rte_eal_init(int argc, char **argv)
{
	if (planned("rte_eal_init") != DOCA_SUCCESS || argc < 1) {
		last_errno = EPERM;
		return -1;
	}
	if (card.eal) {
		misused(DOCA_ERROR_BAD_STATE, "rte_eal_init twice in a process");
		last_errno = EALREADY;
		return -1;
	}
	for (int k = 1; k + 1 < argc; k++)
		if (strcmp(argv[k], "-l") == 0 && !pin(argv[k + 1])) {
			last_errno = EINVAL;
			return -1;
		}
	card.eal = true;
	return argc;
}

struct rte_mempool {
	int unused;
};

struct rte_mempool *rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache, uint16_t priv,
	uint16_t room, int socket)
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
	if (planned(__func__) != DOCA_SUCCESS)
		return -5;
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

int rte_eth_rx_queue_setup(uint16_t p, uint16_t q, uint16_t n, unsigned socket, const struct rte_eth_rxconf *conf,
	struct rte_mempool *m)
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

int rte_eth_dev_start(uint16_t p)
{
	return port_step(__func__, card.eth[p].rx && card.eth[p].tx, &card.eth[p].running);
}

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
