//go:build doca && standin

package doca

import (
	"strings"
	"testing"
)

// The tests of the shim and of the driver are worth what the stand-in notices: here it is shown each thing that it has
// to notice.
func TestStandInRefusesWhatTheSDKRefuses(t *testing.T) {
	b := newBench(t)
	open(t, b.cfg).Close() // DPDK runs from now on
	for _, v := range violations() {
		t.Run(strings.ReplaceAll(v.name, "_", " "), func(t *testing.T) {
			newCard()
			if !v.commit() {
				t.Error("it was not refused")
			}
			if got := misuse(); !strings.Contains(got, v.said) || (v.said == "") != (got == "") {
				t.Errorf("the stand-in noted %q, want %q", got, v.said)
			}
			if n := objects(); n != 0 {
				t.Errorf("%d objects are left", n)
			}
			newCard()
		})
	}
}

// What is counted shows when the counters are renewed, and not before.
func TestStandInCachesCounters(t *testing.T) {
	b := newBench(t)
	countersEvery(0)
	s := open(t, b.cfg)
	install(t, s, 1)
	reads := func() uint64 {
		r, err := s.Rules(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r.Rules[0].Packets
	}
	receive(0, frame(0))
	if n := reads(); n != 0 {
		t.Errorf("%d packets before the counters were renewed", n)
	}
	refreshCounters()
	receive(0, frame(0))
	for range 2 {
		if n := reads(); n != 1 {
			t.Errorf("%d packets after that, want the one that had come by then", n)
		}
	}
}
