// Package tc drives the eSwitch of any network card that the kernel runs in switchdev mode - a BlueField, a ConnectX,
// cards of other makers - by tc flower filters over netlink. It needs no SDK, and neither Open vSwitch nor the tc
// command.
//
// # Rules
//
// A flow's rule is a filter on the uplink's ingress that matches the five-tuple and redirects to the representor of the
// instance's port. An instance's output is a filter on its own representor that redirects everything to the sink. A
// packet that matches no filter goes the way that the card gives to misses: to the uplink's network device, where the
// driver reads it from a packet socket and reports a packet-in. What the orchestrator forwards goes out of the
// representor, and so into the instance.
//
// Filters go to the card alone (skip_sw), so that one which the card refuses is an error, and its flow stays on the
// slow path, rather than a silent detour through the ARM cores. Config.Software allows the kernel to do what no card
// does; then the driver leaves out of what it reads the packets that have a rule, since a packet socket sees them
// before tc does.
//
// # Identity
//
// IPv4 and IPv6 have a pref (priority) each, Config.Pref and the one above, since the kernel wants it so. A filter's
// handle is the number of its flow plus 1, or the instance's. The action's cookie, 12 bytes that the kernel keeps and
// does not look at, says that the filter is ours and holds what the filter does not say: which instance, and the idle
// time. So an adopting driver finds all that it must know in the kernel. Open refuses a pref at which somebody else has
// filters on the uplink, and no filter without our cookie is changed or removed. The queueing discipline that filters
// hang on, clsact, is made where a device has neither it nor ingress, and stays: whoever removed it would remove the
// filters of others with it.
//
// # Counters
//
// The kernel shows an action's packets and bytes, of hardware and software together. It has the card's from the card's
// driver, which reads them on its own schedule (mlx5: once a second). An instance's counter is the sum of what its
// rules counted while they led to it. All rules of the uplink are read for it in one go, in the kernel's brief form.
//
// # A move
//
// It replaces the filter. The kernel puts the new one into tables and card before it takes the old one away, so no
// packet is missed meanwhile. The new filter begins to count at zero. The driver has the kernel show the old one in the
// same datagram, right before, and carries on from there; what is lost is what the old filter counts in between,
// microseconds, and what the card had not yet told its driver. The same holds for a removal, where the kernel shows the
// filter as it removes it.
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
