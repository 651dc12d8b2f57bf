package autoscaler

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

func TestVictims(t *testing.T) {
	row := func(id flow.Instance, flows int32, load float64, state policy.State) policy.Instance {
		return policy.Instance{ID: id, Flows: flows, Rate: telemetry.Rate{Rx: load}, State: state}
	}
	for name, want := range map[string]int{"newest": 3, "oldest": 0, "least-loaded": 3, "fewest-flows": 3,
		"most-loaded": 1, "most-flows": 2, "replicaset": 2, "swarm": 2} {
		from := []policy.Instance{row(1, 5, 30, policy.Ready), row(2, 1, 40, policy.Ready),
			row(4, 9, 20, policy.Starting), row(5, 1, 20, policy.Ready)}
		got, scores := mustNew(t, func(o *Options) { o.Victim = name }).PickVictim(0, from)
		if got != want || len(scores) != len(from) || scores[got] != slices.Min(scores) {
			t.Errorf("%s: position %d of scores %v, want %d", name, got, scores, want)
		}
	}
}

// What the comments of ActivePodsWithRanks promise, in Kubernetes 1.36.3: ages that lie between the same powers of 2
// are equal, and the later one of any others goes first.
func TestAReplicaSetDeletesFirst(t *testing.T) {
	const s = units.Second
	now := 1000 * s
	starting := func(created units.Time) policy.Instance {
		return policy.Instance{Created: created, Ready: units.Never}
	}
	ready := func(created, at units.Time) policy.Instance {
		return policy.Instance{State: policy.Ready, Created: created, Ready: at}
	}
	for _, c := range []struct {
		name string
		of   []policy.Instance
		want int // index; -1 for any
	}{
		{"one that starts before one that is ready", []policy.Instance{ready(now, now), starting(0)}, 1},
		{"one that became ready later", []policy.Instance{ready(10*s, 990*s), ready(20*s, 900*s)}, 0},
		{"however late it was created", []policy.Instance{ready(0, 990*s), ready(890*s, 900*s)}, 0},
		{"one that was created later, if none is ready", []policy.Instance{starting(999 * s), starting(100 * s)}, 0},
		{"one of no age", []policy.Instance{ready(0, now-1), ready(0, now)}, -1}, // of less than 1 ns is of none
		{"one of no age, but for a nanosecond", []policy.Instance{ready(0, now-units.Nanosecond), ready(0, now)}, 1},
		{"any within a power of 2: 2^36 ns to 2^37 ns", []policy.Instance{
			ready(0, now-70*s), ready(0, now-137*s)}, -1},
		{"not any beyond it", []policy.Instance{ready(0, now-70*s), ready(0, now-138*s)}, 0},
		{"nor before it", []policy.Instance{ready(0, now-70*s), ready(0, now-68*s)}, 1},
	} {
		for i := range c.of {
			c.of[i].ID = flow.Instance(i + 1)
		}
		won := map[int]bool{}
		for seed := range uint64(40) {
			v := Victims.Find("replicaset").New(policy.Env{Rand: rand.New(rand.NewPCG(seed, 1))})
			scores := make([]float64, len(c.of))
			v.Score(now, c.of, scores)
			won[slices.Index(scores, slices.Min(scores))] = true
		}
		if any := len(won) == len(c.of); any != (c.want < 0) || !any && !won[c.want] {
			t.Errorf("%s: %v go first, want %d (-1: any)", c.name, won, c.want)
		}
	}
}

// The order is that of the rules one by one, as Kubernetes compares two pods: of no other is it said that it goes
// before the one that does.
func TestAReplicaSetComparesPairs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	rank := func(now, at units.Time) int { // as in Kubernetes, by a logarithm
		if d := (now - at) / units.Nanosecond; d > 0 {
			return int(math.Log2(float64(d)))
		}
		return -1
	}
	for range 2000 {
		now := units.Time(rnd.Int64N(int64(1000 * units.Second)))
		of := make([]policy.Instance, 2+rnd.IntN(6))
		for i := range of {
			created := units.Time(rnd.Int64N(int64(now) + 1))
			of[i] = policy.Instance{ID: flow.Instance(i + 1), Created: created, Ready: units.Never}
			if rnd.IntN(3) > 0 {
				of[i].State, of[i].Ready = policy.Ready, created+units.Time(rnd.Int64N(int64(now-created)+1))
			}
		}
		r := replicaSet{rnd.Uint64()}
		scores := make([]float64, len(of))
		r.Score(now, of, scores)
		for i := range of {
			for j := range of {
				a, b := &of[i], &of[j]
				before := false
				switch {
				case i == j:
				case (a.State == policy.Ready) != (b.State == policy.Ready):
					before = a.State != policy.Ready
				default:
					ra, rb := rank(now, a.Created), rank(now, b.Created)
					if a.State == policy.Ready {
						ra, rb = rank(now, a.Ready), rank(now, b.Ready)
					}
					before = ra < rb || ra == rb && lot(r.key, a) < lot(r.key, b)
				}
				if before != (scores[i] < scores[j]) {
					t.Fatalf("at %v, %+v before %+v: %v, scores %v and %v", now, *a, *b, before, scores[i], scores[j])
				}
			}
		}
	}
}

// Each instance has the same chance, and keeps its lot.
func TestLotsAreEvenAndStay(t *testing.T) {
	for _, name := range []string{"replicaset", "swarm", "random"} {
		var first [4]int
		for seed := range uint64(4000) {
			v := Victims.Find(name).New(policy.Env{Rand: rand.New(rand.NewPCG(seed, 1))})
			of, scores := make([]policy.Instance, 4), make([]float64, 4)
			for i := range of {
				of[i] = policy.Instance{ID: flow.Instance(i + 1), State: policy.Ready}
			}
			v.Score(units.Second, of, scores)
			first[slices.Index(scores, slices.Min(scores))]++
			again := make([]float64, 2)
			v.Score(units.Second, of[2:], again)
			if name != "random" && !slices.Equal(again, scores[2:]) {
				t.Fatalf("%s: scores %v, and %v of the last two alone", name, scores, again)
			}
		}
		for i, n := range first { // 1000, with a standard deviation of 27
			if n < 880 || n > 1120 {
				t.Errorf("%s: instance %d goes first %d times of 4000", name, i+1, n)
			}
		}
	}
}
