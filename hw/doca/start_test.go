//go:build doca && standin

package doca

import (
	"strings"
	"testing"
)

// What the device is probed with, and the library's mode, are those of NVIDIA's samples of each release, or what the
// testbed says instead.
func TestProbeAndModeAreThoseOfTheRelease(t *testing.T) {
	for _, of := range []struct {
		until       int
		probe, mode string
	}{
		{300, "dv_flow_en=2,fdb_def_rule_en=0,vport_match=1,repr_matching_en=0,dv_xmeta_en=4,representor=vf0-6",
			"switch,hws,isolated,hairpinq_num=4"},
		{302, "dv_flow_en=2,fdb_def_rule_en=0,vport_match=1,repr_matching_en=0,dv_xmeta_en=4",
			"switch,hws,isolated,hairpinq_num=4"},
		{303, "dv_flow_en=2,fdb_def_rule_en=0,dv_xmeta_en=4", "switch,hws,hairpinq_num=4"},
	} {
		if release() > of.until {
			continue
		}
		opened := func(what, probe, asMode string, change func(*Config)) {
			b := newBench(t)
			change(&b.cfg)
			open(t, b.cfg).Close()
			if got := probedWith(); got != probe {
				t.Errorf("%s: probed with %s, want %s", what, got, probe)
			}
			if got := mode(); got != asMode {
				t.Errorf("%s: mode %s, want %s", what, got, asMode)
			}
		}
		opened("by itself", of.probe, of.mode, func(*Config) {})
		own := "dv_flow_en=2"
		if release() < 301 {
			own += ",representor=vf0-6"
		}
		opened("with arguments of its own", own, "switch,hws", func(c *Config) {
			c.Probe, c.Mode = "dv_flow_en=2", "switch,hws"
		})
		named := "dv_flow_en=2,representor=(pf0)vf[0-6]"
		opened("with representors named there", named, of.mode, func(c *Config) { c.Probe = named })
		break
	}
}

// From 3.1 on the card says which network device a port of DPDK is. One that is not where it was taken to be would be
// given another's packets.
func TestRepresentorsAreThoseThatWereNamed(t *testing.T) {
	if release() < 301 {
		t.Skip("does not apply: the release cannot tell")
	}
	t.Cleanup(func() { withRepresentors() })
	for _, c := range []struct {
		card        []string
		probe, says string
	}{
		{[]string{"vf1", "vf0", "pf0hpf", "vf2", "vf3", "vf4", "vf5", "vf6"}, "", ""}, // found by name
		// the last has none, and is listed first
		{[]string{"vf0", "vf1", "vf2", "vf3", "vf4", "vf5", "vf6", ""}, "", ""},
		{[]string{"vf0", "vf1", "vf2", "vf3", "vf4", "vf5"}, "", "representor vf6 of 03:00.0: "},
		{[]string{"vf1", "vf0", "vf2", "vf3", "vf4", "vf5", "vf6"}, "dv_flow_en=2,representor=vf[0-6]",
			"DPDK port 1 is vf1, and vf0 was named in its place"},
		{[]string{"vf0", "vf1", "vf2", "vf3", "vf4", "vf5", "vf6", "vf7"}, "dv_flow_en=2,representor=vf[0-7]",
			"the card shows 9 ports for probe dv_flow_en=2,representor=vf[0-7], and 8 are named"},
	} {
		b := newBench(t)
		withRepresentors(c.card...)
		b.cfg.Probe = c.probe
		s, err := Open(b.cfg)
		if err == nil {
			s.Close()
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("card %v, probe %q: %v, want %q", c.card, c.probe, err, c.says)
		}
	}
}

// Before 3.1 nothing but their number tells ports that are not those that were named.
func TestAsManyPortsAsAreNamed(t *testing.T) {
	b := newBench(t)
	b.cfg.Representors = "vf0-4"
	for _, probe := range []string{"", "dv_flow_en=2,representor=vf0-4"} {
		says := "the card shows 6 ports for representors vf0-4, and 8 are named"
		switch b.cfg.Probe = probe; {
		case probe != "":
			says = "the card shows 6 ports for probe " + probe + ", and 8 are named"
		case release() >= 301: // found by name, and as many as are named
			continue
		}
		s, err := Open(b.cfg)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("probe %q: %v, want an error that says %q", probe, err, says)
		}
	}
}

// That entries are changed in place is told where the switch's name is, in every record.
func TestMovesInPlaceAreTold(t *testing.T) {
	if name := (Config{MoveInPlace: true}).Capabilities().Name; !strings.Contains(name, "in place") {
		t.Errorf("name %q", name)
	}
}
