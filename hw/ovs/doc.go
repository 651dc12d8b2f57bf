// Package ovs drives Open vSwitch: on any Linux machine with its userspace datapath, and on a BlueField, whose eSwitch
// is programmed through it. It speaks OpenFlow 1.3 itself, on the bridge's management socket or TCP. Package vswitch
// makes bridges and ports.
//
// # Rules
//
// A flow's rule stands in the first table, matches uplink and five-tuple, writes the instance's number into the
// metadata register and goes on to a second table. There one rule for each instance matches the register and sends the
// packet out of the instance's port. So the switch itself adds up what each instance got over all of its flows,
// including those that are long gone, and reading eight instances takes eight rules instead of ten thousand. A move
// changes the register's value: the flow's counter goes on, and the new instance is charged from then on. A rule on
// each instance's port counts what comes back from it and sends it to the sink. Four rules of low priority, for TCP and
// UDP over IPv4 and IPv6, send up packets that match no flow. All other traffic is left alone.
//
// The switch's datapath caches the outcome of both tables in one entry, so the second table costs nothing per packet.
// Its counters reach the rules when a revalidator thread looks at the cache, every half a second by default
// (max-revalidator); with hardware offload the driver of the card refreshes its own counters only once a second.
// Packets that are counted in the cache alone when a rule is moved are charged to the new instance; when it is removed,
// to nobody.
//
// # Identity
//
// The cookie says whose a rule is: 16 bits that stand for this project, 8 for the owner (two orchestrators may share a
// bridge), one bit that tells the fixed rules from the flows', and the number of the flow or instance. Others' rules
// are never changed: every deletion and change names our cookie, and Open refuses priorities at which somebody else has
// rules. Another 8 bits tell a rule from an earlier one of the same flow, because Open vSwitch may report the end of
// the earlier one after it has confirmed the later.
//
// # Confirmation and restart
//
// Every batch of requests ends with a barrier. An error names the request that it refuses and comes before the
// barrier's reply; a request without an error by then is in force. The time from the request to the barrier's reply is
// the rule's latency. A removal reads the rule's counters just before. The barrier speaks for the tables only: packets
// with an entry in the cache follow the rule once the revalidators have been through the cache (Capabilities.RuleLag).
//
// The driver keeps what was asked for. After a connection was lost, it reads what the switch holds and adds, changes
// and deletes what differs. A rule that is younger than the loss was put back by somebody after a restart of the switch
// and counts from zero, so the driver adds what the old one had counted. If the switch was not restarted and a rule
// with a timeout is gone, that rule has ended meanwhile.
package ovs

import "time"

// Config says where the switch is. Only Address and Uplink must be given.
type Config struct {
	Address       string        // unix:/var/run/openvswitch/BRIDGE.mgmt, or tcp:HOST:PORT
	Uplink        string        // port at which the traffic comes in
	Sink          string        // port to which processed packets go; the uplink if empty
	Owner         uint8         // tells the rules of several orchestrators on one bridge apart
	Table         uint8         // of the flow rules: 0, where packets begin, unless rules of others lead to another
	InstanceTable uint8         // of the instances' rules, greater than Table; 0 means 100
	Priority      uint16        // of the flow rules, at least 2; the rule for misses stands one below; 0 means 30000
	Adopt         bool          // take over the rules that an earlier run left; otherwise they are removed
	CounterLag    time.Duration // 0 means 500 ms, right for a datapath in software; 2 s with hardware offload
	MaxRules      int           // what Capabilities reports
	PacketInQueue int           // 0 means 1024
}

func (c *Config) defaults() {
	if c.Sink == "" {
		c.Sink = c.Uplink
	}
	if c.InstanceTable == 0 {
		c.InstanceTable = 100
	}
	if c.Priority == 0 {
		c.Priority = 30000
	}
	if c.CounterLag == 0 {
		c.CounterLag = revalidator
	}
	if c.PacketInQueue == 0 {
		c.PacketInQueue = 1024
	}
}
