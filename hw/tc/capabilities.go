package tc

import (
	"time"

	"github.com/smartinco/smartinco/hw"
)

// Capabilities are those of a driver with this configuration.
func (c Config) Capabilities() hw.Capabilities {
	c.defaults()
	name := "tc flower"
	if c.Software {
		name += ", in software where the card does not take it"
	}
	return hw.Capabilities{
		Name: name, MaxRules: c.Rules, CounterLag: c.CounterLag, IdleResolution: time.Second, MoveIsAtomic: true,
		PacketInQueue: c.PacketInQueue,
		PortEvents:    true, Counting: "each rule; an instance's is the sum",
		SlowPath: "packet sockets on uplink and representors",
	}
}
