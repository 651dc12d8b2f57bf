// Package ipipe has a scheduler after iPipe (Liu et al., SIGCOMM 2019), which runs actors on the cores of a SmartNIC as
// long as these keep up, and on the host otherwise. Here an actor is a tenant, and the first instances are cores of the
// card.
//
// Actors are in one of three places. Those whose requests take about equally long share cores of the card that serve in
// order of arrival. An actor whose requests take unequally long would hold up the others: it is downgraded to cores
// that share their time among actors. What is too much for the card is pushed to the host. Each way leads back when
// there is room again, by thresholds that lie lower, so that nothing goes to and fro at one of them.
//
// The tail of response times is estimated as mean and three standard deviations, both moving, as in iPipe.
package ipipe

import (
	"errors"
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{row}

var row = policy.Row{
	Info: policy.Info{Name: "ipipe",
		Rule: "an actor's requests go to cores of the card in order of arrival, to others of them that share their " +
			"time among actors, or to the host, by mean and tail of response times",
		Source: "Liu et al., SIGCOMM 2019, 3.2",
		Score:  "requests", Sees: policy.T0 | policy.T1,
		State: "for each actor its place, and the moving mean and deviation of its response times; the requests " +
			"under way, and those that wait",
		Cost: "n; the actors after a reply",
		Deviates: "after what the paper is known for: its text was not read again for this, and the thresholds' " +
			"values are choices here, as is after how many replies the next change may come; an actor is a tenant; " +
			"how many cores share their time is given, and does not follow the load; cores that share take the " +
			"request of the actor that has had the least of their time, in the place of rounds with deficits; moving " +
			"an actor takes no time, and its requests under way stay where they are"},
	Unit:   policy.Requests,
	Tenant: true,
	Reasons: []string{inOrder: "core in order of arrival", shared: "core that is shared",
		atHost: "host: fewest requests", busy: "all cores have enough: waits",
		elsewhere: "none of its cores takes work: fewest requests of all"},
	Counters: []string{downgrades: "actors downgraded to shared cores", upgrades: "actors upgraded",
		pushes: "actors pushed to the host", pulls: "actors pulled back"},
	Maker: policy.Make(newCard),
}

// The reasons. The first three are those of the places.
const (
	inOrder uint8 = iota
	shared
	atHost
	busy
	elsewhere
)

// The counters.
const (
	downgrades = iota
	upgrades
	pushes
	pulls
)

type options struct {
	Card   int        `yaml:"card" default:"4" min:"1" max:"65536"`
	Shared int        `yaml:"shared" default:"1" min:"0" max:"65535"`
	Depth  int        `yaml:"depth" default:"1" min:"1" max:"1000000"`
	Mean   units.Time `yaml:"mean_thresh" default:"50us" above:"0"`
	Tail   units.Time `yaml:"tail_thresh" default:"200us" above:"0"`
	Alpha  float64    `yaml:"alpha" default:"0.2" min:"0" max:"1"`
	Most   int        `yaml:"q_thresh" default:"64" min:"1" max:"1000000000"`
	Settle int        `yaml:"settle" default:"1024" min:"1" max:"1000000000"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
card: how many instances, from the first on, are cores of the card; the others are the host's
shared: how many of them, from the last one back, share their time among actors; 0: there is no downgrade
depth: most requests that a core of the card has; more wait before them
mean_thresh: of the mean response time in order of arrival: above it, the actor with the greatest load goes to the host
tail_thresh: of the tail in order of arrival: above it, the actor with the longest tail goes to shared cores
alpha: a change is taken back where mean, or tail, is below the threshold by this share of it
q_thresh: an actor of shared cores with more requests that wait goes to the host
settle: replies between a change and the next one (own choice)
`
}

// card is the scheduler.
type card struct {
	options
	ties    policy.Ties
	counts  []uint64
	actors  []actor
	names   map[string]int
	way     map[flow.ID]times // of requests that wait or are placed
	freed   flow.ID           // the last that ceased to wait, for what Placed tells next
	since   units.Time        // when that came
	came    uint64            // requests that had to wait so far
	replies int               // since the last change
	inOrder moving            // response times in order of arrival, since the last change
}

// times are when a request came and when it was placed, and where.
type times struct {
	came, placed units.Time
	place        uint8
	number       uint64 // of those that had to wait; 0 for one that is placed
}

// actor is a tenant.
type actor struct {
	place uint8
	times moving
	load  float64 // seconds of response times since the last change
	had   float64 // seconds of shared cores
	waits int     // requests that wait
	order []flow.ID
	done  int // of order, that wait no more; behind it there may be more of these
}

// moving is a moving mean and variance, in seconds.
type moving struct {
	n              int
	mean, variance float64
}

// gain is the weight of a new value.
const gain = 1.0 / 16

// add takes a value, as Finch has it for weights that fall exponentially (2009, Incremental calculation of weighted
// mean and variance, section 9). The first is the mean.
func (m *moving) add(x float64) {
	if m.n++; m.n == 1 {
		m.mean = x
		return
	}
	d := x - m.mean
	m.mean += float64(gain * d)
	m.variance = float64((1 - gain) * (m.variance + float64(gain*float64(d*d))))
}

// tail is mean and three deviations.
func (m *moving) tail() float64 { return m.mean + float64(3*math.Sqrt(m.variance)) }

func newCard(o options, env policy.Env) (policy.Policy, error) {
	if o.Shared >= o.Card {
		return nil, errors.New("shared: as many as card, or more: want fewer, so that some serve in order of arrival")
	}
	return &card{options: o, ties: env.Ties, counts: env.Counts, names: map[string]int{},
		way: map[flow.ID]times{}}, nil
}

// of is the number of the actor of a request.
func (c *card) of(w *policy.Work) int {
	i, known := c.names[w.Tenant]
	if !known {
		i = len(c.actors)
		c.names[w.Tenant] = i
		c.actors = append(c.actors, actor{})
	}
	return i
}

// Observe keeps the times of requests, and moves actors after replies.
func (c *card) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Queued:
		c.came++
		a := &c.actors[c.of(e.Work)]
		a.push(e.Work.Flow)
		c.way[e.Work.Flow] = times{came: v.Now, number: c.came}
		if a.place == shared && a.waits > c.Most && c.hosted(v) {
			c.move(a, atHost, pushes)
		}
	case policy.Unqueued:
		c.actors[c.of(e.Work)].waits--
		c.freed, c.since = e.Work.Flow, c.way[e.Work.Flow].came
		delete(c.way, e.Work.Flow)
	case policy.Placed:
		t := times{came: v.Now, placed: v.Now, place: c.placeOf(e.Work.At)}
		if e.Work.Held && e.Work.Flow == c.freed {
			t.came = c.since
		}
		c.way[e.Work.Flow] = t
	case policy.Ended:
		if t, known := c.way[e.Work.Flow]; known {
			delete(c.way, e.Work.Flow)
			c.ended(&c.actors[c.of(e.Work)], t, v)
		}
	}
}

// placeOf is what an instance serves.
func (c *card) placeOf(id flow.Instance) uint8 {
	switch {
	case int(id) > c.Card:
		return atHost
	case int(id) > c.Card-c.Shared:
		return shared
	}
	return inOrder
}

// hosted reports whether the host takes work.
func (c *card) hosted(v *policy.View) bool {
	return len(v.IDs) > 0 && int(v.IDs[len(v.IDs)-1]) > c.Card
}

// ended takes a reply.
func (c *card) ended(a *actor, t times, v *policy.View) {
	x := (v.Now - t.came).Seconds()
	a.times.add(x)
	a.load += x
	switch t.place {
	case inOrder:
		c.inOrder.add(x)
	case shared:
		a.had += (v.Now - t.placed).Seconds()
	}
	if c.replies++; c.replies >= c.Settle {
		c.judge(v)
	}
}

// judge makes the change that is due, if any.
func (c *card) judge(v *policy.View) {
	of := func(place uint8, better func(a, b *actor) bool) (best *actor) {
		for i := range c.actors {
			if a := &c.actors[i]; a.place == place && a.times.n > 0 && (best == nil || better(a, best)) {
				best = a
			}
		}
		return best
	}
	heavier := func(a, b *actor) bool { return a.load > b.load }
	lighter := func(a, b *actor) bool { return a.load < b.load }
	wilder := func(a, b *actor) bool { return a.times.tail() > b.times.tail() }
	calmer := func(a, b *actor) bool { return a.times.tail() < b.times.tail() }
	mean, tail := c.inOrder.mean, c.inOrder.tail()
	if of(inOrder, heavier) == nil { // what the last to leave took says nothing of the next
		mean, tail = 0, 0
	}
	again := 1 - c.Alpha
	most, tailMost := c.Mean.Seconds(), c.Tail.Seconds()
	switch {
	case mean > most && c.hosted(v):
		c.move(of(inOrder, heavier), atHost, pushes)
	case tail > tailMost && c.Shared > 0:
		c.move(of(inOrder, wilder), shared, downgrades)
	case mean < float64(again*most) && of(atHost, lighter) != nil:
		c.move(of(atHost, lighter), inOrder, pulls)
	case tail < float64(again*tailMost):
		c.move(of(shared, calmer), inOrder, upgrades)
	}
}

// move gives an actor another place, and begins to measure anew.
func (c *card) move(a *actor, to uint8, counter int) {
	if a == nil {
		return
	}
	if a.place = to; to == shared { // as much as the one that had least, so that it makes up for no time before
		a.had = math.Inf(1)
		for i := range c.actors {
			if b := &c.actors[i]; b != a && b.place == shared {
				a.had = min(a.had, b.had)
			}
		}
		if math.IsInf(a.had, 1) {
			a.had = 0
		}
	}
	c.counts[counter]++
	c.replies, c.inOrder = 0, moving{}
	for i := range c.actors {
		c.actors[i].load = 0
	}
}

func (c *card) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	place := c.actors[c.of(w)].place
	best, found, ties, any := 0, false, 0, 0
	for slot, n := range v.Flows {
		of := c.placeOf(v.IDs[slot])
		log.Add(slot, float64(n), of == place && (place == atHost || int(n) < c.Depth))
		if v.Flows[any] > n {
			any = slot
		}
		switch {
		case of != place:
		case !found || n < v.Flows[best]:
			best, found, ties = slot, true, 1
		case n == v.Flows[best]:
			if ties++; c.ties.Wins(ties) {
				best = slot
			}
		}
	}
	switch {
	case !found:
		return policy.Answer{Slot: any, Why: elsewhere}
	case place != atHost && int(v.Flows[best]) >= c.Depth:
		return policy.Answer{Verdict: policy.Hold, Why: busy}
	}
	return policy.Answer{Slot: best, Why: place}
}

// Queue implements policy.Ranker: each actor has a queue.
func (c *card) Queue(w *policy.Work) int { return c.of(w) }

// Before implements policy.Ranker: on shared cores, the actor that has had the least of their time; otherwise the one
// whose first request came first.
func (c *card) Before(a, b int) bool {
	x, y := &c.actors[a], &c.actors[b]
	switch {
	case x.place != y.place:
		return x.place < y.place
	case x.place == shared && x.had != y.had:
		return x.had < y.had
	}
	return c.first(x) < c.first(y)
}

// push adds a request that has to wait.
func (a *actor) push(id flow.ID) {
	if a.done > 0 && len(a.order) == cap(a.order) {
		a.order, a.done = a.order[:copy(a.order, a.order[a.done:])], 0
	}
	a.order = append(a.order, id)
	a.waits++
}

// first is the number of the actor's oldest request that waits, or one after all others where none does.
func (c *card) first(a *actor) uint64 {
	for ; a.done < len(a.order); a.done++ {
		if number := c.way[a.order[a.done]].number; number > 0 {
			return number
		}
	}
	a.order, a.done = a.order[:0], 0
	return math.MaxUint64
}
