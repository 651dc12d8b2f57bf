package packet

import (
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

func TestReadTimes(t *testing.T) {
	for _, c := range []struct{ what, text, err string }{
		{"a head, a comment, weights and units", "time_ps,weight\n# measured\n\n80000, 3\n500ns,1\n1us\n", ""},
		{"a word", "80000\nfast\n",
			`:2: found "fast", want a service time from 0 to 1s, in picoseconds without a unit`},
		{"a negative time", "-5", `:1: found "-5", want a service time`},
		{"beyond a second", "1\n1\n2s", `:3: found "2s", want a service time`},
		{"a fraction of a weight", "80000,0.5",
			`:1: found "0.5", want a weight, a whole number from 0 to 1099511627775`},
		{"a third column", "80000,1,2", `:1: found "1,2", want a weight`},
		{"nothing", "", ": no service times, want at least one"},
		{"no weight", "80000,0", ": all weights are zero"},
		{"zero", "0\n0", ": the mean is below 1 ps"},
		{"an endless line", strings.Repeat("1", 1<<17), ": bufio.Scanner: token too long"},
	} {
		d, err := readTimes(strings.NewReader(c.text))
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.what, err, c.err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.what, err)
		case units.Time(d.mean) != (3*80_000+500_000+1_000_000)/5:
			t.Errorf("%s: the mean is %v", c.what, units.Time(d.mean))
		}
	}
}

func FuzzReadTimes(f *testing.F) {
	f.Add("time_ps,weight\n80000,3\n500ns,1\n")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := readTimes(strings.NewReader(text))
		if err == nil && (units.Time(d.mean) < 1 || units.Time(d.mean) > units.Second) {
			t.Errorf("the mean is %v", units.Time(d.mean))
		}
	})
}

// Service times have the mean that the law of contention gives, and the squared coefficient of variation of their
// distribution: 1 of the exponential; 2 of a time that is 0 twice in three and 3 else. Instances draw independently,
// and the same seed draws the same.
func TestServiceTimes(t *testing.T) {
	const mean, n = 95_238, 400_000
	for _, c := range []struct {
		text string
		scv  float64
	}{
		{"service: exponential", 1},
		{"service: empirical, service_times: [{time: 0ps, weight: 2}, {time: 3us}]", 2},
		{"service: empirical, service_times: [{time: 7ns}]", 0},
	} {
		st, err := scenarios.Parse("t.yaml", []byte("engine: packet\nduration: 1s\nvnf: {"+c.text+"}\n"+
			"workload: [{cbr: {flows: 1, rate: 1pps}}]"), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		source, err := serviceTimes(st.Runs[0].Scenario)
		if err != nil {
			t.Fatal(err)
		}
		one, other, again := source(1), source(2), source(1)
		var sum, squares, product float64
		for range n {
			x, y := float64(one(mean)), float64(other(mean))
			if x != float64(again(mean)) {
				t.Fatalf("%s: the same instance draws %g and another value", c.text, x)
			}
			sum += x
			squares += x * x
			product += (x - mean) * (y - mean)
		}
		got := sum / n
		scv := squares/n/got/got - 1
		deviation := math.Sqrt(c.scv)
		// Five standard errors, and the half picosecond of rounding.
		if math.Abs(got/mean-1) > 5*deviation/math.Sqrt(n)+1e-5 || math.Abs(scv-c.scv) > 0.05*c.scv+1e-9 {
			t.Errorf("%s: mean %g, squared coefficient of variation %g; want %d, %g", c.text, got, scv, mean, c.scv)
		}
		if r := product / n / mean / mean; math.Abs(r) > 5*c.scv/math.Sqrt(n)+1e-9 {
			t.Errorf("%s: the times of two instances are correlated: %g", c.text, r)
		}
	}
}

// What the bytes of a packet cost is added whatever the distribution.
func TestServicePerByte(t *testing.T) {
	for _, draw := range []func(int64) int64{nil, func(int64) int64 { return 7 }} {
		s := newServer(2, clock{base: 7}, 3, draw, nil)
		s.take(parcel{f: flow.ID(0), size: 100})
		s.take(parcel{f: flow.ID(0), size: 10})
		if s.idle != 7+300+7+30 {
			t.Errorf("idle at %d, want 344", s.idle)
		}
	}
}
