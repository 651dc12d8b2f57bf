package sim

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/scenarios"
)

// Shares, and the rates of all flows together, are those of the flows that are there, to the last bit, whatever came
// before and in whatever order: below the limits, and beyond that of the link, of the eSwitch and of the slow path.
func TestSharesDoNotDependOnTheOrder(t *testing.T) {
	for _, nic := range []string{"link: 0bps", "link: 100Gbps", "link: 0bps, eswitch_limit: 60Mpps",
		"link: 100Gbps, slowpath_rate: 1Mpps"} {
		r := rand.New(rand.NewPCG(1, 2))
		var flows strings.Builder
		const n, instances = 12, 3
		for range n {
			fmt.Fprintf(&flows, "\n      - {period: %dps, packet_size: %dB}", 50_000+r.IntN(1e6), 64+r.IntN(500))
		}
		study, err := scenarios.Parse("test.yaml", fmt.Appendf(nil, `
name: order
duration: 1s
nic: {profile: ideal, %s}
vnf: {contention: {share: pooled}}
workload:
  - flows:%s
`, nic, &flows), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		sc := study.Runs[0].Scenario
		w, err := sc.Traffic()
		if err != nil {
			t.Fatal(err)
		}
		shares := func(order []int) (all [instances + 1]float64, sent [3]float64) {
			p, err := NewPool(sc, w)
			if err != nil {
				t.Fatal(err)
			}
			for i := range instances {
				p.Instance(flow.Instance(i+1), true)
			}
			put := func(f int, where Where) {
				p.Flow(0, flow.ID(f), 0, where, flow.Instance(f%instances+1))
			}
			for _, f := range order {
				put(f, Missed)
			}
			for i, f := range order {
				put(f, []Where{Nowhere, Ruled, Missed}[i%3])
			}
			for f := range n {
				put(f, []Where{Nowhere, Missed, Ruled, Ruled}[f%4])
			}
			for i, share := range p.Changed() {
				all[i] = share
			}
			return all, [3]float64{p.bits, p.all.rate, p.missed.rate}
		}
		want, wantSent := shares(r.Perm(n))
		for range 100 {
			if got, sent := shares(r.Perm(n)); got != want || sent != wantSent {
				t.Fatalf("%s: %v of %v, want %v of %v", nic, got, sent, want, wantSent)
			}
		}
	}
}
