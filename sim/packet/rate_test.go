package packet_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// A flow of rate R sends R, to the packet, in both engines and on every path, and the record says so.
func TestARateSendsThatRate(t *testing.T) {
	for _, c := range []struct {
		name, text string
		offered    float64
		says       string
	}{
		{"line rate", "duration: 3s\nnic: ideal\nvnf: {contention: {model: constant, rate: 300Mpps}}\nworkload:\n" +
			"  - cbr: {flows: 1, rate: 148.8Mpps}\n",
			446_400_000, "staircase: 1 flows of 148.8Mpps and 64B frames, from 0s, one more every 0s, until 3s"},
		{"three flows", "duration: 8s\nnic: ideal\nvnf: {contention: {model: constant, rate: 100Mpps}}\n" +
			"instances: {initial: 3, min: 1, max: 12}\nautoscaler: {target: 0.3, stabilization: 0s}\n" +
			"scheduler: {limit: 10Mpps}\nworkload:\n  - cbr: {flows: 3, rate: 3Mpps}\n",
			72_000_000, "staircase: 3 flows of 3Mpps and 64B frames, from 0s, one more every 0s, until 8s"},
		{"a flow alone", "duration: 1s\nnic: ideal\nworkload:\n  - flows: [{rate: 7Mpps}]\n",
			7_000_000, "constant: a packet of 64B every 1/7Mpps, from 0s until 1s"},
		{"a period", "duration: 1s\nnic: ideal\nworkload:\n  - flows: [{period: 80ns}]\n",
			12_500_000, "constant: a packet of 64B every 80ns, from 0s until 1s"},
		{"beyond the link", "duration: 100ms\nnic: {profile: ideal, link: 100Gbps}\nworkload:\n" +
			"  - cbr: {flows: 3, rate: 70Mpps}\n",
			21_000_000, "staircase: 3 flows of 70Mpps and 64B frames, from 0s, one more every 0s, until 100ms"},
	} {
		sc := simtest.Parse(t, "name: x\n"+c.text)
		engines := map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New, "stepped": packet.Step}
		for name, engine := range engines {
			if name == "stepped" && c.offered > 3e7 {
				continue
			}
			m := simtest.Run(t, sc, engine)
			if got := m.Run.Totals.Offered; math.Abs(got/c.offered-1) > 1e-12 || !m.Run.Conservation.Holds {
				t.Errorf("%s, %s: offered %.17g packets, want %g; conservation %+v", c.name, name, got, c.offered,
					m.Run.Conservation)
			}
			if got := m.Run.Traffic[0]; got != c.says {
				t.Errorf("%s: the record says %q, want %q", c.name, got, c.says)
			}
		}
	}
}

// A load that is 0.3 of three instances needs three: the rate is no more than was asked for.
func TestARateDoesNotExceedItsTarget(t *testing.T) {
	sc := simtest.Parse(t, "name: x\nduration: 8s\nnic: ideal\nvnf: {contention: {model: constant, rate: 100Mpps}}\n"+
		"instances: {initial: 3, min: 1, max: 12}\nautoscaler: {target: 0.3, stabilization: 0s}\n"+
		"scheduler: {limit: 10Mpps}\nworkload:\n  - cbr: {flows: 3, rate: 3Mpps}\n")
	m := simtest.Run(t, sc, packet.New)
	if w := m.Windows[len(m.Windows)-1]; w.Offered != 9e6 || w.Instances != 3 {
		t.Errorf("%g pps are offered to %d instances, want 9e6 to 3", w.Offered, w.Instances)
	}
}

// A packet engine that is asked for more than a packet a picosecond says what it can do.
func TestMoreThanAPacketAPicosecondIsRefused(t *testing.T) {
	sc := simtest.Parse(t, "name: x\nduration: 1s\nengine: packet\nnic: ideal\nworkload:\n  - flows: [{period: 1us}]\n")
	w := simtest.Traffic(t, sc)
	w.Constant, w.Flows[0].Segments[0].Packets = nil, 2e12
	err := sim.Run(context.Background(), sc, w, packet.New, results.NewMemory(), sim.Options{})
	if err == nil || !strings.Contains(err.Error(), "flow 0 sends 2e+12 packets in 1s: want at most one a picosecond") {
		t.Errorf("got %v", err)
	}
}

// The rules of traffic refuse it as well.
func TestARateThatCannotBeHadIsRefused(t *testing.T) {
	for _, text := range []string{"cbr: {flows: 1000000, rate: 0.0000001pps}", "cbr: {flows: 10, total: 0.001bps}",
		"flows: [{rate: 0.0000001pps}]"} {
		_, err := simtest.Parse(t, "name: x\nduration: 1s\nnic: ideal\nworkload:\n  - "+text+"\n").Traffic()
		if !errors.Is(err, scenarios.ErrInvalid) ||
			!strings.Contains(err.Error(), "expected 1e-06pps to 1000Gpps for each flow") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
