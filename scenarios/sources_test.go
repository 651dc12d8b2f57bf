package scenarios

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

func trafficOf(t *testing.T, source string) *traces.Workload {
	t.Helper()
	w, err := one(t, "duration: 100ms\nworkload:\n  - {"+source+"}\n").Traffic()
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return w
}

// With frame_sizes, a source sends as many packets as without, with the mean of the sizes, and total is the load of the
// link whatever the sizes.
func TestFrameSizes(t *testing.T) {
	const mean = (7*64 + 4*594 + 1518) / 12.
	file, err := filepath.Abs("testdata/load.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range []string{
		"cbr: {flows: 3, rate: 10kpps}", "cbr: {flows: 3, rate: 10kpps, arrivals: poisson}",
		"flows: [{rate: 1kpps}, {period: 10us, phase: 1ms}]", "load: {file: %s, column: v, flows: 2}",
		"services: {file: %s, group: [s], column: v, time: t, step: 1s}",
		"diurnal: {mean: 100kpps, period: 50ms, step: 1ms}", "flash_crowd: {base: 100kpps, begin: 0s, step: 1ms}",
		"microbursts: {rate: 100kpps}", "churn: {rate: 100kpps, flows: 10, new_flows: 1000}",
		"syn_flood: {rate: 10kpps}",
	} {
		source = strings.ReplaceAll(source, "%s", file)
		with, without := trafficOf(t, source+", frame_sizes: imix"), trafficOf(t, source)
		p, bytes := with.Totals()
		if q, _ := without.Totals(); p != q || math.Abs(bytes/p-mean) > 1e-9 {
			t.Errorf("%s: %v packets of %v B, want %v of %v", source, p, bytes/p, q, mean)
		}
		own := 0
		for _, p := range with.Packets {
			own += len(p.Flows)
		}
		if own != len(with.Flows) || !strings.Contains(with.Provenance[0], "12 sizes in turn") {
			t.Errorf("%s: packets of %d of %d flows; %q", source, own, len(with.Flows), with.Provenance)
		}
	}
	w := trafficOf(t, "cbr: {flows: 3, total: 10Gbps}, frame_sizes: imix")
	p, bytes := w.Totals()
	if load := (bytes + 20*p) * 8 / 0.1; math.Abs(load/10e9-1) > 1e-9 {
		t.Errorf("a load of %g bit/s, want 10e9", load)
	}
}

// What the engines and the files need of flows that are a source's own is held in package traces; here is what the keys
// make of it.
func TestSourcesFromRules(t *testing.T) {
	for source, want := range map[string]struct {
		packets float64
		flows   int
	}{
		"cbr: {flows: 10, rate: 1kpps, zipf: 2}":                                            {1000, 10},
		"microbursts: {base: 1kpps, rate: 9kpps, length: 1ms, period: 10ms, flows: 2}":      {100 + 90, 2},
		"microbursts: {rate: 9kpps, length: 1ms, period: 10ms, start: 95ms}":                {9, 1},
		"microbursts: {rate: 10kpps, length: 2ms, period: 10ms, lifetime: 10ms}":            {200, 10},
		"churn: {rate: 100kpps, flows: 10, new_flows: 1000}":                                {10000, 109},
		"syn_flood: {rate: 1kpps, start: 10ms, arrivals: constant, timeout: 1ms}":           {90, 90},
		"syn_flood: {rate: 1kpps, start: 10ms, end: 20ms, arrivals: constant, timeout: 1s}": {10, 10},
	} {
		w := trafficOf(t, source)
		if p, _ := w.Totals(); math.Abs(p-want.packets) > 1e-6 || len(w.Flows) != want.flows {
			t.Errorf("%s: %v packets of %d flows, want %v of %d", source, p, len(w.Flows), want.packets, want.flows)
		}
	}
	// two floods, and what is beside them, have addresses of their own
	w := trafficOf(t, strings.Join([]string{"syn_flood: {rate: 1kpps}", "syn_flood: {rate: 1kpps}",
		"churn: {rate: 1kpps, flows: 3, new_flows: 9}", "cbr: {flows: 2, rate: 1kpps}"}, "}\n  - {"))
	seen := map[any]bool{}
	for _, f := range w.Flows {
		if seen[f.Tuple] {
			t.Errorf("%v comes twice", f.Tuple)
		}
		seen[f.Tuple] = true
	}
}

// The process that is fitted to a recording is printed so that a scenario takes it.
func TestAFittedProcessIsAWorkload(t *testing.T) {
	for _, m := range []traces.MMPP{
		{Rate: 51.1, Burst: 57.52, On: 151_600 * units.Microsecond, Off: 4214 * units.Millisecond},
		{Rate: 1.234e9, Burst: traces.MostBurst, On: 1, Off: units.Hour},
		{Rate: 1e6, Burst: 1, On: 99_710_000, Off: 12},
	} {
		text := "engine: request\nduration: 1s\nnic: ideal\nautoscaler: {policy: none}\nscheduler: {policy: random}\n" +
			"workload: [{requests: {" + m.String() + ", classes: [{mean: 1us}]}}]"
		r := one(t, text).Workload[0].Requests
		if r.Arrivals != "mmpp" || r.Rate != m.Rate || r.Burst != m.Burst || r.On != m.On || r.Off != m.Off {
			t.Errorf("%v is taken as %+v", &m, r)
		}
	}
}

// What traffic would refuse is known before it is made.
func TestCheckTrafficOfSourcesFromRules(t *testing.T) {
	for _, c := range []struct{ duration, source, want string }{
		{"0s", "microbursts: {rate: 1pps}", "duration: found 0s with a source"},
		{"0s", "churn: {rate: 1pps, flows: 1, new_flows: 1}", "duration: found 0s with a source"},
		{"0s", "syn_flood: {rate: 1pps}", "duration: found 0s with a source"},
		{"1s", "microbursts: {rate: 600Gpps, base: 600Gpps}", "microbursts: found 1200Gpps"},
		{"1s", "churn: {rate: 1pps, flows: 9999999, new_flows: 0.1}", "churn.rate: found 1pps, for each of"},
		{"1s", "syn_flood: {rate: 0.0000001pps}", "syn_flood.rate: found"},
		{"1s", "cbr: {flows: 1000, rate: 1pps, zipf: 9}", "cbr.rate: found 1pps, of which"},
		{"1s", "cbr: {flows: 1000, rate: 100Gpps, zipf: 1}", "cbr.rate: found 100Gpps, of which"},
		{"1s", "cbr: {flows: 99, rate: 1kpps, zipf: 1, arrivals: on-off}", "cbr.on_time"},
	} {
		s := one(t, "duration: "+c.duration+"\nworkload: [{"+c.source+"}]")
		_, made := s.Traffic()
		for _, err := range []error{s.CheckTraffic(), made} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.source, err, c.want)
			}
		}
	}
	s := one(t, "duration: 1s\nworkload: [{churn: {rate: 1kpps, flows: 9, new_flows: 600}}]")
	slow, err := s.Scaled(0.5, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := slow.CheckTraffic(); err == nil || !strings.Contains(err.Error(), "churn.new_flows: found 600") {
		t.Errorf("new flows without a packet: %v", err)
	}
	long, err := s.Scaled(0.5, 4)
	if err != nil || long.Workload[0].Churn.NewFlows != 150 || long.CheckTraffic() != nil {
		t.Errorf("%v, %+v", err, long.Workload[0].Churn)
	}
}
