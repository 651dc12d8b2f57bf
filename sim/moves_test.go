package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// unevenly has 20 flows in a row on three instances, of which rss++ has to even out the load: the rates go from 10 to
// 105 kpps, and an instance takes 400.
func unevenly() string {
	var b strings.Builder
	b.WriteString(`
name: uneven
duration: 200ms
nic: {profile: bluefield2, install_latency: 100us}
vnf: {buffer: 200, contention: {model: constant, rate: 400kpps}}
instances: {initial: 3, min: 3, max: 3}
scheduler: {policy: {rss++: {table: 64, tick: 5ms, tick_min: 1ms, tick_max: 20ms}}, limit: 400kpps}
autoscaler: {policy: none}
telemetry: {window: 10ms, delay: 100us}
workload:
  - flows:
`)
	for f := range 20 {
		fmt.Fprintf(&b, "      - {rate: %dkpps, phase: %dus, packet_size: 64B}\n", 10+5*f, 1000*f+7*f)
	}
	return b.String()
}

// Both engines move as many flows, and count what the first packets at the new instances overtake. They end up with
// other flows on the instances, since one counts whole packets and the other fractions: in the packet engine one
// instance keeps a little more than it can take, which a load of at most 1 hardly shows.
func TestRSSEvensOutTheLoad(t *testing.T) {
	for _, c := range []struct {
		engine string
		make   sim.Engine
		want   string
	}{
		{"fluid", fluid.New, "6 moves, 52.075 reordered, 1006.0 lost; 370 385 395 kpps in the end"},
		{"packet", packet.New, "6 moves, 52.000 reordered, 3724.0 lost; 365 415 370 kpps in the end"},
	} {
		sc := simtest.Parse(t, unevenly())
		sc.Engine = c.engine
		m := simtest.Run(t, sc, c.make)
		simtest.Verify(t, m)
		total := &m.Run.Totals
		if n := simtest.Decisions(t, m)[orchestrator.Move]; !m.Run.Conservation.Holds || total.Moves != int64(n) {
			t.Errorf("%s: %d decisions to move, %d moves; %+v", c.engine, n, total.Moves, m.Run.Conservation)
		}
		last := m.Instances[len(m.Instances)-3:]
		got := fmt.Sprintf("%d moves, %.3f reordered, %.1f lost; %.0f %.0f %.0f kpps in the end", total.Moves,
			total.Reordered, total.Dropped.Sum(), last[0].Offered/1e3, last[1].Offered/1e3, last[2].Offered/1e3)
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.engine, got, c.want)
		}
	}
}
