package tc

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
)

// Probed is what Probe has found.
type Probed struct {
	InHardware bool // the card took the filter
	Leftovers  int  // filters of a run under way or an earlier one
}

// Probe adds a rule for an address that nobody has (RFC 5737), as a run would, and removes it. The error has the
// kernel's words. The queueing discipline for the rule stays: see the package's documentation.
func Probe(cfg Config) (p Probed, err error) {
	cfg.defaults()
	d := &Driver{cfg: cfg}
	defer d.release()
	found, foreign, err := d.connect()
	if err != nil {
		return p, fmt.Errorf("tc: %w", err)
	}
	if foreign > 0 {
		return p, fmt.Errorf("tc: %w", d.othersFilters(foreign))
	}
	p.Leftovers = len(found)
	nobody := netip.MustParseAddr("192.0.2.1")
	f := d.filterOf(&rule{Rule: hw.Rule{Flow: math.MaxInt32 - 1,
		Tuple: flow.FiveTuple{Src: nobody, Dst: nobody, SrcPort: 9, DstPort: 9, Proto: flow.UDP}}})
	if _, err := d.conn.one(f.add()); err != nil {
		return p, fmt.Errorf("tc: a rule on %s: %w", cfg.Uplink, err)
	}
	seen, err := d.conn.one(f.show())
	if _, e := d.conn.one(f.remove()); err != nil || e != nil {
		return p, fmt.Errorf("tc: a rule on %s: %w", cfg.Uplink, errors.Join(err, e))
	}
	p.InHardware = seen.inHW
	return p, nil
}

// EswitchMode is the mode in which the eSwitch of a device's card is: switchdev, or legacy.
func EswitchMode(device string) (string, error) {
	card, err := filepath.EvalSymlinks("/sys/class/net/" + device + "/device")
	if err != nil {
		return "", fmt.Errorf("tc: %s is no port of a card: %w", device, err)
	}
	d, err := netlink.DevLinkGetDeviceByName("pci", filepath.Base(card))
	if err != nil {
		return "", fmt.Errorf("tc: devlink pci/%s: %w", filepath.Base(card), err)
	}
	return d.Attrs.Eswitch.Mode, nil
}

// The constants of linux/ethtool_netlink.h.
const (
	ethtoolFeaturesGet    = 11
	ethtoolHeader         = 1
	ethtoolHeaderName     = 2
	ethtoolFeaturesActive = 4
	ethtoolBits           = 3
	ethtoolBitName        = 2
)

// Offloads says whether a device hands filters to its card: the feature hw-tc-offload of ethtool.
func Offloads(device string) (bool, error) { return featureOn(device, "hw-tc-offload") }

func featureOn(device, name string) (bool, error) {
	family, err := netlink.GenlFamilyGet("ethtool")
	if err != nil {
		return false, fmt.Errorf("tc: ethtool's netlink interface, of Linux 5.6 and later: %w", err)
	}
	m := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_ACK)
	m.AddData(&nl.Genlmsg{Command: ethtoolFeaturesGet, Version: 1})
	header := nl.NewRtAttr(ethtoolHeader|unix.NLA_F_NESTED, nil)
	header.AddRtAttr(ethtoolHeaderName, nl.ZeroTerminated(device))
	m.AddData(header)
	answers, err := m.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil {
		return false, fmt.Errorf("tc: features of %s: %w", device, err)
	}
	for _, b := range answers {
		if activeFeature(b, name) {
			return true, nil
		}
	}
	return false, nil
}

// activeFeature looks for a feature among those that an answer to ETHTOOL_MSG_FEATURES_GET says to be on.
func activeFeature(b []byte, name string) bool {
	for t, features := range attributes(b[min(nl.SizeofGenlmsg, len(b)):]) {
		if t != ethtoolFeaturesActive {
			continue
		}
		for t, bits := range attributes(features) {
			if t != ethtoolBits {
				continue
			}
			for _, bit := range attributes(bits) {
				for t, v := range attributes(bit) {
					if t == ethtoolBitName && unix.ByteSliceToString(v) == name {
						return true // in a set without a mask, those that are on are listed
					}
				}
			}
		}
	}
	return false
}
