package lab

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/smartinco/smartinco/hw/ovs/vswitch"
)

// Switches are the names of the switches that a lab can have.
func Switches() []string { return slices.Sorted(maps.Keys(switches)) }

// switchKind is a kind of switch.
type switchKind struct {
	missing  func() string // what the machine lacks for it
	maxPorts int
	links    []link
	up       func(*Config, context.Context) error
	testbed  func(*Config) string // its part of the testbed's file
	bridge   func(*Config) string // its part of the pool's veth in that file
}

// link is a pair of devices.
type link struct{ far, port string }

// The first two links are those of the generator.
var (
	ovsLinks  = []link{{"gen0", "uplink"}, {"gen1", "sink"}}
	docaLinks = []link{{"gen0", wire}, {"gen1", "sink"}, {"kernel", "uplink"}}
)

var switches = map[string]switchKind{
	"ovs": {
		missing: vswitch.Missing, maxPorts: maxPorts, links: ovsLinks,
		up: (*Config).upOVS, testbed: (*Config).ovsTestbed,
		bridge: func(c *Config) string {
			return fmt.Sprintf(`, bridge: %s, database: "unix:%s/db.sock"`, bridge, c.path("ovs"))
		},
	},
	// The stand-in for DOCA Flow is in the program that runs, so there is nothing to start.
	"doca": {
		missing: func() string { return "" }, maxPorts: docaPorts, links: docaLinks,
		up: func(*Config, context.Context) error { return nil }, testbed: (*Config).docaTestbed,
		bridge: func(*Config) string { return "" },
	},
}

const (
	bridge   = "br0"
	maxPorts = 1000

	wire      = "wire" // where the traffic comes in; with DOCA Flow, uplink is the kernel's view of that port
	docaPorts = 31     // of instances; each takes two of DPDK's 64

	// How often the switch brings its datapath's counts to the rules, and so how old their counters may be. The switch
	// takes the smaller of max-revalidator, which cannot be below 100 ms, and max-idle. A side effect: a flow without
	// packets for so long leaves the datapath's cache, and its next packet has to be looked up in the rules.
	maxIdle   = 20 * time.Millisecond
	staleness = 50 * time.Millisecond
)

func (c *Config) upOVS(ctx context.Context) error {
	return c.onRest(func() error {
		s, err := vswitch.Start(ctx, c.path("ovs"), c.namespace())
		if err != nil {
			return err
		}
		b := vswitch.Bridge{Name: bridge, Datapath: "netdev"}
		for _, l := range ovsLinks {
			b.Ports = append(b.Ports, vswitch.BridgePort{Name: l.port})
		}
		if err := s.Database().Ensure(ctx, b); err != nil {
			return err
		}
		for _, name := range []string{"ovsdb-server.pid", "ovs-vswitchd.pid"} {
			pid, err := pidOf(filepath.Join(c.path("ovs"), name))
			if err != nil {
				return err
			}
			if err := c.prefer(pid); err != nil {
				return err
			}
		}
		_, err = s.Database().Vsctl(ctx, "set", "Open_vSwitch", ".",
			fmt.Sprintf("other_config:max-idle=%d", maxIdle.Milliseconds()))
		return err
	})
}

func (c *Config) downOVS() error {
	s, err := vswitch.At(c.path("ovs"), c.namespace())
	if err != nil {
		return err
	}
	return s.Stop()
}

func (c *Config) ovsTestbed() string {
	return fmt.Sprintf(`  ovs:
    address: unix:%s/%s.mgmt
    uplink: uplink
    sink: sink
    counter_lag: %dms
`, c.path("ovs"), bridge, staleness.Milliseconds())
}

func (c *Config) docaTestbed() string {
	ports := []string{"sink"}
	for i := 1; i <= c.Ports; i++ {
		ports = append(ports, fmt.Sprint("i", i), fmt.Sprint("o", i))
	}
	eal := ""
	if c.Rest != "" {
		eal = "\n    eal: -l " + c.Rest
	}
	return fmt.Sprintf(`  doca:
    pci: "0000:03:00.0" # of a card that is not there
    representors: "vf[0-%d]"%s
    uplink: uplink
    sink: sink
    ports: [%s]
    counter_lag: %dms
    stand_in: {netns: %s, wire: %s}
`, len(ports)-1, eal, strings.Join(ports, ", "), staleness.Milliseconds(), c.namespace(), wire)
}

// switchIn returns the switch that the devices of a lab were made for; empty if there are none.
func switchIn(h *netlink.Handle) string {
	for name, k := range switches {
		l, err := h.LinkByName(k.links[0].port)
		if err != nil {
			continue
		}
		if far, err := h.LinkByIndex(l.Attrs().ParentIndex); err == nil && far.Attrs().Name == k.links[0].far {
			return name
		}
	}
	return ""
}

// switchStatus looks at the switch. The stand-in for DOCA Flow is up only during a run; otherwise only its devices
// exist.
func (c *Config) switchStatus(ctx context.Context) Part {
	if h, err := c.links(); err == nil {
		there := switchIn(h)
		h.Close()
		if there == "doca" {
			return Part{Name: "switch", Up: true, Detail: "the stand-in for DOCA Flow in the program that runs, from " +
				"device " + wire}
		}
	}
	p := Part{Name: "switch", Detail: c.path("ovs")}
	if s, err := vswitch.At(c.path("ovs"), c.namespace()); err == nil && s.Running() {
		ports, err := s.Database().Vsctl(ctx, "list-ports", bridge)
		p.Up, p.Detail = err == nil, fmt.Sprintf("bridge %s with ports %s", bridge,
			strings.Join(strings.Fields(ports), " "))
		if err != nil {
			p.Detail = err.Error()
		}
	}
	return p
}
