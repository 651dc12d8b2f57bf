package packet_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// askedUntil is a context that ends when its Err has been called this often.
type askedUntil struct {
	context.Context
	left atomic.Int64
}

func (c *askedUntil) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

func stopped(t *testing.T, sc *scenarios.Scenario, engine sim.Engine, asked int64) *results.Memory {
	t.Helper()
	w := simtest.Traffic(t, sc)
	m, ctx := results.NewMemory(), &askedUntil{Context: context.Background()}
	ctx.left.Store(asked)
	if err := sim.Run(ctx, sc, w, engine, m, sim.Options{}); !errors.Is(err, context.Canceled) || m.Run.Complete ||
		!strings.Contains(m.Run.Error, "stopped at") {
		t.Errorf("%v, complete %v, %q", err, m.Run.Complete, m.Run.Error)
	}
	return m
}

// A window of a minute, or of what is long for the path at hand, is left in the middle. The engine asks at least once
// every so many packets, and what it has counted balances.
func TestALongWindowIsLeftOff(t *testing.T) {
	const every = 400_000 // packets, of which many are merged before the first is delivered
	for name, text := range map[string]string{
		"random arrivals": "workload:\n" +
			"  - cbr: {flows: 2000, interval: 1ms, total: 100Gbps, packet_size: 64B, arrivals: poisson}\n",
		"random and ideal": "nic: ideal\nworkload:\n" +
			"  - cbr: {flows: 20, total: 100Gbps, packet_size: 64B, arrivals: poisson}\n",
		"beyond the eSwitch": "workload:\n  - cbr: {flows: 20, total: 100Gbps, packet_size: 64B}\n",
		"bounded":            "nic: ideal\nworkload:\n  - flows: [{period: 20ns}]\n",
		"by bytes":           "nic: ideal\nvnf: {per_byte: 10ps}\nworkload:\n  - flows: [{period: 20ns}]\n",
		"delays": "nic: ideal\nworkload:\n  - flows: [{period: 20ns}]\nmeasure: {delay: flows}\n" +
			"engine: packet\n",
		"random services": "nic: ideal\nvnf: {service: exponential}\nworkload:\n  - flows: [{period: 20ns}]\n",
		"a rate":          "nic: ideal\nworkload:\n  - cbr: {flows: 3, rate: 17Mpps}\n",
		"slow path": "nic: {profile: ideal, slowpath_rate: 1Mpps, install_latency: 60s}\nworkload:\n" +
			"  - flows: [{period: 20ns}]\n",
	} {
		sc := simtest.Parse(t, "name: x\nduration: 60s\ntelemetry: {window: 60s}\n"+
			"packet: {jump: false}\n"+text)
		for _, asked := range []int64{20, 200, 1000} {
			m := stopped(t, sc, packet.New, asked)
			if n := m.Run.Totals.Offered; n == 0 && asked == 1000 || n > float64((asked+20)*every) {
				t.Errorf("%s: asked %d times, it has gone on for %.0f packets", name, asked, n)
			}
			if c := m.Run.Conservation; !c.Holds || len(m.Windows) > 0 {
				t.Errorf("%s: asked %d times: %d windows, %+v", name, asked, len(m.Windows), c)
			}
			if l := m.Run.Little; l != nil && !l.Holds {
				t.Errorf("%s: asked %d times: Little's law: %+v", name, asked, l)
			}
		}
	}
}

// Wherever a run is given up, packets balance and its windows are the first ones of the whole run.
func TestARunIsLeftOffAnywhere(t *testing.T) {
	n := 60
	if testing.Short() {
		n = 20
	}
	for i := range n {
		r := rand.New(rand.NewPCG(11, uint64(i)))
		text := scenario(r)
		if r.IntN(2) == 0 {
			text = regexp.MustCompile(`duration: .*`).ReplaceAllString(text, "$0\nengine: packet\n"+
				"measure: {delay: flows}")
		}
		if r.IntN(3) == 0 {
			text = strings.Replace(text, "packet_size", "arrivals: poisson, packet_size", 1)
		}
		sc := simtest.Parse(t, text)
		engines := map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New, "stage": packet.Stage}
		for name, engine := range engines {
			whole := &askedUntil{Context: context.Background()}
			whole.left.Store(1 << 62)
			w := simtest.Traffic(t, sc)
			all := results.NewMemory()
			if err := sim.Run(whole, sc, w, engine, all, sim.Options{}); err != nil {
				t.Fatal(err)
			}
			m := stopped(t, sc, engine, r.Int64N((1<<62-whole.left.Load())*3/4))
			if k := len(m.Windows); k > len(all.Windows) || k > 0 && !reflect.DeepEqual(m.Windows, all.Windows[:k]) {
				t.Errorf("case %d, %s: the %d windows differ from those of the whole run", i, name, k)
			}
			if c, l := m.Run.Conservation, m.Run.Little; !c.Holds || l != nil && !l.Holds {
				t.Errorf("case %d, %s: %+v, %+v", i, name, c, l)
			}
			if t.Failed() {
				t.Fatal(text)
			}
		}
	}
}
