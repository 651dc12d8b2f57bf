// Package mesos has Mesos' way of sharing a cluster between frameworks, as policies that share instances between
// tenants.
//
// Mesos decides in two levels. The allocator chooses, by dominant resource fairness, the framework to which resources
// are offered; the framework decides what it runs on them. It places tasks, not flows, so this is a reconstruction. An
// agent is an instance, a task is a flow, and a tenant is a role with one framework. The packet rate stands for the
// CPU, of which an instance has scheduler.limit, and the flows stand for the memory, of which it has
// instances.maxconn. As in Mesos, what counts is what flows ask for, not what they bring.
package mesos

import (
	"fmt"
	"math"
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{drfRow, offersRow}

const reconstruction = "a reconstruction: Mesos places tasks on agents. The packet rate stands for the CPU, the " +
	"flows for the memory, which without maxconn is endless; "

// The reasons of both rows.
const (
	accepted uint8 = iota
	waits
)

func row(info policy.Info, counters []string, of func(books) policy.Policy) policy.Row {
	info.Score, info.Sees = "packets a second that are asked of the instance", policy.T0|policy.T1|policy.T2
	info.State = "what the flows of each tenant, and those on each instance, ask for; the mean rate of live flows, " +
		"where some ask for that"
	return policy.Row{
		Info: info, Tenant: true, Counters: counters,
		Reasons: []string{accepted: "accepts an offer", waits: "no offer is large enough: waits"},
		Maker: policy.Make(func(o options, env policy.Env) (policy.Policy, error) {
			b, err := newBooks(o, env)
			return of(b), err
		}),
	}
}

type options struct {
	Ask     units.PPS `yaml:"ask" default:"0pps"`
	Tenants []share   `yaml:"tenants"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
ask: the packet rate that a flow asks for; 0pps: the mean rate of the live flows of all tenants, as it is measured
tenants: in what tenants differ; those that are not listed have the defaults
`
}

// TenantNames are the tenants that the options speak of.
func (o options) TenantNames() (names []string) {
	for _, t := range o.Tenants {
		names = append(names, t.Name)
	}
	return names
}

// share is what one tenant is to have.
type share struct {
	Name   string    `yaml:"name" required:"true"`
	Weight float64   `yaml:"weight" default:"1" above:"0" max:"1000000"`
	Ask    units.PPS `yaml:"ask" default:"0pps"`
	Memory int       `yaml:"memory" default:"1" min:"0" max:"1000000"`
}

// Docs implements strictyaml.Documented.
func (share) Docs() string {
	return `
name: the tenant of a source of traffic
weight: a tenant of twice the weight is to have twice the dominant share
ask: the packet rate that each of its flows asks for; 0pps: the same as of other tenants
memory: how many of the flows of instances.maxconn each of its flows counts as
`
}

// books are what there is, what flows ask for, and what waits.
type books struct {
	thesis.Fit // for the mean rate of the live flows
	env        policy.Env
	options    options
	total      resources
	tenants    []tenant
	numbers    map[string]int // of the tenants, by name
	asked      []resources    // of instances, by number
	order      []int          // rows, in an order that earlier decisions left
	tried      []policy.Rating
}

func newBooks(o options, env policy.Env) (books, error) {
	mean := thesis.Options{Metric: "offered", Demand: "mean", NoFit: "queue"}
	b := books{Fit: thesis.NewFit(mean, env), env: env, options: o, numbers: map[string]int{}}
	for i, t := range o.Tenants {
		if _, found := b.numbers[t.Name]; found {
			return b, fmt.Errorf("tenants.%d.name: %q, which is there before: want each tenant once", i, t.Name)
		}
		if t.Ask == 0 {
			t.Ask = o.Ask
		}
		b.add(t)
	}
	return b, nil
}

// add takes a tenant in.
func (b *books) add(s share) (number int) {
	t := tenant{name: s.Name, weight: s.Weight,
		each: resources{rate: int64(math.Ceil(float64(s.Ask))), memory: int64(s.Memory)}}
	if t.each.rate == 0 {
		t.each.means = 1
	}
	number = len(b.tenants)
	b.tenants = append(b.tenants, t)
	b.numbers[s.Name] = number
	return number
}

// Queue implements policy.Ranker: each tenant has one.
func (b *books) Queue(w *policy.Work) int {
	n, found := b.numbers[w.Tenant]
	if !found {
		n = b.add(share{Name: w.Tenant, Weight: 1, Ask: b.options.Ask, Memory: 1})
	}
	return n
}

// Before implements policy.Ranker.
func (b *books) Before(i, j int) bool {
	x, y, mean := &b.tenants[i], &b.tenants[j], b.Fit.Demand()
	return before(x, x.share(x.asks, b.total, mean), y, y.share(y.asks, b.total, mean))
}

// Demand is what a flow that waits asks for, in the mean. It implements policy.Estimator.
func (b *books) Demand() float64 {
	var asks resources
	waiting := int64(0)
	for i := range b.tenants {
		t := &b.tenants[i]
		asks.add(t.each, t.waiting)
		waiting += t.waiting
	}
	if waiting == 0 {
		return b.Fit.Demand()
	}
	return asks.packets(b.Fit.Demand()) / float64(waiting)
}

// Observe keeps the books.
func (b *books) Observe(e *policy.Event, v *policy.View) {
	b.Fit.Observe(e, v)
	switch e.Kind {
	case policy.Joined:
		b.total.add(all(v, e.Slot), 1)
		b.follow(len(v.IDs))
		b.asked = append(b.asked, make([]resources, max(0, int(v.IDs[e.Slot])+1-len(b.asked)))...)
	case policy.Left:
		b.total.add(all(v, e.Slot), -1)
		b.follow(len(v.IDs) - 1)
	case policy.Placed:
		b.asks(e.Work, +1)
	case policy.Ended:
		b.asks(e.Work, -1)
	case policy.Queued:
		b.tenants[b.Queue(e.Work)].waiting++
	case policy.Unqueued:
		b.tenants[b.Queue(e.Work)].waiting--
	}
}

// asks notes that a flow has got an instance, or has none any more.
func (b *books) asks(w *policy.Work, sign int64) {
	t := &b.tenants[b.Queue(w)]
	t.asks.add(t.each, sign)
	b.asked[w.At].add(t.each, sign)
}

// follow begins an order of so many rows.
func (b *books) follow(rows int) {
	b.order = b.order[:0]
	for slot := range rows {
		b.order = append(b.order, slot)
	}
}

// draw is the next row in a random order, of which some have been drawn.
func (b *books) draw(drawn int) (slot int) {
	i := drawn + b.env.Rand.IntN(len(b.order)-drawn)
	b.order[drawn], b.order[i] = b.order[i], b.order[drawn]
	return b.order[drawn]
}

// all is what an instance has.
func all(v *policy.View, slot int) resources {
	r := resources{rate: max(1, int64(v.Limit)), memory: int64(v.MaxConn[slot])}
	if r.memory == 0 {
		r.endless = 1
	}
	return r
}

// fits reports whether what is left of an instance is enough for a flow of a tenant.
func (b *books) fits(v *policy.View, slot int, t *tenant) bool {
	asked, most := &b.asked[v.IDs[slot]], int64(v.MaxConn[slot])
	if most > 0 && asked.memory+t.each.memory > most {
		return false
	}
	both := resources{rate: asked.rate + t.each.rate, means: asked.means + t.each.means}
	return !numeric.Exceeds(both.packets(b.Fit.Demand()), v.Limit)
}

// try is fits, and takes the row down for the log.
func (b *books) try(v *policy.View, slot int, t *tenant, log *policy.Weighed) bool {
	fits := b.fits(v, slot, t)
	if log != nil {
		rate := b.asked[v.IDs[slot]].packets(b.Fit.Demand())
		b.tried = append(b.tried, policy.Rating{Slot: slot, Score: rate, Fits: fits})
	}
	return fits
}

// weigh logs the rows that were tried.
func (b *books) weigh(log *policy.Weighed) {
	slices.SortFunc(b.tried, func(x, y policy.Rating) int { return x.Slot - y.Slot })
	for _, r := range b.tried {
		log.Add(r.Slot, r.Score, r.Fits)
	}
	b.tried = b.tried[:0]
}
