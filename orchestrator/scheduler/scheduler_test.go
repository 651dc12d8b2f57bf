package scheduler

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func options(name string, edit func(*Options)) Options {
	o := DefaultOptions()
	o.Policy = Named(name)
	if edit != nil {
		edit(&o)
	}
	return o
}

func TestWithoutAnInstance(t *testing.T) {
	for _, row := range On(policy.Flows) {
		for noInstance, want := range map[string]policy.Verdict{"hold": policy.Hold, "drop": policy.Drop} {
			s, err := New(options(row.Name, func(o *Options) { o.NoInstance = noInstance }), 1)
			if err != nil {
				t.Fatal(err)
			}
			v := &policy.View{Limit: 10e6}
			if a, why := s.Decide(&policy.Work{}, v, true); a.Verdict != want || !strings.Contains(why, "no instance") {
				t.Errorf("%s, no_instance: %s: %+v, %s", row.Name, noInstance, a, why)
			}
			if c := s.Candidates(v, nil); len(c) > 0 {
				t.Errorf("%s: candidates %v where there is no instance", row.Name, c)
			}
		}
	}
}

// The host of flows refuses a policy of requests, and says which it is.
func TestPoliciesOfRequestsAreRefused(t *testing.T) {
	row := policy.Row{Info: policy.Info{Name: "probing"}, Unit: policy.Requests, Reasons: []string{"none"},
		Maker: policy.Plain(func(policy.Env) policy.Policy { return &rated{} })}
	_, err := Host(&row, DefaultOptions(), 1)
	if want := "scheduler.policy: probing decides on requests, and this engine has flows"; err == nil ||
		!strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
	row.Unit = policy.Either
	if _, err := Host(&row, DefaultOptions(), 1); err != nil {
		t.Error(err)
	}
}

// What requests bring is counted by nobody, so that power-of-d cannot go by it.
func TestOptionsThatRequestsDoNotHave(t *testing.T) {
	o := options("power-of-d", func(o *Options) {
		v := reflect.New(reflect.TypeOf(o.Policy.Options)).Elem()
		v.Set(reflect.ValueOf(o.Policy.Options))
		v.FieldByName("By").SetString("load")
		o.Policy.Options = v.Interface()
	})
	row := Policies.Find("power-of-d")
	if _, _, err := Make(row, o, policy.Flows, 1); err != nil {
		t.Error(err)
	}
	_, _, err := Make(row, o, policy.Requests, 1)
	if want := "scheduler.policy.power-of-d.by: load"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestNamesAreDistinct(t *testing.T) {
	names := Policies.Names()
	slices.Sort(names)
	if n := len(names); len(slices.Compact(names)) != n {
		t.Errorf("two policies have the same name: %v", Policies.Names())
	}
}

// What nobody could know is shown to those policies alone whose names say so.
func TestOraclesAloneSeeTheTruth(t *testing.T) {
	for _, row := range Policies {
		if named := strings.HasPrefix(row.Name, "oracle"); named != row.Sees.Has(policy.T5) {
			t.Errorf("%s sees %v", row.Name, row.Sees)
		}
	}
}

// rated is a policy that weighs all instances by what it is given.
type rated struct {
	policy.Stateless
	ratings []policy.Rating
}

func (r rated) Pick(_ *policy.Work, _ *policy.View, log *policy.Weighed) policy.Answer {
	for _, x := range r.ratings {
		log.Add(x.Slot, x.Score, x.Fits)
	}
	return policy.Answer{Verdict: policy.Hold}
}

// Of many candidates the best are logged, as if all were sorted.
func TestCandidates(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		v := &policy.View{}
		p := &rated{}
		for i := range 1 + rnd.IntN(300) {
			v.IDs = append(v.IDs, flow.Instance(1+2*i))
			if rnd.IntN(5) > 0 {
				p.ratings = append(p.ratings,
					policy.Rating{Slot: i, Score: float64(rnd.IntN(12)), Fits: rnd.IntN(3) > 0})
			}
		}
		row := policy.Row{Info: policy.Info{Name: "rated"}, Highest: rnd.IntN(2) == 0, Reasons: []string{"none"},
			Maker: policy.Plain(func(policy.Env) policy.Policy { return p })}
		s, err := Host(&row, DefaultOptions(), 1)
		if err != nil {
			t.Fatal(err)
		}
		s.Decide(&policy.Work{}, v, true)
		if got, want := s.Candidates(v, nil), sorted(p.ratings, v, row.Highest); !reflect.DeepEqual(got, want) {
			t.Fatalf("highest %v: candidates %v, want %v", row.Highest, got, want)
		}
	}
}

func sorted(ratings []policy.Rating, v *policy.View, highest bool) (all []Candidate) {
	for _, x := range ratings {
		all = append(all, Candidate{v.IDs[x.Slot], x.Score, x.Fits})
	}
	slices.SortStableFunc(all, func(a, b Candidate) int {
		switch better := a.Score < b.Score != highest; {
		case a.Fits != b.Fits && a.Fits:
			return -1
		case a.Fits != b.Fits:
			return 1
		case a.Score == b.Score:
			return 0
		case better:
			return -1
		}
		return 1
	})
	all = all[:min(len(all), MaxCandidates)]
	slices.SortFunc(all, func(a, b Candidate) int { return int(a.Instance - b.Instance) })
	return all
}

func TestValidateNamesKeyAndChoices(t *testing.T) {
	for _, tc := range []struct {
		edit func(*Options)
		want []string
	}{
		{func(o *Options) { o.Policy.Name = "best" },
			[]string{"scheduler.policy", `"best"`, strings.Join(Policies.Names(), ", ")}},
		{func(o *Options) { o.Limit = 0 }, []string{"scheduler.limit", "0pps", "above 0"}},
		{func(o *Options) { o.DemandRate = -1 }, []string{"scheduler.demand_rate", "a packet rate"}},
		{func(o *Options) { o.Demand = "fixed" }, []string{"scheduler.demand_rate", "fixed"}},
		{func(o *Options) { o.Demand = "max" }, []string{"scheduler.demand", "zero, mean, last, fixed"}},
		{func(o *Options) { o.NoFit = "" }, []string{"scheduler.nofit", "least-loaded, reject, queue"}},
		{func(o *Options) { o.Ties = "?" }, []string{"scheduler.ties", "first, random"}},
		{func(o *Options) { o.NoInstance = "?" }, []string{"scheduler.no_instance", "hold, drop"}},
		{func(o *Options) { o.Rules = "few" }, []string{"scheduler.rules", "flow, none"}},
		{func(o *Options) { o.Rules = "none" },
			[]string{"scheduler.rules: none with policy: best-fit", "maglev", "cheetah"}},
	} {
		_, err := New(options("best-fit", tc.edit), 1)
		for _, w := range tc.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v does not mention %s", err, w)
			}
		}
	}
}

// Which policies go by instances.weights and instances.maxconn, as docs/policies.md says: those by shares place other
// flows where the weights are unlike, the others of weights at least none on an instance of weight 0. By default,
// Katran's weights say too little to be seen here.
func TestWhichPoliciesGoByWeights(t *testing.T) {
	shares := strings.Fields("ipvs-wrr ipvs-wlc ipvs-sed ipvs-nq ipvs-sh ipvs-mh ipvs-ovf ipvs-fo ipvs-twos " +
		"ipvs-lblc haproxy-roundrobin haproxy-static-rr haproxy-leastconn haproxy-random haproxy-source haproxy-hash " +
		"hrw spill-over beamer envoy-round-robin envoy-least-request envoy-ring-hash envoy-maglev")
	zero := append(strings.Fields("ipvs-rr ipvs-lc ipvs-dh haproxy-first envoy-random envoy-peak-ewma katran"),
		shares...)
	limits := append(strings.Fields("ipvs-rr ipvs-lc ipvs-dh haproxy-first nomad-binpack nomad-spread mesos-drf "+
		"mesos-offers"), shares...)
	limits = slices.DeleteFunc(limits, func(s string) bool {
		return slices.Contains([]string{"haproxy-source", "haproxy-hash", "hrw", "spill-over", "beamer"}, s) ||
			strings.HasPrefix(s, "envoy-")
	})
	for _, row := range On(policy.Flows) {
		equal := placements(t, row.Name, []int32{2, 2, 2}, []int32{0, 0, 0})
		for _, c := range []struct {
			what         string
			weights, max []int32
			goBy         []string
		}{
			{"the weights", []int32{2, 7, 3}, []int32{0, 0, 0}, shares},
			{"the weight 0", []int32{0, 2, 0}, []int32{0, 0, 0}, zero},
			{"maxconn", []int32{2, 2, 2}, []int32{2, 2, 2}, limits},
		} {
			differ := !slices.Equal(placements(t, row.Name, c.weights, c.max), equal)
			if want := slices.Contains(c.goBy, row.Name); differ != want {
				t.Errorf("%s goes by %s: %v, want %v", row.Name, c.what, differ, want)
			}
		}
	}
}

// placements are the instances of 60 flows that do not end, 0 for none.
func placements(t *testing.T, name string, weights, most []int32) (at []flow.Instance) {
	s, err := New(options(name, nil), 1)
	if err != nil {
		t.Fatal(err)
	}
	v := &policy.View{Limit: 10e6}
	for i := range weights {
		v.IDs, v.Weight, v.MaxConn = append(v.IDs, flow.Instance(i+1)), weights[:i+1], most[:i+1]
		v.Flows, v.Load, v.Back = append(v.Flows, 0), append(v.Load, 0), append(v.Back, 0)
		s.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, v)
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for f := range flow.ID(60) {
		w := &policy.Work{Flow: f, Tuple: policytest.Tuple(rnd)}
		if a, _ := s.Decide(w, v, false); a.Verdict == policy.Place {
			w.At = v.IDs[a.Slot]
			v.Flows[a.Slot]++
			s.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: w}, v)
		}
		at = append(at, w.At)
	}
	return at
}
