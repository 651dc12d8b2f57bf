package envoy

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Envoy's own tests, round_robin_lb_test.cc and least_request_lb_test.cc in test/extensions/load_balancing_policies,
// the tests SlowStart...: hosts of equal weights that came some seconds ago, and the hosts that are picked right after
// the schedule was made anew. There, time stands still meanwhile, and hosts have the flows that the test says, when the
// schedule is made and afterwards.
func TestSlowStart(t *testing.T) {
	const long = 1000 // ago: no slow start any more
	for _, c := range []struct {
		name   string
		window units.Time
		o      slowOptions
		bias   float64 // of least request; -1 for round robin
		steps  []slowStep
	}{
		{"NoWait", 60, usual, -1, []slowStep{
			{[]int{long, 12}, nil, "00001"}, {[]int{long, 20}, nil, "001"}, {[]int{long, 65}, nil, "0101"}}},
		{"WithActiveHC", 10, usual, -1, []slowStep{
			{[]int{long, 6}, nil, "0100"}, {[]int{long, 26}, nil, "0101"}, {[]int{5, 31}, nil, "101101"}}},
		{"WithRuntimeAggression", 10, usual, -1, []slowStep{{[]int{long, 5, 5}, nil, "01200"}}},
		{"WithRuntimeAggression, 1.5", 10, slowOptions{1.5, 10}, -1, []slowStep{
			{[]int{long, 9, 9, 0}, nil, "012012"}, {[]int{long, 18, 18, 9}, nil, "0123"}}},
		{"NoWaitNonLinearAggression", 60, slowOptions{2, 10}, -1, []slowStep{
			{[]int{long, 6}, nil, "0001"}, {[]int{long, 26}, nil, "01001010"}, {[]int{long, 67}, nil, "0101"}}},
		{"NoWaitMinWeightPercent35", 60, slowOptions{1, 35}, -1, []slowStep{{[]int{long, 12}, nil, "001000"}}},
		{"NoWait, least request", 60, usual, 1, []slowStep{
			{[]int{long, 10}, [][]int32{{0, 0}, {1, 0}}, "0001"},
			{[]int{long, 40}, [][]int32{{1, 0}, {1, 0}}, "1010101"}}},
		{"WithActiveHC, least request", 10, slowOptions{0.9, 10}, 0.9, []slowStep{
			{[]int{7, 8}, [][]int32{{1, 0}, {1, 0}}, "1101101101101"},
			{[]int{8, long}, [][]int32{{1, 0}, {1, 2}}, "10101010100"}}},
		{"WithActiveHC, least request after a change", 10, usual, 1, []slowStep{
			{[]int{long, 5}, [][]int32{{0, 0}, {0, 0}}, "010010"}}},
	} {
		var p policy.Policy = &roundRobin{slowStart: slowStart{slowOptions: c.o}}
		if c.bias >= 0 {
			p = &least{slowStart: slowStart{slowOptions: c.o}, bias: c.bias}
		}
		for i, step := range c.steps {
			if got := step.picks(p, c.window); got != step.want {
				t.Errorf("%s, step %d: hosts %s, want %s", c.name, i, got, step.want)
			}
		}
	}
}

// slowStep is hosts of some ages in seconds, with flows before and after, and which are picked.
type slowStep struct {
	ages  []int
	flows [][]int32
	want  string
}

func (s *slowStep) picks(p policy.Policy, window units.Time) string {
	const now = 5000 * units.Second
	ones := make([]int32, len(s.ages))
	for i := range ones {
		ones[i] = 1
	}
	v := view(ones...)
	v.Now, v.SlowStart = now, window*units.Second
	if s.flows != nil {
		v.Flows = s.flows[0]
	}
	came, latest := policy.PerSlot[units.Time]{}, units.Time(0)
	for _, age := range s.ages {
		came = append(came, now-units.Time(age)*units.Second)
		latest = max(latest, came[len(came)-1])
	}
	changed := hosts{changed: true, when: now}
	switch p := p.(type) {
	case *roundRobin:
		p.hosts, p.came, p.latest = changed, came, latest
	case *least:
		p.hosts, p.came, p.latest = changed, came, latest
		p.prepare(v)
		v.Flows = s.flows[1]
	}
	return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(sequence(p, v, len(s.want)))), ""), "[]")
}

// The part of the weight by the formula of Envoy's documentation, in whole milliseconds, one at least.
func TestPartOfTheWeight(t *testing.T) {
	for _, c := range []struct {
		o          slowOptions
		age        units.Time
		want, near float64
	}{
		{usual, 0, 0.1, 0}, {usual, units.Second, 0.1, 0}, {usual, 3 * units.Second, 0.3, 0},
		{usual, 3*units.Second + 999*units.Microsecond, 0.3, 0}, {usual, 10*units.Second - 1, 0.9999, 0},
		{usual, 10 * units.Second, 1, 0}, {slowOptions{1, 0}, 0, 0.0001, 0}, {slowOptions{1, 100}, 0, 1, 0},
		{slowOptions{2, 10}, 4 * units.Second, math.Sqrt(0.4), 1e-12},
		{slowOptions{0.5, 10}, 4 * units.Second, 0.16, 1e-12},
	} {
		s := slowStart{slowOptions: c.o}
		v := view(1)
		v.SlowStart, v.Now = 10*units.Second, 7*units.Second
		s.follow(&policy.Event{Kind: policy.Joined}, v)
		if got := s.part(v, 0, v.Now+c.age); math.Abs(got-c.want) > c.near {
			t.Errorf("%+v, %v after it came: %v, want %v", c.o, c.age, got, c.want)
		}
	}
}

// A host that joins has fewer flows at first, and its part of them when its time is over. While the schedule is not
// made anew, the new weight counts when the host has been picked.
func TestAHostThatJoinsStartsSlowly(t *testing.T) {
	for _, p := range []policy.Policy{
		&roundRobin{slowStart: slowStart{slowOptions: usual}},
		&least{slowStart: slowStart{slowOptions: usual}, bias: 1, choices: 2, draw: func() uint64 { return 0 }},
	} {
		v := view(1, 1)
		v.SlowStart = 10 * units.Second
		for slot := range v.IDs {
			p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
		}
		v.Now = 100 * units.Second
		v.IDs, v.Weight, v.Flows = append(v.IDs, 3), append(v.Weight, 1), append(v.Flows, 0)
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: 2}, v)
		count := func(from, to units.Time) float64 { // a flow each 10 ms
			n := 0.0
			for v.Now = from; v.Now < to; v.Now += 10 * units.Millisecond {
				if p.Pick(&policy.Work{}, v, nil).Slot == 2 {
					n++
				}
			}
			return n / float64((to-from)/(10*units.Millisecond))
		}
		for _, c := range []struct {
			from, to units.Time // seconds after it came
			want     float64
		}{
			{0, 1, 0.1 / 2.1}, {1, 2, 0.15 / 2.15}, {4, 5, 0.45 / 2.45}, {9, 10, 0.95 / 2.95}, {12, 14, 1.0 / 3},
		} {
			at := 100*units.Second + c.from*units.Second
			if got := count(at, at+(c.to-c.from)*units.Second); math.Abs(got-c.want) > 0.03 {
				t.Errorf("%T: from second %d to %d it has %.3f of the flows, want %.3f", p, c.from, c.to, got, c.want)
			}
		}
	}
}

// The schedule is that of the moment in which hosts have come, also where the next flow comes later: a host that was
// due after ten turns of another one still is, though it has half of its weight by then.
func TestTheScheduleIsThatOfTheChange(t *testing.T) {
	for _, p := range []policy.Policy{
		&roundRobin{slowStart: slowStart{slowOptions: usual}},
		&least{slowStart: slowStart{slowOptions: usual}, bias: 1},
	} {
		v := view(1, 1)
		v.SlowStart = 10 * units.Second
		p.Observe(&policy.Event{Kind: policy.Joined}, v)
		v.Now = 100 * units.Second
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: 1}, v)
		v.Now += 5 * units.Second
		if got, want := fmt.Sprint(sequence(p, v, 13)), "[0 0 0 0 0 0 0 0 0 1 0 0 1]"; got != want {
			t.Errorf("%T: hosts %s, want %s", p, got, want)
		}
	}
}
