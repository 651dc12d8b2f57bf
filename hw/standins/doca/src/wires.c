/*
 * Wires: the card's ports as network devices, so that it forwards real frames by its rules.
 *
 * One thread receives frames at all ports, asks packet(), and sends them on. A port's device may come and go, as an
 * instance's does with its container; the kernel notifies the thread.
 */

#define BATCH 64
#define FRAME 2048
#define KERNEL MAX_PORTS /* the wire to the kernel, beside those of the ports */
#define WIRES (MAX_PORTS + 1)

static struct {
	struct wire {
		char name[IF_NAMESIZE];
		int fd; /* 0 while the device is not there */
		unsigned index;
	} wire[WIRES];
	uint32_t ports;
	int epoll, links, stop;
	pthread_t thread;
	bool runs;
	struct standin_traffic counted;
	struct mmsghdr in[BATCH], out[BATCH];
	struct iovec in_at[BATCH], out_at[BATCH];
	uint8_t frame[BATCH][FRAME], to[BATCH];
} wires;

#define COUNT(what, n) __atomic_fetch_add(&wires.counted.what, n, __ATOMIC_RELAXED)

static void watch(int fd, uint32_t what)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = what};
	epoll_ctl(wires.epoll, EPOLL_CTL_ADD, fd, &e);
}

/* plug opens the packet socket of a device that has come. */
static void plug(uint32_t w, unsigned index)
{
	struct wire *wire = &wires.wire[w];
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, room = 8 << 20;
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_ifindex = (int)index,
		.sll_protocol = w == KERNEL ? 0 : htons(ETH_P_ALL)};
	if (fd < 0)
		return;
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) != 0 ||
		bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
		close(fd);
		return;
	}
	wire->fd = fd, wire->index = index;
	if (w != KERNEL)
		watch(fd, w);
}

static void unplug(uint32_t w)
{
	if (wires.wire[w].fd > 0)
		close(wires.wire[w].fd);
	wires.wire[w].fd = 0, wires.wire[w].index = 0;
}

/* look finds the devices that exist now. */
static void look(void)
{
	for (uint32_t w = 0; w < WIRES; w++) {
		if (wires.wire[w].name[0] == 0)
			continue;
		unsigned index = if_nametoindex(wires.wire[w].name);
		if (index == wires.wire[w].index)
			continue;
		unplug(w);
		if (index != 0)
			plug(w, index);
	}
}

/* send_to sends those of n frames that leave by a wire. */
static void send_to(uint32_t w, uint32_t n)
{
	uint32_t m = 0;
	for (uint32_t k = 0; k < n; k++)
		if (wires.to[k] == w)
			wires.out_at[m++] = (struct iovec){wires.frame[k], wires.in[k].msg_len};
	for (uint32_t at = 0; at < m;) {
		int sent = wires.wire[w].fd > 0 ? sendmmsg(wires.wire[w].fd, wires.out + at, m - at, MSG_DONTWAIT) : -1;
		if (sent > 0)
			COUNT(sent, (uint64_t)sent);
		else
			COUNT(unsent, 1);
		at += sent > 0 ? (uint32_t)sent : 1;
	}
}

/* forward handles the frames that have come in at a port, up to a batch. */
static void forward(uint32_t w)
{
	bool any[WIRES] = {false};
	/* a device that has gone causes an error, which needs no handling */
	int n = recvmmsg(wires.wire[w].fd, wires.in, BATCH, MSG_DONTWAIT, NULL);
	for (int k = 0; k < n; k++) {
		struct standin_verdict v = standin_packet((uint16_t)w, wires.frame[k], wires.in[k].msg_len);
		bool whole = !(wires.in[k].msg_hdr.msg_flags & MSG_TRUNC), up = v.kind == STANDIN_KERNEL && w == 0;
		if (whole && (up || v.kind == STANDIN_PORT))
			any[wires.to[k] = up ? KERNEL : (uint8_t)v.port] = true;
		else
			/* nowhere: the kernel has already seen a frame that comes in at an instance's port */
			wires.to[k] = WIRES;
		COUNT(received, 1);
		COUNT(left, v.kind != STANDIN_PORT);
	}
	for (uint32_t to = 0; to < WIRES; to++)
		if (any[to])
			send_to(to, (uint32_t)n);
}

static void *carry(void *unused)
{
	/*
	 * If it woke for each frame, it would take time from the senders. So it wakes at a limited rate, like a card's
	 * interrupts.
	 */
	const struct timespec rest = {.tv_nsec = 200000};
	struct epoll_event events[WIRES];
	(void)unused;
	for (;;) {
		int n = epoll_wait(wires.epoll, events, WIRES, -1);
		bool changed = false;
		for (int k = 0; k < n; k++) {
			uint32_t w = events[k].data.u32;
			char text[8192];
			if (w < WIRES && wires.wire[w].fd > 0)
				forward(w);
			else if (w == WIRES)
				while (recv(wires.links, text, sizeof text, MSG_DONTWAIT) > 0 || errno == ENOBUFS)
					changed = true;
			else if (w > WIRES)
				return NULL;
		}
		if (changed)
			look();
		nanosleep(&rest, NULL);
	}
}

static const char *trouble(const char *what)
{
	static char text[128];
	snprintf(text, sizeof text, "%s: %s", what, strerror(errno));
	standin_unwire();
	return text;
}

const char *standin_wire(const char *const *devices, uint32_t ports, const char *kernel)
{
	struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	struct sched_param first = {.sched_priority = 1};
	if (wires.runs)
		return "there are wires already";
	memset(&wires, 0, sizeof wires);
	if (ports == 0 || ports > MAX_PORTS)
		return "as many devices are wanted as the card has ports";
	wires.ports = ports;
	for (uint32_t p = 0; p < ports; p++)
		snprintf(wires.wire[p].name, sizeof wires.wire[p].name, "%s", devices[p]);
	snprintf(wires.wire[KERNEL].name, sizeof wires.wire[KERNEL].name, "%s", kernel);
	for (int k = 0; k < BATCH; k++) {
		wires.in_at[k] = (struct iovec){wires.frame[k], FRAME};
		wires.in[k].msg_hdr = (struct msghdr){.msg_iov = &wires.in_at[k], .msg_iovlen = 1};
		wires.out[k].msg_hdr = (struct msghdr){.msg_iov = &wires.out_at[k], .msg_iovlen = 1};
	}
	wires.epoll = epoll_create1(EPOLL_CLOEXEC);
	wires.stop = eventfd(0, EFD_CLOEXEC);
	wires.links = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (wires.epoll < 0 || wires.stop < 0 || wires.links < 0)
		return trouble("epoll, eventfd or netlink");
	if (bind(wires.links, (struct sockaddr *)&links, sizeof links) != 0)
		return trouble("news of devices");
	watch(wires.links, WIRES);
	watch(wires.stop, WIRES + 1);
	look();
	if (wires.wire[0].fd == 0 || wires.wire[KERNEL].fd == 0)
		return trouble(wires.wire[wires.wire[0].fd == 0 ? 0 : KERNEL].name);
	if ((errno = pthread_create(&wires.thread, NULL, carry, NULL)) != 0)
		return trouble("pthread_create");
	wires.runs = true;
	/*
	 * A card's eSwitch takes no processor time from others, and waits for none. This thread comes as close to that as
	 * the machine allows.
	 */
	if (card.cores > 0)
		pthread_setaffinity_np(wires.thread, sizeof card.core, &card.core);
	pthread_setschedparam(wires.thread, SCHED_FIFO, &first);
	return NULL;
}

void standin_unwire(void)
{
	uint64_t one = 1;
	if (wires.runs && write(wires.stop, &one, sizeof one) == sizeof one)
		pthread_join(wires.thread, NULL);
	for (uint32_t w = 0; w < WIRES; w++)
		unplug(w);
	for (int *fd = (int[]){wires.epoll, wires.stop, wires.links, 0}; *fd > 0; fd++)
		close(*fd);
	wires.epoll = wires.stop = wires.links = 0, wires.runs = false;
}

struct standin_traffic standin_carried(void)
{
	struct standin_traffic t = {0};
#define READ(what) t.what = __atomic_load_n(&wires.counted.what, __ATOMIC_RELAXED)
	READ(received), READ(left), READ(sent), READ(unsent);
#undef READ
	return t;
}
