package packet_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// FuzzEngine searches for a scenario, with everything in it that a scenario may have, in which a fast path comes out
// differently from stepping every packet, flow by flow and apart, or in which packets are not conserved or Little's law
// does not hold. The scenarios are those of the tests in a thirtieth of their time and, but for a few, without their
// crowd of small flows, so that a search sees many.
func FuzzEngine(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed, seed%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, delays bool) {
		text := scenario(rand.New(rand.NewPCG(4, seed)))
		if delays {
			text += "engine: packet\nmeasure: {delay: flows}\n"
		}
		sc, err := simtest.Parse(t, text).Scaled(1, 1.0/30)
		if err != nil {
			t.Fatal(err)
		}
		if seed%16 > 0 {
			sc.Workload = slices.DeleteFunc(sc.Workload, func(s scenarios.Source) bool {
				return s.CBR != nil && s.CBR.Flows >= 100
			})
		}
		m, again := simtest.Run(t, sc, packet.New), simtest.Run(t, sc, packet.Step)
		for _, v := range []struct {
			what      string
			got, want any
		}{
			{"windows", m.Windows, again.Windows},
			{"instances", m.Instances, again.Instances},
			{"flows", m.Flows, again.Flows},
			{"totals", m.Run.Totals, again.Run.Totals},
			{"delays", m.Latencies, again.Latencies},
			{"histograms", m.Buckets, again.Buckets},
			{"Little's law", m.Run.Little, again.Run.Little},
		} {
			if !reflect.DeepEqual(v.got, v.want) {
				t.Errorf("%s come out differently when every packet is stepped", v.what)
			}
		}
		if !m.Run.Conservation.Holds {
			t.Errorf("conservation: %+v", m.Run.Conservation)
		}
		if l := m.Run.Little; delays && (l == nil || !l.Holds) {
			t.Errorf("Little's law: %+v", l)
		}
		if t.Failed() {
			t.Log(text)
		}
	})
}
