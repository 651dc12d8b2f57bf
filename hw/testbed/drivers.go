package testbed

import (
	"fmt"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/doca"
	"github.com/smartinco/smartinco/hw/standins/simswitch"
)

// SwitchDriver is a driver of switches, with what it can do by default.
type SwitchDriver struct {
	Key          string          `json:"driver"` // in a testbed's file; simulated is for tests alone
	Capabilities hw.Capabilities `json:"capabilities"`
}

// SwitchDrivers returns all drivers of switches.
func SwitchDrivers() []SwitchDriver {
	file := func(sw string) *File {
		f, err := Parse("least", []byte("name: t\nswitch: {"+sw+"}\ncontainers: {docker: {image: i, ports: [{in: "+
			"a}]}}\ngenerator: {trex: {}}\n"), ".")
		if err != nil {
			panic(err)
		}
		return f
	}
	d := file("doca: {pci: a, representors: vf0, uplink: p0, ports: [b]}").Switch.DOCA
	return []SwitchDriver{
		{"simulated", simswitch.Config{}.Capabilities()},
		{"ovs", ovsConfig(file(`ovs: {address: "unix:/a", uplink: p0}`)).Capabilities()},
		{"doca", doca.Config{Rules: d.Rules, CounterLag: duration(d.CounterLag), MoveInPlace: d.MoveInPlace,
			PacketInQueue: d.PacketInQueue}.Capabilities()},
		{"tc", tcConfig(file("tc: {uplink: p0}")).Capabilities()},
	}
}

// properties are the rows of a table of drivers.
var properties = []struct {
	name string
	of   func(*hw.Capabilities) string
}{
	{"rules", func(c *hw.Capabilities) string {
		if c.MaxRules == 0 {
			return "known when one is refused"
		}
		return fmt.Sprintf("%d", c.MaxRules)
	}},
	{"counters", func(c *hw.Capabilities) string { return c.Counting }},
	{"a counter's age", func(c *hw.Capabilities) string { return upTo(c.CounterLag, "none", "") }},
	{"packets follow a rule", func(c *hw.Capabilities) string {
		return upTo(c.RuleLag, "once it is confirmed",
			" later")
	}},
	{"during a move", func(c *hw.Capabilities) string {
		if c.MoveIsAtomic {
			return "no packet is missed"
		}
		return "packets come up"
	}},
	{"idle rules", func(c *hw.Capabilities) string {
		if c.IdleResolution == 0 {
			return "stay"
		}
		return fmt.Sprintf("end, to %v", c.IdleResolution)
	}},
	{"rules a second", func(c *hw.Capabilities) string {
		if c.InstallRate == 0 {
			return "not measured"
		}
		return fmt.Sprintf("%.0f", c.InstallRate)
	}},
	{"a port that is taken away", func(c *hw.Capabilities) string {
		if c.PortEvents {
			return "is reported"
		}
		return "is not noticed"
	}},
	{"slow path", func(c *hw.Capabilities) string { return c.SlowPath }},
	{"first packets that wait", func(c *hw.Capabilities) string { return fmt.Sprint(c.PacketInQueue) }},
}

func upTo(d time.Duration, none, more string) string {
	if d == 0 {
		return none
	}
	return "up to " + d.String() + more
}

// SwitchTable compares drivers: a row of their names, and a row for each property.
func SwitchTable(drivers []SwitchDriver) [][]string {
	table := [][]string{{""}}
	for _, d := range drivers {
		table[0] = append(table[0], d.Key)
	}
	for _, p := range properties {
		row := []string{p.name}
		for i := range drivers {
			row = append(row, p.of(&drivers[i].Capabilities))
		}
		table = append(table, row)
	}
	return table
}
