// Package tc drives the eSwitch of any network card that the kernel runs in switchdev mode - a BlueField, a ConnectX,
// cards of other makers - by tc flower filters over netlink. It needs no SDK, and neither Open vSwitch nor the tc
// command.
//
// # Rules
//
// A flow's rule is a filter on the uplink's ingress that matches the five-tuple and redirects to the representor of the
// instance's port. An instance's output is a filter on its own representor that redirects everything to the sink. A
// packet that matches no filter takes the card's way for misses, to the uplink's network device, where the driver reads
// it from a packet socket and reports a packet-in. A packet that the orchestrator forwards leaves by the representor
// and so reaches the instance.
//
// Filters go to the card alone (skip_sw). So if the card refuses a filter, that is an error and the flow stays on the
// slow path, instead of taking a silent detour through the ARM cores. Config.Software allows the kernel to forward what
// the card does not. The driver then ignores packets that have a rule, since a packet socket sees packets before tc
// does.
//
// # Identity
//
// IPv4 and IPv6 have a pref (priority) each, Config.Pref and the next one, since the kernel requires it. A filter's
// handle is the number of its flow plus 1, or the instance's. The action's cookie, 12 bytes that the kernel keeps
// without reading them, marks the filter as ours and holds what the filter does not say: the instance and the idle
// time. So a driver that adopts rules finds everything in the kernel. Open refuses a pref at which somebody else has
// filters on the uplink, and no filter without our cookie is changed or removed. Filters belong to a queueing
// discipline, clsact. The driver makes it on a device that has neither it nor ingress, and leaves it there: removing it
// would remove the filters of others.
//
// # Counters
//
// The kernel shows an action's packets and bytes, hardware and software together. It gets the card's counts from the
// card's driver, which reads them on its own schedule (mlx5: once a second). An instance's counter is the sum of what
// its rules counted while they led to it. All rules of the uplink are read for it in one go, in the kernel's brief
// form.
//
// # A move
//
// A move replaces the filter. The kernel puts the new filter into its tables and the card before it removes the old
// one, so no packet is missed. The new filter counts from zero. Right before, in the same datagram, the driver has the
// kernel show the old filter, and goes on from its count. Lost are the packets that the old filter counts in the
// microseconds in between, and those that the card has not yet reported to its driver. The same holds for a removal,
// where the kernel shows the filter as it removes it.
//
// # Idle rules
//
// The kernel ends no filter for lack of packets. The driver looks once a second, and removes a rule whose counter has
// stood still for its idle time and for as long as counters may be old.
package tc

import "time"

// Config says which devices, and how they are used. Only Uplink must be given.
type Config struct {
	Uplink string // network device of the physical port, at which the traffic comes in
	Sink   string // device to which the instances' output goes; the uplink if empty
	// of the filters for IPv4; those for IPv6 have the next one; 0 means 10. Some cards take 16 at most
	Pref       uint16
	Software   bool          // lets the kernel forward what the card does not
	Adopt      bool          // take over the rules that an earlier run left; otherwise they are removed
	CounterLag time.Duration // how old counters may be; 0 means 1 s
	Rules      int           // what Capabilities reports; 0 when it is not known

	PacketInQueue int // 0 means 1024

	system system // nil for this machine's
}

func (c *Config) defaults() {
	if c.Sink == "" {
		c.Sink = c.Uplink
	}
	if c.Pref == 0 {
		c.Pref = 10
	}
	if c.CounterLag == 0 {
		c.CounterLag = time.Second
	}
	if c.PacketInQueue == 0 {
		c.PacketInQueue = 1024
	}
	if c.system == nil {
		c.system = linux{}
	}
}
