package hashing

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

// Envoy's own vectors of a ring, whose points are hashed alike.
func TestRingEnvoy(t *testing.T) {
	type in struct {
		Keys   []string
		PerKey int `yaml:"per_key"`
	}
	var r ring
	var keys []string
	for _, c := range policytest.Vectors(t, "envoy-ring-hash", `ring (xxHash64 of "key_j")`) {
		x := policytest.Decode[in](t, &c.In)
		r, keys = ring{}, x.Keys
		for i, key := range keys {
			r.points = merge(r.points, pointsOf(flow.Instance(i+1), key, x.PerKey))
		}
		var got [][2]string
		for _, p := range r.points {
			got = append(got, [2]string{strconv.FormatUint(p.hash, 10), keys[p.id-1]})
		}
		if want := policytest.Decode[[][2]string](t, &c.Out); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.ID, got, want)
		}
	}
	const lookup = "lookup on the first ring: first position >= hash, wrapping"
	for _, c := range policytest.Vectors(t, "envoy-ring-hash", lookup) {
		hash, err := strconv.ParseUint(policytest.Decode[string](t, &c.In), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		want := policytest.Decode[string](t, &c.Out)
		if got := keys[r.points[r.next(hash)].id-1]; got != want {
			t.Errorf("%d: %s, want %s", hash, got, want)
		}
	}
	if last := r.points[len(r.points)-1].hash; r.next(last) != len(r.points)-1 || r.next(last+1) != 0 {
		t.Error("behind the last point the ring does not begin again")
	}
}

// The share of an instance, the arcs before its points, is that of random points: of mean 1/n, with the variance of the
// beta distribution of v of n*v spacings. A share further off than four standard deviations is one in 16,000.
func TestSharesOfTheRing(t *testing.T) {
	for _, c := range []struct{ n, v int }{{8, 1}, {8, 40}, {8, 160}, {8, 10000}, {100, 160}} {
		p, v := joined(t, &ringRow, ringOptions{c.v}, numbered(c.n))
		share := make([]float64, c.n)
		points := p.(*ringed).points
		before := points[len(points)-1].hash
		for _, q := range points {
			share[q.id-1] += float64(q.hash-before) / math.Exp2(64) // around the ring, modulo 2^64
			before = q.hash
		}
		mean, k := 1/float64(c.n), float64(c.n*c.v)
		sigma := math.Sqrt(mean * (1 - mean) / (k + 1))
		for i, s := range share {
			if math.Abs(s-mean) > 4*sigma {
				t.Errorf("%d instances of %d points: instance %d has a share of %.4f, want %.4f with a standard "+
					"deviation of %.4f", c.n, c.v, i+1, s, mean, sigma)
			}
		}
		const n = 20000
		if c.n == 8 { // and flows are as the shares say
			got := count(homes(p, v, flows(n)))
			for i, s := range share {
				near(t, "flows of instance "+strconv.Itoa(i+1), got[flow.Instance(i+1)], n, s)
			}
		}
	}
}

// A placement never brings an instance above its part, whatever flows end and whatever instances come and go. The flow
// goes to the first instance along the ring that is below it.
func TestTheBoundHolds(t *testing.T) {
	for _, o := range []boundedOptions{{100, ringOptions{3}}, {125, ringOptions{20}}, {200, ringOptions{1}},
		{1000000, ringOptions{20}}} {
		p, v := joined(t, &boundedRow, o, numbered(5))
		points := &p.(*bounded).points
		r := rand.New(rand.NewPCG(1, 1))
		further := 0
		for i := range 20000 {
			switch k := r.IntN(400); {
			case k == 0 && len(v.IDs) > 1:
				leaves(p, v, v.IDs[r.IntN(len(v.IDs))])
			case k == 1 && len(v.IDs) < 20:
				v.IDs, v.Weight, v.Flows = append(v.IDs, flow.Instance(100+i)), append(v.Weight, 1), append(v.Flows, 0)
				p.Observe(&policy.Event{Kind: policy.Joined, Slot: len(v.IDs) - 1}, v)
			case k < 180:
				if slot := r.IntN(len(v.IDs)); v.Flows[slot] > 0 {
					v.Flows[slot]--
				}
			}
			total := 1
			for _, n := range v.Flows {
				total += int(n)
			}
			most := int(math.Ceil(float64(total*o.Factor) / 100 / float64(len(v.IDs))))
			w := &policy.Work{Tuple: policytest.Tuple(r)}
			a := p.Pick(w, v, nil)
			if n := int(v.Flows[a.Slot]) + 1; n > most {
				t.Fatalf("%+v: %d flows on an instance, of %d on %d", o, n, total, len(v.IDs))
			}
			at, _ := slices.BinarySearchFunc(*points, w.Hash(), func(q point, h uint64) int {
				if q.hash < h {
					return -1
				}
				return 1
			})
			passed := 0
			for ; ; at, passed = at+1, passed+1 {
				slot, _ := slices.BinarySearch(v.IDs, (*points)[at%len(*points)].id)
				if int(v.Flows[slot]) < most {
					if slot != a.Slot || (a.Why == 1) != (passed > 0) {
						t.Fatalf("%+v: answer %+v, want row %d behind %d points", o, a, slot, passed)
					}
					break
				}
			}
			if passed > 0 {
				further++
			}
			v.Flows[a.Slot]++
		}
		if o.Factor < 1000 && further == 0 || o.Factor > 1000 && further > 0 {
			t.Errorf("%+v: %d flows went further on", o, further)
		}
	}
}

// Without a bound that is reached, it is the ring.
func TestWithoutABoundItIsTheRing(t *testing.T) {
	all := flows(2000)
	want := homesAmong(t, &ringRow, ringOptions{160}, numbered(8), all)
	got := homesAmong(t, &boundedRow, boundedOptions{125, ringOptions{160}}, numbered(8), all)
	if !slices.Equal(got, want) {
		t.Error("flows that find no others go elsewhere than on the ring")
	}
}

// At 100 % all have the same after each round.
func TestABoundOfTheMeanIsEven(t *testing.T) {
	p, v := joined(t, &boundedRow, boundedOptions{100, ringOptions{160}}, numbered(8))
	all := flows(800)
	for i := range all {
		v.Flows[p.Pick(&all[i], v, nil).Slot]++
		if low, high := slices.Min(v.Flows), slices.Max(v.Flows); i%8 == 7 && low != high {
			t.Fatalf("after %d flows: %v", i+1, v.Flows)
		}
	}
}

// The points that were passed over are counted.
func TestPointsPassedOver(t *testing.T) {
	env := policy.Env{Counts: make([]uint64, 1)}
	p, err := boundedRow.New(boundedOptions{100, ringOptions{1}}, env)
	if err != nil {
		t.Fatal(err)
	}
	v := &policy.View{}
	for id := range 4 {
		v.IDs = append(v.IDs, flow.Instance(id+1))
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: id}, v)
	}
	w := flows(1)[0]
	b := p.(*bounded)
	last := b.points[(b.next(w.Hash())+3)%4].id
	v.Flows = []int32{1, 1, 1, 1}
	v.Flows[last-1] = 0
	if a := p.Pick(&w, v, nil); v.IDs[a.Slot] != last || a.Why != 1 || env.Counts[0] != 3 {
		t.Errorf("answer %+v, %d points passed over: want instance %d behind 3", a, env.Counts[0], last)
	}
}
