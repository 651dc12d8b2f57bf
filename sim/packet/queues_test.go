package packet_test

import (
	"strconv"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// Whether a queue's length includes the packet in service: the eSwitch's does not, the slow path's and the ring's do.
// Twenty flows send a packet each at one instant, and again when what was taken has left.
func TestWhatAQueueHolds(t *testing.T) {
	const flows = "duration: 20us\nworkload:\n  - cbr: {flows: 20, rate: 100kpps}\n"
	type lost = results.Drops
	for _, c := range []struct {
		name, text string
		want       results.Drops
	}{
		{"eswitch_queue", "nic: {profile: ideal, eswitch_limit: 1Mpps, eswitch_queue: 4}\n", lost{ESwitch: 30}},
		{"eswitch_queue of none", "nic: {profile: ideal, eswitch_limit: 1Mpps, eswitch_queue: 0}\n", lost{ESwitch: 38}},
		{"eswitch_queue at an odd rate", "nic: {profile: ideal, eswitch_limit: 700kpps, eswitch_queue: 4}\n",
			lost{ESwitch: 30}},
		{"slowpath_queue", "nic: {profile: ideal, slowpath_rate: 1Mpps, slowpath_queue: 4, install_latency: 1s}\n",
			lost{SlowPath: 32}},
		{"slowpath_queue of none",
			"nic: {profile: ideal, slowpath_rate: 1Mpps, slowpath_queue: 0, install_latency: 1s}\n",
			lost{SlowPath: 38}},
		{"buffer", "nic: ideal\nvnf: {buffer: 4, contention: {model: constant, rate: 1Mpps}}\n", lost{Instance: 32}},
	} {
		sc := simtest.Parse(t, "name: x\ninstances: {initial: 1, min: 1, max: 1}\n"+
			"autoscaler: {policy: none}\n"+c.text+flows)
		for name, engine := range map[string]sim.Engine{"packet": packet.New, "stepped": packet.Step} {
			m := simtest.Run(t, sc, engine)
			if got := m.Run.Totals.Dropped; got != c.want || m.Run.Totals.Offered != 40 {
				t.Errorf("%s, %s: of %g packets lost %+v, want %+v", c.name, name, m.Run.Totals.Offered, got, c.want)
			}
		}
	}
}

// The eSwitch's queue, full for long, loses what comes beyond its limit and never holds more, even if packets come
// exactly when it has forwarded one.
func TestTheESwitchQueueIsKept(t *testing.T) {
	for _, queue := range []string{"1", "7", "1024"} {
		for _, rate := range []string{"2Mpps", "1.4Mpps"} {
			sc := simtest.Parse(t, "name: x\nduration: 30ms\ntelemetry: {window: 1ms}\n"+
				"instances: {initial: 1, min: 1, max: 1}\nautoscaler: {policy: none}\n"+
				"nic: {profile: ideal, eswitch_limit: 700kpps, eswitch_queue: "+queue+"}\nworkload:\n"+
				"  - flows: [{rate: "+rate+"}]\n")
			m := simtest.Run(t, sc, packet.New)
			most := 0.0
			for _, w := range m.Windows {
				most = max(most, w.Queued)
			}
			long, err := strconv.ParseFloat(queue, 64)
			if err != nil {
				t.Fatal(err)
			}
			if most < long || most > long+2 { // with the one that is forwarded, and one at the instance
				t.Errorf("%s waiting, %s: at most %g packets are on their way", queue, rate, most)
			}
			got := m.Run.Totals
			if passed := got.Offered - got.Dropped.ESwitch - got.Queued; passed < 20_998 || passed > 21_000 {
				t.Errorf("%s waiting, %s: %g packets passed in 30 ms, want 700 kpps", queue, rate, passed)
			}
		}
	}
}
