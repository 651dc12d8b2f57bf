package doca

import (
	"time"

	"github.com/smartinco/smartinco/hw"
)

// Capabilities are those of a driver with this configuration, in which nothing is left open.
func (c Config) Capabilities() hw.Capabilities {
	name := "DOCA Flow"
	if c.MoveInPlace {
		name += ", entries changed in place,"
	}
	return hw.Capabilities{
		Name: name, MaxRules: c.Rules, CounterLag: c.CounterLag, IdleResolution: time.Second,
		MoveIsAtomic: c.MoveInPlace, PacketInQueue: c.PacketInQueue,
		Counting: "each rule; an instance's is the sum", SlowPath: "packet sockets on uplink and representors",
	}
}
