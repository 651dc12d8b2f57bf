package mesos

import (
	"math"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func TestContract(t *testing.T) {
	for _, row := range Policies {
		policytest.Run(t, row,
			options{Ask: 3e6},
			options{Ask: 1e6, Tenants: []share{{Name: "b", Weight: 3, Ask: 4e6, Memory: 2}}})
	}
}

// Mesos' own test of its sorter: after each step that sorts, the order of those that take part.
func TestSorter(t *testing.T) {
	type amount struct{ CPU, Mem int64 }
	type in struct {
		Total amount
		Steps [][]yaml.Node
	}
	of := func(n *yaml.Node) resources {
		a := policytest.Decode[amount](t, n)
		return resources{rate: a.CPU, memory: a.Mem}
	}
	for _, c := range policytest.Vectors(t, "mesos-drf", "order of clients") {
		x, want := policytest.Decode[in](t, &c.In), policytest.Decode[[]string](t, &c.Out)
		total := resources{rate: x.Total.CPU, memory: x.Total.Mem}
		clients, off := map[string]*tenant{}, map[string]bool{}
		for _, step := range x.Steps {
			what, name := step[0].Value, ""
			if len(step) > 1 {
				name = step[1].Value
			}
			switch what {
			case "add":
				clients[name] = &tenant{name: name, weight: 1, asks: of(&step[2]), allocations: 1}
			case "alloc":
				clients[name].asks.add(of(&step[2]), 1)
				clients[name].allocations++
			case "free":
				clients[name].asks.add(of(&step[2]), -1)
			case "remove":
				delete(clients, name)
			case "weight":
				clients[name].weight = policytest.Decode[float64](t, &step[2])
			case "total":
				total = of(&step[1])
			case "off", "on":
				off[name] = what == "off"
			case "sort":
				var order []*tenant
				for name, c := range clients {
					if !off[name] {
						order = append(order, c)
					}
				}
				slices.SortFunc(order, func(a, b *tenant) int {
					if before(a, a.share(a.asks, total, 0), b, b.share(b.asks, total, 0)) {
						return -1
					}
					return 1
				})
				got := ""
				for _, c := range order {
					got += c.name
				}
				if got != want[0] {
					t.Errorf("%s: order %s, want %s", c.ID, got, want[0])
				}
				want = want[1:]
			default:
				t.Fatalf("%s: step %s", c.ID, what)
			}
		}
		if len(want) > 0 {
			t.Errorf("%s: %d orders were not asked for", c.ID, len(want))
		}
	}
}

// bench has instances 1, 2, 3 ... and a host that keeps what waits.
type bench struct {
	t    *testing.T
	p    policy.Policy
	v    policy.View
	held map[string][]*policy.Work
	runs map[string][]*policy.Work // flows that have an instance
	next flow.ID
}

func newBench(t *testing.T, name string, o options, limit float64, maxconn ...int32) *bench {
	b := &bench{t: t, held: map[string][]*policy.Work{}, runs: map[string][]*policy.Work{}}
	b.p = policytest.New(t, policy.Table[policy.Row](Policies).Find(name), o, 1)
	b.v.Limit = limit
	for _, n := range maxconn {
		b.join(n)
	}
	return b
}

func (b *bench) join(maxconn int32) {
	v := &b.v
	v.IDs = append(v.IDs, flow.Instance(len(v.IDs)+1))
	v.Weight, v.MaxConn, v.Flows = append(v.Weight, 1), append(v.MaxConn, maxconn), append(v.Flows, 0)
	v.Load, v.Back = append(v.Load, 0), append(v.Back, 0)
	b.p.Observe(&policy.Event{Kind: policy.Joined, Slot: len(v.IDs) - 1}, v)
}

// comes has flows come to tenants, and returns where each is placed; 0 for one that waits.
func (b *bench) comes(tenants ...string) (at []flow.Instance) {
	for _, name := range tenants {
		w := &policy.Work{Flow: b.next, Tenant: name}
		b.next++
		if !b.place(w) {
			b.held[name] = append(b.held[name], w)
			b.p.Observe(&policy.Event{Kind: policy.Queued, Slot: -1, Work: w}, &b.v)
		}
		at = append(at, w.At)
	}
	return at
}

func (b *bench) place(w *policy.Work) bool {
	a := b.p.Pick(w, &b.v, nil)
	if a.Verdict != policy.Place {
		return false
	}
	if w.Held {
		b.held[w.Tenant] = b.held[w.Tenant][1:]
		b.p.Observe(&policy.Event{Kind: policy.Unqueued, Slot: -1, Work: w}, &b.v)
	}
	w.At, w.Held = b.v.IDs[a.Slot], false
	b.runs[w.Tenant] = append(b.runs[w.Tenant], w)
	b.v.Flows[a.Slot]++
	b.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: w}, &b.v)
	return true
}

// ends ends the first of a tenant's flows.
func (b *bench) ends(name string) {
	w := b.runs[name][0]
	b.runs[name] = b.runs[name][1:]
	slot := int(w.At) - 1
	b.v.Flows[slot]--
	b.p.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: w}, &b.v)
}

// reads has the counters come, and places what waits. It returns the tenants in the order in which they were served.
func (b *bench) reads() (order string) {
	b.v.Now += 1e12
	b.p.Observe(&policy.Event{Kind: policy.Measured, Since: b.v.Now - 1e12, Until: b.v.Now}, &b.v)
	return b.serve()
}

func (b *bench) serve() (order string) {
	r, stuck := b.p.(policy.Ranker), map[string]bool{}
	for {
		var first *policy.Work
		for name, held := range b.held {
			if len(held) > 0 && !stuck[name] && (first == nil || r.Before(r.Queue(held[0]), r.Queue(first))) {
				first = held[0]
			}
		}
		if first == nil {
			return order
		}
		first.Held = true
		if b.place(first) {
			order += first.Tenant
		} else {
			stuck[first.Tenant] = true
		}
	}
}

func many(name string, n int) []string { return slices.Repeat([]string{name}, n) }

// paper is the example of the paper, 4.1: of 9 CPUs and 18 GB, a task of A takes 1 and 4, and one of B takes 3 and 1.
var paper = options{Tenants: []share{{"A", 1, 1e6, 4}, {"B", 1, 3e6, 1}}}

// With it, A runs three tasks and B two, so that each has two thirds of what it needs most, and they get them by turns.
func TestPaper(t *testing.T) {
	b := newBench(t, "mesos-drf", paper, 9e6)
	b.comes(many("B", 10)...)
	b.comes(many("A", 10)...)
	b.join(18)
	if got := b.serve(); got != "ABABA" {
		t.Errorf("served %s, want ABABA", got)
	}
	// As tasks end, the shares stay so.
	for _, c := range []struct{ ends, want string }{{"A", "A"}, {"B", "B"}, {"A", "A"}} {
		b.ends(c.ends)
		if got := b.reads(); got != c.want {
			t.Errorf("a task of %s has ended: served %s, want %s", c.ends, got, c.want)
		}
	}
	// A tenant of twice the weight is to have twice the share: with 4 tasks of A, 16 of 18 GB are gone.
	heavy := paper
	heavy.Tenants = slices.Clone(paper.Tenants)
	heavy.Tenants[0].Weight = 3
	b = newBench(t, "mesos-drf", heavy, 9e6)
	b.comes(many("B", 10)...)
	b.comes(many("A", 10)...)
	b.join(18)
	if got := b.serve(); got != "ABAAA" {
		t.Errorf("with a weight of 3, served %s, want ABAAA", got)
	}
}

// Mesos does not share so finely. It offers the whole instance to the first tenant, which takes all that it has use
// for. What is left is for the other one.
func TestPaperByOffers(t *testing.T) {
	b := newBench(t, "mesos-offers", paper, 9e6)
	b.comes(many("B", 10)...)
	b.comes(many("A", 10)...)
	b.join(18)
	if got := b.serve(); got != "AAAA" {
		t.Errorf("served %s, want AAAA", got)
	}
	if got := b.reads(); got != "B" {
		t.Errorf("at the next allocation, served %s, want B", got)
	}
	// Of four instances, each tenant is offered two: what is offered counts at once.
	b = newBench(t, "mesos-offers", paper, 9e6)
	b.comes(many("B", 10)...)
	b.comes(many("A", 10)...)
	for range 4 {
		b.join(18)
	}
	b.reads()
	if a, c := len(b.runs["A"]), len(b.runs["B"]); a != 8 || c != 6 {
		t.Errorf("A has %d flows and B %d, want 8 and 6: two instances each", a, c)
	}
	// With a weight of 3, A is offered three of the four.
	heavy := paper
	heavy.Tenants = slices.Clone(paper.Tenants)
	heavy.Tenants[0].Weight = 3
	b = newBench(t, "mesos-offers", heavy, 9e6)
	b.comes(many("B", 20)...)
	b.comes(many("A", 20)...)
	for range 4 {
		b.join(18)
	}
	b.reads()
	if a, c := len(b.runs["A"]), len(b.runs["B"]); a != 12 || c != 3 {
		t.Errorf("A has %d flows and B %d, want 12 and 3: three instances and one", a, c)
	}
}

// Of tenants with equal shares, that which has had fewer flows so far is the first; one whose flow has ended has had
// it. Which resource is the dominant one follows from the instances that there are.
func TestOrder(t *testing.T) {
	b := newBench(t, "mesos-drf", options{Ask: 1e6}, 4e6, 0)
	b.comes("a")
	b.ends("a")
	b.comes("a", "b")
	if b.comes("a", "b", "a", "b"); b.serve() != "" { // full after four
		t.Fatal("too many flows fit")
	}
	b.ends("a")
	b.ends("b")
	if got := b.reads(); got != "ba" {
		t.Errorf("served %s, want b before a", got)
	}

	b = newBench(t, "mesos-drf", options{Tenants: []share{{"a", 1, 2e6, 1}, {"b", 1, 1e6, 3}}}, 10e6, 10)
	b.comes("a", "b")
	before := func() bool { return b.p.(policy.Ranker).Before(0, 1) }
	if !before() {
		t.Error("a has 2 of 10 Mpps, b 3 of 10 flows: want a first")
	}
	b.join(100)
	if before() {
		t.Error("a has 2 of 20 Mpps, b 1 of 20 Mpps and 3 of 110 flows: want b first")
	}
	b.p.Observe(&policy.Event{Kind: policy.Left, Slot: 1}, &b.v)
	if !before() {
		t.Error("when the second instance has left, want a first again")
	}
	b.v.IDs, b.v.MaxConn = b.v.IDs[:1], b.v.MaxConn[:1]
	b.join(0)
	if before() {
		t.Error("memory that has no end is no resource: want b first")
	}
}

// A tenant alone gets a random one of the instances that have room: it is as if there were no tenants.
func TestOneTenant(t *testing.T) {
	const flows = 3000
	for _, row := range Policies {
		b := newBench(t, row.Name, options{Ask: 1e6}, 1e6*flows, 0, flows/4, 0)
		count := map[flow.Instance]float64{}
		for range flows {
			count[b.comes("")[0]]++
		}
		// The second is full after about 3/4 of the flows; the others share the rest.
		if count[2] != flows/4 || math.Abs(count[1]-count[3]) > 5*math.Sqrt(flows) || count[0] != 0 {
			t.Errorf("%s: flows by instance %v", row.Name, count)
		}
	}
}

// A flow waits while it fits nowhere, and flows of another tenant that fit go on: nobody waits for a tenant whose flow
// is too large. The rate of a flow that asks for none is the mean of the live ones.
func TestWaits(t *testing.T) {
	o := options{Tenants: []share{{"large", 1, 6e6, 1}, {"small", 1, 2e6, 1}}}
	for _, row := range Policies {
		b := newBench(t, row.Name, o, 10e6, 0)
		got := b.comes("large", "large", "small", "small", "small")
		if want := []flow.Instance{1, 0, 1, 1, 0}; !slices.Equal(got, want) {
			t.Errorf("%s: instances %v, want %v", row.Name, got, want)
		}
		if got, want := b.p.(policy.Estimator).Demand(), 4e6; got != want {
			t.Errorf("%s: those that wait ask for %v each, want the mean %v", row.Name, got, want)
		}
		b.ends("small")
		if got := b.reads(); got != "small" {
			t.Errorf("%s: served %s, want the small one", row.Name, got)
		}
		b.ends("large")
		if got := b.reads(); got != "large" {
			t.Errorf("%s: served %s, want the large one", row.Name, got)
		}
	}
	b := newBench(t, "mesos-drf", options{}, 10e6, 0)
	b.comes(many("x", 5)...)
	b.p.Observe(&policy.Event{Kind: policy.Asked}, &b.v)
	b.v.Now += 1e12
	b.p.Observe(&policy.Event{Kind: policy.Asked}, &b.v)
	b.v.Load, b.v.Live, b.v.LiveLoad = []float64{8e6}, b.v.IDs, []float64{8e6}
	b.p.Observe(&policy.Event{Kind: policy.Measured, Since: 0, Until: b.v.Now}, &b.v)
	if got, want := b.comes("x", "x"), []flow.Instance{1, 0}; !slices.Equal(got, want) {
		t.Errorf("five flows of 1.6 Mpps, and two more on 10 Mpps: %v, want %v", got, want)
	}
}

// Flows on an instance that takes none any more find another one, where no flow waits.
func TestFlowsOfAnInstanceThatDrains(t *testing.T) {
	for _, row := range Policies {
		b := newBench(t, row.Name, options{Ask: 1e6}, 10e6, 0, 0)
		b.comes(many("a", 8)...)
		v := &b.v
		b.p.Observe(&policy.Event{Kind: policy.Left, Slot: 1}, v)
		v.IDs, v.Weight, v.MaxConn, v.Flows = v.IDs[:1], v.Weight[:1], v.MaxConn[:1], v.Flows[:1]
		v.Load, v.Back = v.Load[:1], v.Back[:1]
		b.v.Now += 1e12
		b.p.Observe(&policy.Event{Kind: policy.Measured, Since: 0, Until: v.Now}, v)
		for _, w := range b.runs["a"] {
			if a := b.p.Pick(w, v, nil); w.At == 2 && (a.Verdict != policy.Place || a.Slot != 0) {
				t.Errorf("%s: %+v for a flow of the instance that drains", row.Name, a)
			}
		}
	}
}

func TestATenantIsNamedOnce(t *testing.T) {
	_, err := Policies[0].New(options{Tenants: []share{{"a", 1, 0, 1}, {"b", 1, 0, 1}, {"a", 2, 0, 1}}},
		policy.Env{Counts: make([]uint64, 2)})
	if want := `tenants.2.name: "a", which is there before: want each tenant once`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
