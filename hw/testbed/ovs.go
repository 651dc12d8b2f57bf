package testbed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs"
)

// ovsSwitch is an Open vSwitch that removes all of our rules when it is closed.
type ovsSwitch struct {
	*ovs.Driver
	cfg ovs.Config
}

func openOVS(ctx context.Context, f *File) (hw.Switch, error) {
	cfg := ovsConfig(f)
	d, err := ovs.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return ovsSwitch{d, cfg}, nil
}

func ovsConfig(f *File) ovs.Config {
	o := f.Switch.OVS
	return ovs.Config{Address: o.Address, Uplink: o.Uplink, Sink: o.Sink, Owner: uint8(o.Owner), Table: uint8(o.Table),
		InstanceTable: uint8(o.InstanceTable), Priority: uint16(o.Priority), Adopt: true,
		CounterLag: duration(o.CounterLag),
		MaxRules:   o.Rules, PacketInQueue: o.PacketInQueue}
}

// Close implements hw.Switch.
func (s ovsSwitch) Close() error {
	err := s.Driver.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return errors.Join(err, ovs.RemoveAll(ctx, s.cfg.Address, s.cfg.Owner))
}

func checkOVS(f *File) []check {
	o := f.Switch.OVS
	sink := o.Sink
	if sink == "" {
		sink = o.Uplink
	}
	return []check{{
		what: fmt.Sprintf("Open vSwitch at %s, uplink %s, sink %s", o.Address, o.Uplink, sink),
		mend: "is Open vSwitch running (systemctl status openvswitch-switch), is this the socket of the bridge (ls " +
			"/var/run/openvswitch/*.mgmt), may this user open it, are these ports on the bridge (ovs-vsctl " +
			"list-ports BRIDGE), and does it speak OpenFlow 1.3 (ovs-vsctl add bridge BRIDGE protocols OpenFlow13)?",
		do: func(ctx context.Context) (string, error) {
			n, err := ovs.Probe(ctx, ovsConfig(f))
			if err != nil {
				return "", err
			}
			said := "OpenFlow 1.3"
			if n > 0 {
				said += fmt.Sprintf("; %d rules of a run under way or an earlier one, which the next run or "+
					"smartinco hw clean removes", n)
			}
			return said, nil
		},
	}}
}
