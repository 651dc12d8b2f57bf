package testbed

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

var update = flag.Bool("update", false, "write docs/testbed.md")

const reference = "../../docs/testbed.md"

func TestReferenceIsUpToDate(t *testing.T) {
	if *update {
		if err := os.WriteFile(reference, Reference(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, Reference()) {
		t.Errorf("%s is not what the tags say: go test ./hw/testbed -update", reference)
	}
}

func TestTheReferencesExampleIsATestbed(t *testing.T) {
	_, rest, _ := strings.Cut(referenceHead, "```yaml\n")
	text, _, _ := strings.Cut(rest, "```")
	f, err := Parse("example.yaml", []byte(text), ".")
	if err != nil {
		t.Fatal(err)
	}
	ports := f.Containers.Docker.Ports
	if f.Switch.OVS.CounterLag != 2*units.Second || len(ports) != 2 || ports[1].Device != "ens1f0v1" ||
		f.Generator.TRex.User != "smartinco" {
		t.Errorf("read as %+v", f)
	}
}

// The card's package has a testbed, with DOCA Flow's in a comment.
func TestTheCardsFileIsATestbed(t *testing.T) {
	const path = "../bluefield/testbed.yaml"
	if _, err := Load(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(b), "  ovs:\n")
	_, rest, _ = strings.Cut(rest, "stopped:\n")
	comment, rest, _ := strings.Cut(rest, "containers:")
	f, err := Parse(path, []byte(before+strings.ReplaceAll(comment, "  # ", "  ")+"containers:"+rest), ".")
	if err != nil {
		t.Fatal(err)
	}
	if d := f.Switch.DOCA; d == nil || len(d.Ports) != 8 || d.Representors != "vf[0-7]" {
		t.Errorf("read as %+v", f.Switch.DOCA)
	}
}

// least is the smallest testbed.
const least = `name: t
switch: {ovs: {address: "unix:/x", uplink: p0}}
containers: {docker: {image: i, ports: [{in: a}]}}
generator: {trex: {}}
`

func TestMistakesAreNamedWithTheirPlace(t *testing.T) {
	if _, err := Parse("t.yaml", []byte(least), "."); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ replace, by, want string }{
		{"name: t\n", "", "t.yaml:1:1: name: found nothing, expected a text"},
		{"name: t", "name: a b", `t.yaml:1:7: name: found "a b", expected 1 to 40 letters`},
		{`ovs: {address: "unix:/x", uplink: p0}`,
			`doca: {pci: "0000:03:00.0", representors: vf0, uplink: p0, ports: []}`,
			"switch.doca.ports: found a list, expected at least one port"},
		{"uplink", "uplnk", "did you mean uplink?"},
		{`ovs: {address: "unix:/x", uplink: p0}`, "tc: {uplink: p0, pref: 65535}",
			`switch.tc.pref: found "65535", expected`},
		{`ovs: {address: "unix:/x", uplink: p0}`, "tc: {uplink: p0, counter_lag: 0s}",
			`switch.tc.counter_lag: found "0s", expected a time above 0`},
		{`ovs: {address: "unix:/x", uplink: p0}`,
			"tc: {uplink: p0}, doca: {pci: a, representors: b, uplink: p0, ports: [c]}",
			"switch: found a mapping, expected exactly one driver: ovs, doca, tc"},
		{"unix:/x", "/x", `switch.ovs.address: found "/x", expected unix:PATH or tcp:HOST:PORT`},
		{"{trex: {}}", "{}", "generator: found a mapping, expected exactly one driver: trex"},
		{"ovs: {", "dpdk: {", "switch.dpdk: found an unknown key, expected one of ovs"},
		{"[{in: a}]", "[]", "containers.docker.ports: found a list, expected at least one port"},
		{"[{in: a}]", "[{in: a, out: b}, {in: b}]",
			`containers.docker.ports.1.in: found "b", expected a port that no other instance has`},
		{"{image: i", "{image: i, host: \"http://x\"", `containers.docker.host: found "http://x"`},
		{"{image: i", "{image: i, tls: {ca: a, cert: b, key: c}",
			"containers.docker.tls: found a mapping, expected a host at tcp:// with this key"},
		{"{image: i", "{image: i, capabilities: [NET_RAW, ALL]",
			`containers.docker.capabilities.1: found "ALL", expected one that an instance needs`},
		{"{image: i", "{image: i, capabilities: [cap_all]",
			`containers.docker.capabilities.0: found "cap_all", expected one`},
		{"{image: i", "{image: i, host: \"tcp://user:secret@h:1\"",
			`t.yaml: containers.docker.host: found a user or password, expected tcp://HOST:PORT`},
		{"{image: i", "{image: i, veth: {netns: n}",
			`containers.docker.veth.bridge: found no such key, expected a bridge with Open vSwitch`},
		{"name: t", "name: t\nscale: {rate: 0}", `t.yaml:2:15: scale.rate: found "0", expected a number above 0`},
		{"uplink: p0", "uplink: p0, counter_lag: 5",
			"switch.ovs.counter_lag: found \"5\", expected a time such as 10s"},
	} {
		_, err := Parse("t.yaml", []byte(strings.Replace(least, c.replace, c.by, 1)), ".")
		if !errors.Is(err, strictyaml.ErrInvalid) || !strings.Contains(err.Error(), c.want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s for %s:\n got %v\nwant %s", c.by, c.replace, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(least))
	f.Fuzz(func(t *testing.T, data []byte) {
		tb, err := Parse("f.yaml", data, ".")
		if err != nil && !errors.Is(err, strictyaml.ErrInvalid) {
			t.Fatalf("an error that is not ErrInvalid: %v", err)
		}
		if err == nil && (tb.Switch == (Switch{}) || tb.Containers.Docker == nil || tb.Generator.TRex == nil) {
			t.Fatal("a driver is missing")
		}
	})
}
