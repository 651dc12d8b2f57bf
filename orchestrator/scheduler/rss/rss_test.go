package rss

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

// Microsoft's verification suite, IPv4 and IPv6, with ports and without.
func TestToeplitz(t *testing.T) {
	for _, c := range policytest.Vectors(t, "rss", "Toeplitz hash") {
		in, out := policytest.Decode[[4]string](t, &c.In), policytest.Decode[[2]string](t, &c.Out)
		tuple := flow.FiveTuple{Src: netip.MustParseAddr(in[0]), Dst: netip.MustParseAddr(in[2])}
		fmt.Sscan(in[1], &tuple.SrcPort)
		fmt.Sscan(in[3], &tuple.DstPort)
		for i, proto := range []uint8{flow.ICMP, flow.TCP} {
			tuple.Proto = proto
			if got := fmt.Sprintf("0x%08x", toeplitz(&tuple)); got != out[i] {
				t.Errorf("%s, protocol %d: %s, want %s", c.ID, proto, got, out[i])
			}
		}
	}
}

func TestSolver(t *testing.T) {
	type in struct {
		Over, Under []float32
		Buckets     [][2]float32
	}
	type out struct {
		To     []int
		Square float64
		Runs   int
	}
	for _, c := range policytest.Vectors(t, "rss++", "moves of one tick, the released solver") {
		x, want := policytest.Decode[in](t, &c.In), policytest.Decode[out](t, &c.Out)
		p := problem{over: x.Over, under: x.Under}
		for _, b := range x.Buckets {
			p.buckets = append(p.buckets, bucket{int(b[0]), b[1]})
		}
		to, square, runs := p.solve(false)
		if !reflect.DeepEqual(to, want.To) || math.Abs(float64(square)-want.Square) > 5e-5 || runs != want.Runs {
			t.Errorf("%s: %v, square %v in %d runs, want %v, %v in %d",
				c.ID, to, square, runs, want.To, want.Square, want.Runs)
		}
		if _, best, _ := p.solve(true); best > square {
			t.Errorf("%s: the best of the runs has %v, the last %v", c.ID, best, square)
		}
	}
}

func TestContract(t *testing.T) {
	for _, row := range Policies {
		best := policytest.Options(&row).(rssppOptions)
		best.Keep, best.Table = "best", 16
		policytest.Run(t, row, best)
	}
}
