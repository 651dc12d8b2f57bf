package policy

import (
	"fmt"
	"strings"
)

// Class is a set of classes of telemetry: how an observation reaches the orchestrator. A policy declares those that it
// uses and sees no other, so that a policy taken from the literature knows no more here than it did there.
type Class uint8

// The classes that this orchestrator offers.
const (
	T0 Class = 1 << iota // static: instance numbers, weights, limits; always fresh
	T1                   // own counters: flows the orchestrator itself assigned and has seen end; always fresh
	T2                   // rule counters of the switch; as old as the window and the delay of the reading
	T3                   // what an agent on the instance reports; as old as its period and its delay

	T5 Class = 1 << 5 // the truth of a simulated workload: flows' rates. For policies called oracle; no hardware has it
)

// Has reports whether all classes of d are in the set.
func (c Class) Has(d Class) bool { return c&d == d }

// String lists the classes: "T0 T2".
func (c Class) String() string {
	var names []string
	for i := range 8 {
		if c.Has(1 << i) {
			names = append(names, fmt.Sprintf("T%d", i))
		}
	}
	return strings.Join(names, " ")
}

// Info describes a policy of any kind to its users: of scheduling, of scaling, of choosing a victim.
type Info struct {
	Name   string
	Rule   string // in one line
	Source string // where the rule comes from
	Score  string // what the scores in the decision log mean, with their unit; empty where none are logged
	Sees   Class  // what it may look at

	State    string // what it keeps between decisions, and how much of it; empty: nothing
	Cost     string // what one decision takes, among n instances: "constant", "n", "log n"
	Deviates string // where it differs from its source; empty: nowhere that is known
}

// About is the Info itself; every row has it by embedding.
func (i Info) About() Info { return i }

// Table is the policies of one kind, in the order in which they are listed.
type Table[R interface{ About() Info }] []R

// Find returns the row of a name, or nil.
func (t Table[R]) Find(name string) *R {
	for i := range t {
		if t[i].About().Name == name {
			return &t[i]
		}
	}
	return nil
}

// Infos describes all policies of the table.
func (t Table[R]) Infos() []Info {
	infos := make([]Info, len(t))
	for i := range t {
		infos[i] = t[i].About()
	}
	return infos
}

// Names lists the policies of the table.
func (t Table[R]) Names() []string {
	names := make([]string, len(t))
	for i := range t {
		names[i] = t[i].About().Name
	}
	return names
}

// Family is the policies of one kind that come from one system, or share one idea.
type Family[R interface{ About() Info }] struct {
	Name string // of the folder
	Rows Table[R]
}

// Families are all policies of one kind, in the order in which they are listed.
type Families[R interface{ About() Info }] []Family[R]

// Table joins the tables of the families.
func (fs Families[R]) Table() (all Table[R]) {
	for _, f := range fs {
		all = append(all, f.Rows...)
	}
	return all
}

// Of names the family of a policy; it is empty for a policy that is in none.
func (fs Families[R]) Of(name string) string {
	for _, f := range fs {
		if f.Rows.Find(name) != nil {
			return f.Name
		}
	}
	return ""
}

// Dispatch says whether packets find their instance without a rule for each flow.
type Dispatch uint8

// The ways of dispatch.
const (
	ByRule   Dispatch = iota // by a rule for each flow alone
	ByEither                 // Pick goes by flow and instances alone, so that a switch may ask it for each packet
	ByPacket                 // without rules: each packet itself tells where it goes
)

// Unit is what a policy decides on.
type Unit uint8

// The units.
const (
	Flows    Unit = iota // flows alone: what it answers holds for all packets of one
	Requests             // requests alone: it is asked for each, and told when its reply comes back
	Either               // both, by one rule
	Bursts               // of flows: what follows a gap in one. Only as Env.Unit, see Row.Bursts
)

// String is the unit as documents have it.
func (u Unit) String() string {
	return [...]string{"flows", "requests", "flows, requests", "bursts"}[u]
}

// Row is a scheduling policy in the table of its family.
type Row struct {
	Info
	Unit     Unit
	Bursts   bool  // it can decide on the bursts of flows, too: anew for each, and otherwise than for the one before
	Requests Class // what it looks at where it decides on requests, if less than Sees; 0: all of Sees
	Dispatch Dispatch
	Highest  bool      // the highest score is the best one; otherwise the lowest
	Tuple    bool      // it looks at the flow's five-tuple
	Tenant   bool      // it looks at whose flow it is
	Measures MetricSet // of class T3, which the plant has to measure for it
	Reasons  []string  // of its answers, in the decision log
	Counters []string  // what it counts itself, in Env.Counts
	Maker
}

// On reports whether the policy decides on units of that kind: Flows, Requests or Bursts.
func (r *Row) On(u Unit) bool {
	if u == Bursts {
		return r.Bursts
	}
	return r.Unit == u || r.Unit == Either
}

// Units are all kinds of units on which the policy decides, as documents have them: "flows, bursts".
func (r *Row) Units() string {
	var names []string
	for _, u := range []Unit{Flows, Bursts, Requests} {
		if r.On(u) {
			names = append(names, u.String())
		}
	}
	return strings.Join(names, ", ")
}

// Shown is what the policy looks at where it decides on units of that kind, and all that it may be shown.
func (r *Row) Shown(u Unit) Class {
	if u == Requests && r.Requests != 0 {
		return r.Requests
	}
	return r.Sees
}

// Maker makes policies of one kind from their options. An error of New begins with the option's name and a colon.
type Maker struct {
	Options any // a struct of tagged fields; nil for a policy without options
	New     func(options any, env Env) (Policy, error)
}

// Make is a Maker for a policy whose options are of type O, a struct of tagged fields as package strictyaml reads them.
func Make[O any](f func(O, Env) (Policy, error)) Maker {
	var zero O
	return Maker{zero, func(o any, env Env) (Policy, error) {
		typed, ok := o.(O)
		if !ok {
			return nil, fmt.Errorf("options of type %T: want %T", o, zero)
		}
		return f(typed, env)
	}}
}

// Plain is a Maker for a policy without options.
func Plain(f func(Env) Policy) Maker {
	return Maker{nil, func(_ any, env Env) (Policy, error) { return f(env), nil }}
}
