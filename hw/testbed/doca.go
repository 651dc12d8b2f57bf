package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/doca"
)

func openDOCA(_ context.Context, f *File) (hw.Switch, error) {
	d := f.Switch.DOCA
	c := doca.Config{PCI: d.PCI, Representors: d.Representors, Uplink: d.Uplink, Ports: d.Ports, Sink: d.Sink,
		Probe: d.Probe, Mode: d.Mode, EAL: d.EAL, Rules: d.Rules, QueueDepth: d.QueueDepth, MoveInPlace: d.MoveInPlace,
		DropOthers: d.DropOthers,
		CounterLag: duration(d.CounterLag), PacketInQueue: d.PacketInQueue}
	if s := d.StandIn; s != nil {
		c.StandIn = &doca.StandIn{Netns: s.Netns, Wire: s.Wire}
	}
	return doca.Open(c)
}

// checkDOCA looks at the card without taking it: DPDK cannot be started twice in a process, and a run may be under way.
func checkDOCA(f *File) []check {
	d := f.Switch.DOCA
	if d.StandIn != nil {
		return checkStandIn(f)
	}
	return []check{{
		what: "this program has DOCA Flow",
		mend: "on the card, or in NVIDIA's development container: CGO_ENABLED=1 go build -tags doca ./cmd/smartinco",
		do: func(context.Context) (string, error) {
			if !doca.Built {
				return "", doca.ErrNotBuilt
			}
			if d.MoveInPlace {
				return "attention, move_in_place: public programs saw entries that can be changed once, or not " +
					"removed after it", nil
			}
			return "", nil
		},
	}, {
		what: "the physical function " + d.PCI,
		mend: "lspci -D | grep -i mellanox lists the card's functions; the address is that of the ARM side, and the " +
			"card must be in DPU mode",
		do: func(context.Context) (string, error) {
			_, err := os.Stat("/sys/bus/pci/devices/" + d.PCI)
			return "", err
		},
	}, {
		what: fmt.Sprintf("network devices %s and %s", d.Uplink, strings.Join(d.Ports, ", ")),
		mend: "virtual functions are made on the host (echo 8 > /sys/class/net/NAME/device/sriov_numvfs); ip -br " +
			"link on the ARM side lists their representors",
		do: func(context.Context) (string, error) {
			var missing []error
			for _, name := range append([]string{d.Uplink}, d.Ports...) {
				if _, err := os.Stat("/sys/class/net/" + name); err != nil {
					missing = append(missing, err)
				}
			}
			return "", errors.Join(missing...)
		},
	}, {
		what: "huge pages of 2 MiB",
		mend: "echo 1024 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
		do: func(context.Context) (string, error) {
			b, err := os.ReadFile("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
			if err != nil {
				return "", err
			}
			free := strings.TrimSpace(string(b))
			if free == "0" {
				return "", errors.New("none is free")
			}
			return free + " free", nil
		},
	}, {
		what: "nobody else programs the eSwitch",
		mend: "systemctl stop openvswitch-switch, or take the ports off its bridges: " +
			"both put rules into the same table",
		do: func(context.Context) (string, error) {
			for _, name := range append([]string{d.Uplink}, d.Ports...) {
				if master, err := os.Readlink("/sys/class/net/" + name + "/master"); err == nil {
					return "", fmt.Errorf("%s belongs to %s", name, master[strings.LastIndex(master, "/")+1:])
				}
			}
			return "", nil
		},
	}}
}

// checkStandIn opens the stand-in: there is no card that this could disturb.
func checkStandIn(f *File) []check {
	return []check{{
		what: "the stand-in for DOCA Flow, between the devices of namespace " + f.Switch.DOCA.StandIn.Netns,
		mend: "was this program built with it (make standin), and are there uplink and wire (ip -n NAMESPACE link)?",
		do: func(ctx context.Context) (string, error) {
			s, err := openDOCA(ctx, f)
			if err != nil {
				return "", err
			}
			return s.Capabilities().Name, s.Close()
		},
	}}
}
