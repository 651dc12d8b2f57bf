package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/tc"
)

// tcSwitch is an eSwitch that removes all of our rules when it is closed.
type tcSwitch struct {
	*tc.Driver
	cfg tc.Config
}

func openTC(_ context.Context, f *File) (hw.Switch, error) {
	cfg := tcConfig(f)
	d, err := tc.Open(cfg)
	if err != nil {
		return nil, err
	}
	return tcSwitch{d, cfg}, nil
}

func tcConfig(f *File) tc.Config {
	t := f.Switch.TC
	return tc.Config{Uplink: t.Uplink, Sink: t.Sink, Pref: uint16(t.Pref), Software: t.Software, Adopt: true,
		Rules: t.Rules, CounterLag: duration(t.CounterLag), PacketInQueue: t.PacketInQueue}
}

// Close implements hw.Switch.
func (s tcSwitch) Close() error { return errors.Join(s.Driver.Close(), tc.RemoveAll(s.cfg)) }

func checkTC(f *File) []check {
	t := f.Switch.TC
	devices := []string{t.Uplink}
	if t.Sink != "" && t.Sink != t.Uplink {
		devices = append(devices, t.Sink)
	}
	if d := f.Containers.Docker; d != nil && d.Veth == nil {
		for _, p := range d.Ports {
			for _, name := range []string{p.In, p.Out} {
				if name != "" && !slices.Contains(devices, name) {
					devices = append(devices, name)
				}
			}
		}
	}
	checks := []check{{
		what: "network devices " + strings.Join(devices, ", "),
		mend: "virtual functions are made on the host (echo 8 > /sys/class/net/NAME/device/sriov_numvfs); ip -br " +
			"link lists their representors, and ip link set NAME up turns one on",
		do: func(context.Context) (string, error) { return "up", errors.Join(each(devices, isUp)...) },
	}, {
		what: "nobody else programs the eSwitch",
		mend: "take the ports off the bridge, or stop what owns it (systemctl stop openvswitch-switch): both put " +
			"rules into the same table",
		do: func(context.Context) (string, error) {
			return "none of these devices is a bridge's", errors.Join(each(devices, hasNoMaster)...)
		},
	}}
	if !t.Software {
		checks = append(checks, check{
			what: "eSwitch of " + t.Uplink + " in switchdev mode",
			mend: "devlink dev eswitch set pci/ADDRESS mode switchdev, on the side that owns the eSwitch (of a " +
				"BlueField in DPU mode, the ARM side)",
			do: func(context.Context) (string, error) {
				mode, err := tc.EswitchMode(t.Uplink)
				if err == nil && mode != "switchdev" {
					err = fmt.Errorf("it is in mode %q", mode)
				}
				return mode, err
			},
		}, check{
			what: "hw-tc-offload of " + t.Uplink,
			mend: "ethtool -K " + t.Uplink + " hw-tc-offload on, and the same for each representor",
			do: func(context.Context) (string, error) {
				on, err := tc.Offloads(t.Uplink)
				if err == nil && !on {
					err = errors.New("it is off")
				}
				return "on", err
			},
		})
	}
	return append(checks, check{
		what: fmt.Sprintf("a flower rule on %s, pref %d", t.Uplink, t.Pref),
		mend: "does the kernel have CONFIG_NET_CLS_FLOWER, CONFIG_NET_ACT_MIRRED and CONFIG_NET_SCH_INGRESS " +
			"(modprobe cls_flower), is this user root, and does the card take this pref? Where there is no card, " +
			"software: true has the kernel forward",
		do: func(context.Context) (string, error) {
			p, err := tc.Probe(tcConfig(f))
			if err != nil {
				return "", err
			}
			said := "in software"
			if p.InHardware {
				said = "in hardware"
			}
			if p.Leftovers > 0 {
				said += fmt.Sprintf("; %d rules of an earlier run, which the next run or smartinco hw clean removes",
					p.Leftovers)
			}
			return said, nil
		},
	})
}

// each lists what a check says of each device.
func each(devices []string, check func(string) error) (errs []error) {
	for _, name := range devices {
		errs = append(errs, check(name))
	}
	return errs
}

func isUp(device string) error {
	i, err := net.InterfaceByName(device)
	if err != nil {
		return fmt.Errorf("%s: %w", device, err)
	}
	if i.Flags&net.FlagUp == 0 {
		return fmt.Errorf("%s is down", device)
	}
	return nil
}

func hasNoMaster(device string) error {
	if master, err := os.Readlink("/sys/class/net/" + device + "/master"); err == nil {
		return fmt.Errorf("%s belongs to %s", device, filepath.Base(master))
	}
	return nil
}
