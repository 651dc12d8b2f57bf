package nomad

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

func TestContract(t *testing.T) {
	for _, row := range Policies {
		policytest.Run(t, row,
			options{Ask: 3e6, NoFit: "least-loaded", Spread: "none"},
			options{Ask: 4e6, NoFit: "reject", Count: 2, Spread: "even"},
			options{NoFit: "queue", Affinity: true, Spread: "weights"})
	}
}

const tolerance = 0.001

func near(a, b float64) bool { return math.Abs(a-b) <= tolerance }

func TestFit(t *testing.T) {
	for _, c := range policytest.Vectors(t, "nomad", "fit scores") {
		x, want := policytest.Decode[[2]float64](t, &c.In), policytest.Decode[[2]float64](t, &c.Out)
		got := [2]float64{binpack(x[0], x[1]), spread(x[0], x[1])}
		if !near(got[0], want[0]) || !near(got[1], want[1]) {
			t.Errorf("%s: scores %v, want %v", c.ID, got, want)
		}
	}
	// More than full, and less than empty: the ends.
	if a, b, c := binpack(2, 2), binpack(-1, 0), spread(2, 2); a != 18 || b != 0 || c != 0 {
		t.Errorf("beyond the ends: %v, %v, %v; want 18, 0, 0", a, b, c)
	}
}

func TestSpreadBlock(t *testing.T) {
	type attribute struct {
		Attribute string
		Weight    float64
		Targets   map[string]float64
		Used      map[string]int
	}
	type in struct {
		Count  float64
		Spread []attribute
		Nodes  []map[string]string
	}
	for _, c := range policytest.Vectors(t, "nomad", "score of a spread block with targets") {
		x := policytest.Decode[in](t, &c.In)
		weights := 0.0
		for _, a := range x.Spread {
			weights += a.Weight
		}
		all := targets{lowest: -1}
		for i, want := range policytest.Decode[[]float64](t, &c.Out) {
			got := 0.0
			for _, a := range x.Spread {
				value, rest := x.Nodes[i][a.Attribute], 100.0
				for _, percent := range a.Targets {
					rest -= percent
				}
				percent, found := a.Targets[value]
				if !found {
					percent = rest // the implicit target
				}
				got += all.boost(percent/100*x.Count, a.Used[value]) * a.Weight / weights
			}
			if !near(got, want) {
				t.Errorf("%s: node %d scores %v, want %v", c.ID, i, got, want)
			}
		}
	}
}

// A value that is to have nothing scores as low as the lowest before it.
func TestNothingIsWantedThere(t *testing.T) {
	all := targets{lowest: -1}
	if a, b, c := all.boost(0, 0), all.boost(0.5, 2), all.boost(0, 0); a != -1 || b != -5 || c != -5 {
		t.Errorf("scores %v, %v, %v; want -1, -5, -5", a, b, c)
	}
}

func TestEvenSpread(t *testing.T) {
	type in struct {
		Used  map[string]int32
		Value string
	}
	for _, c := range policytest.Vectors(t, "nomad", "score of an even spread") {
		x := policytest.Decode[in](t, &c.In)
		var least, most int32
		for _, n := range x.Used {
			if least == 0 || n < least {
				least = n
			}
			most = max(most, n)
		}
		if got, want := evenSpread(x.Used[x.Value], least, most), policytest.Decode[float64](t, &c.Out); got != want {
			t.Errorf("%s: %v, want %v", c.ID, got, want)
		}
	}
	// A value that is as far behind as any gets what the fullest is ahead by.
	if got := evenSpread(2, 2, 3); got != 0.5 {
		t.Errorf("the least of 2 to 3: %v, want 0.5", got)
	}
}

func TestOtherScores(t *testing.T) {
	type in struct {
		K, Count int
		Penalty  bool // which has no place among flows, so it is made here
		Weights  []float64
		Match    []int
	}
	for _, c := range policytest.Vectors(t, "nomad", "other scorers and their mean") {
		x := policytest.Decode[in](t, &c.In)
		var scores []float64
		if x.K > 0 {
			scores = append(scores, antiAffinity(x.K, x.Count))
		}
		if x.Penalty {
			scores = append(scores, -1)
		}
		if x.Weights != nil {
			matched, all := 0.0, 0.0
			for i, w := range x.Weights {
				all += math.Abs(w)
				if slices.Contains(x.Match, i) {
					matched += w
				}
			}
			scores = append(scores, affinity(matched, all))
		}
		if got, want := mean(scores), policytest.Decode[float64](t, &c.Out); !near(got, want) {
			t.Errorf("%s: %v, want %v", c.ID, got, want)
		}
	}
}

// let are the slots that a limiter lets through, of candidates with scores.
func let(l limiter, scores []float64) (slots []int) {
	i := 0
	source := func() (candidate, bool) {
		if i == len(scores) {
			return candidate{}, false
		}
		i++
		return candidate{i - 1, scores[i-1]}, true
	}
	for c, ok := l.next(source); ok; c, ok = l.next(source) {
		slots = append(slots, c.slot)
	}
	return slots
}

func TestLimiter(t *testing.T) {
	type in struct {
		Scores  []float64
		MaxSkip int `yaml:"max_skip"`
	}
	for _, c := range policytest.Vectors(t, "nomad", "limit iterator") {
		x := policytest.Decode[in](t, &c.In)
		got := let(limiter{limit: 2, most: x.MaxSkip, threshold: -1}, x.Scores)
		if want := policytest.Decode[[]int](t, &c.Out); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.ID, got, want)
		}
	}
	// No more are let through than there are, and a limit below that holds.
	if got := let(limiter{limit: 9, most: 3}, []float64{3, 1, 2}); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("limit 9: %v", got)
	}
	if got := let(limiter{limit: 2, most: 3}, []float64{3, 1, 2}); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("limit 2: %v", got)
	}
}

// world has instances 1, 2, 3 ... with loads in Mpps, each trusted with 10.
type world struct {
	p policy.Policy
	v policy.View
}

func newWorld(t *testing.T, name string, o options, loads ...float64) *world {
	row := policy.Table[policy.Row](Policies).Find(name)
	if o.NoFit == "" {
		o.NoFit = "queue"
	}
	if o.Spread == "" {
		o.Spread = "none"
	}
	w := &world{policytest.New(t, row, o, 1), policy.View{Limit: 10e6}}
	for i, l := range loads {
		v := &w.v
		v.IDs, v.Flows = append(v.IDs, flow.Instance(i+1)), append(v.Flows, 0)
		v.Weight, v.MaxConn = append(v.Weight, 1), append(v.MaxConn, 0)
		v.Load, v.Back = append(v.Load, l*1e6), append(v.Back, l*1e6)
		w.p.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, v)
	}
	return w
}

func (w *world) pick(source string) (*policy.Work, policy.Answer) {
	x := &policy.Work{Tuple: flow.FiveTuple{Src: netip.MustParseAddr(source)}}
	return x, w.p.Pick(x, &w.v, nil)
}

// place places a flow that stays.
func (w *world) place(source string) flow.Instance {
	x, a := w.pick(source)
	if a.Verdict != policy.Place {
		return 0
	}
	x.At = w.v.IDs[a.Slot]
	w.v.Flows[a.Slot]++
	w.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: x}, &w.v)
	return x.At
}

// Of n instances, max(2, ceil(log2 n)) are looked at. So of three, the best is chosen in two of three decisions, the
// second in one, and the last in none.
func TestHowManyAreLookedAt(t *testing.T) {
	for _, c := range []struct {
		name  string
		loads []float64
		want  []float64 // parts of the decisions
	}{
		{"nomad-binpack", []float64{6, 2, 4}, []float64{2.0 / 3, 0, 1.0 / 3}},
		{"nomad-spread", []float64{6, 2, 4}, []float64{0, 2.0 / 3, 1.0 / 3}},
		{"nomad-binpack", []float64{1, 2, 3, 4, 5}, []float64{0, 0, 0.1, 0.3, 0.6}}, // three of five
		{"nomad-binpack", []float64{1, 2, 3, 4, 5, 6, 7, 8}, // three of eight
			[]float64{0, 0, 1.0 / 56, 3.0 / 56, 6.0 / 56, 10.0 / 56, 15.0 / 56, 21.0 / 56}},
		{"nomad-binpack", []float64{7}, []float64{1}},
	} {
		const decisions = 60000
		w, count := newWorld(t, c.name, options{Ask: 1e6}, c.loads...), make([]float64, len(c.loads))
		for range decisions {
			_, a := w.pick("10.1.0.1")
			count[a.Slot]++
		}
		for i, p := range c.want {
			if sigma := math.Sqrt(decisions * p * (1 - p)); math.Abs(count[i]-p*decisions) > 5*sigma {
				t.Errorf("%s, loads %v: instance %d is chosen %v times of %d, want %v of them", c.name, c.loads, i+1,
					count[i], decisions, p)
			}
		}
	}
}

// Instances without room are not looked at; where none has any, the flow waits, or what nofit says.
func TestRoom(t *testing.T) {
	w := newWorld(t, "nomad-binpack", options{Ask: 2e6}, 9, 9, 1, 9, 9, 9)
	for range 50 {
		if _, a := w.pick("10.1.0.1"); a.Slot != 2 {
			t.Fatalf("instance %d, want the one with room for 2 Mpps", a.Slot+1)
		}
	}
	if scored := w.p.(*placer).env.Counts[0]; scored != 50 {
		t.Errorf("%d instances are scored, want 50", scored)
	}
	w.v.MaxConn[2], w.v.Flows[2] = 3, 2
	if _, a := w.pick("10.1.0.1"); a.Verdict != policy.Place {
		t.Errorf("the third flow of three: %+v", a)
	}
	w.v.Flows[2] = 3
	for nofit, want := range map[string]policy.Verdict{
		"queue": policy.Hold, "reject": policy.Drop, "least-loaded": policy.Place,
	} {
		other := newWorld(t, "nomad-binpack", options{Ask: 2e6, NoFit: nofit}, 9, 9.5)
		if _, a := other.pick("10.1.0.1"); a.Verdict != want || a.Slot != 0 || a.Why == 0 {
			t.Errorf("nofit: %s: %+v", nofit, a)
		}
	}
	if _, a := w.pick("10.1.0.1"); a.Verdict != policy.Hold {
		t.Errorf("an instance takes more flows than maxconn: %+v", a)
	}
}

// Both resources count: with the same packet rate, more flows of the most that there may be are a fuller instance.
func TestFlowsAreTheMemory(t *testing.T) {
	for name, want := range map[string]int{"nomad-binpack": 1, "nomad-spread": 0} {
		w := newWorld(t, name, options{Ask: 1e6}, 5, 5)
		w.v.MaxConn, w.v.Flows = []int32{10, 10}, []int32{2, 7}
		var log policy.Weighed
		if a := w.p.Pick(&policy.Work{}, &w.v, &log); a.Slot != want {
			t.Errorf("%s: instance %d", name, a.Slot+1)
		}
		cpu, memory := 0.6, []float64{0.3, 0.8}
		for i, r := range log.Ratings {
			fit := map[string]func(a, b float64) float64{"nomad-binpack": binpack, "nomad-spread": spread}[name]
			if score := fit(cpu, memory[i]) / 18; !near(r.Score, score) {
				t.Errorf("%s: instance %d scores %v, want %v", name, i+1, r.Score, score)
			}
		}
	}
}

// Flows of a source that is a job keep apart, for as long as they live.
func TestJobs(t *testing.T) {
	w := newWorld(t, "nomad-binpack", options{Ask: 1e6, Count: 2}, 0, 0)
	first := w.place("10.1.0.1")
	if second := w.place("10.1.0.1"); second == first {
		t.Error("two flows of a job are on one instance, of two")
	}
	w = newWorld(t, "nomad-binpack", options{Ask: 1e6}, 0, 0)
	first = w.place("10.1.0.1")
	if second := w.place("10.1.0.1"); second != first {
		t.Error("without jobs, the second flow is not packed to the first")
	}
	w = newWorld(t, "nomad-binpack", options{Ask: 1e6, Count: 2}, 0, 0)
	for range 10 {
		x, a := w.pick("10.1.0.1")
		x.At = w.v.IDs[a.Slot]
		w.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: x}, &w.v)
		w.p.Observe(&policy.Event{Kind: policy.Ended, Slot: a.Slot, Work: x}, &w.v)
	}
	if n := len(w.p.(*placer).jobs); n != 0 {
		t.Errorf("%d jobs are left without flows", n)
	}
}

// With weights as affinities or as targets, all instances are looked at, and flows go by them.
func TestWeights(t *testing.T) {
	const flows = 120
	weights := []int32{1, 2, 3, 6, 0}
	w := newWorld(t, "nomad-spread", options{Ask: 1, Spread: "weights"}, 0, 0, 0, 0, 0)
	w.v.Weight = weights
	for range flows {
		w.place("10.1.0.1")
	}
	for i, n := range w.v.Flows {
		if want := weights[i] * flows / 12; n < want-1 || n > want+1 {
			t.Errorf("flows %v by weights %v", w.v.Flows, weights)
			break
		}
	}
	w = newWorld(t, "nomad-spread", options{Ask: 1e3, Affinity: true}, 0, 0, 0, 0, 0)
	w.v.Weight = weights
	for range 20 {
		if at := w.place("10.1.0.1"); at != 4 {
			t.Fatalf("instance %d, want the one with the greatest affinity", at)
		}
	}
	w = newWorld(t, "nomad-binpack", options{Ask: 1, Spread: "even"}, 0, 0, 0, 0, 0)
	for range 50 {
		w.place("10.1.0.1")
	}
	if least, most := slices.Min(w.v.Flows), slices.Max(w.v.Flows); most-least > 1 {
		t.Errorf("spread evenly: %v", w.v.Flows)
	}
}

// A decision allocates nothing, whatever counts.
func TestDecisionsDoNotAllocate(t *testing.T) {
	w := newWorld(t, "nomad-spread", options{Ask: units.PPS(1), Count: 5, Affinity: true, Spread: "even"}, 1, 2, 3, 4)
	r := rand.New(rand.NewPCG(1, 1))
	x := policy.Work{Tuple: policytest.Tuple(r)}
	if n := testing.AllocsPerRun(100, func() { w.p.Pick(&x, &w.v, nil) }); n != 0 {
		t.Errorf("%v allocations a decision, want none", n)
	}
}
