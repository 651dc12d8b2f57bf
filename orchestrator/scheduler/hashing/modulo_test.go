package hashing

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// As one of eight instances leaves, a flow stays where its hash modulo 8 and modulo 7 name the same instance: by the
// Chinese remainder theorem, in 7 of 56 cases, whichever one leaves.
func TestModuloMovesNearlyAll(t *testing.T) {
	const n = 20000
	all := flows(n)
	for _, leaver := range []flow.Instance{1, 4, 8} {
		p, v := joined(t, &moduloRow, moduloOptions{"five-tuple"}, numbered(8))
		before := homes(p, v, all)
		for id, k := range count(before) {
			near(t, fmt.Sprintf("flows of instance %d", id), k, n, 1./8)
		}
		leaves(p, v, leaver)
		moved := 0
		for i, id := range homes(p, v, all) {
			if id != before[i] {
				moved++
			}
		}
		near(t, fmt.Sprintf("moved as %d left", leaver), moved, n, 0.875)
	}
}

func TestKeysOfModulo(t *testing.T) {
	tuple := func(src, dst string, srcPort, dstPort uint16) policy.Work {
		return policy.Work{Tuple: flow.FiveTuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst),
			SrcPort: srcPort, DstPort: dstPort, Proto: flow.TCP}}
	}
	x := tuple("10.0.0.1", "10.0.0.2", 1000, 80)
	for _, c := range []struct {
		what  string
		other policy.Work
		alike []string // the keys that do not tell them apart
	}{
		{"itself", x, []string{"five-tuple", "source", "destination", "symmetric"}},
		{"the other direction", tuple("10.0.0.2", "10.0.0.1", 80, 1000), []string{"symmetric"}},
		{"ports the other way", tuple("10.0.0.1", "10.0.0.2", 80, 1000), []string{"source", "destination"}},
		{"another source", tuple("10.0.0.3", "10.0.0.2", 1000, 80), []string{"destination"}},
		{"another destination", tuple("10.0.0.1", "10.0.0.4", 1000, 80), []string{"source"}},
	} {
		for key, hash := range hashes {
			alike := false
			for _, k := range c.alike {
				alike = alike || k == key
			}
			if got := hash(&x) == hash(&c.other); got != alike {
				t.Errorf("%s, %s: alike %v, want %v", key, c.what, got, alike)
			}
		}
	}
	// An end that talks to itself is told apart by its ports.
	a, b := tuple("10.0.0.1", "10.0.0.1", 7, 9), tuple("10.0.0.1", "10.0.0.1", 9, 7)
	if hashes["symmetric"](&a) != hashes["symmetric"](&b) {
		t.Error("symmetric: the directions between two ports of one address differ")
	}
}
