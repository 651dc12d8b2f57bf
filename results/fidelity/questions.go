package fidelity

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/results"
	"gopkg.in/yaml.v3"
)

// Studies are the built-in scenarios that the published entries are read off.
var Studies = []string{"fig6", "fig7", "fig9", "fig10"}

// Runner runs a built-in study with overrides of its keys and gives the records of its runs.
type Runner func(ctx context.Context, study string, sets []string) ([]*results.Record, error)

// Question is one that the thesis leaves open, or to which it gives more than one answer.
type Question struct {
	Name    string
	Asks    string
	Studies []string // that have more than one scheduler or number of instances to choose from; nil for all
	Answers []Answer // the first is the one that this project gave before it compared any others
}

// Answer is one answer to a question: overrides of keys of a scenario.
type Answer struct {
	Name string
	Says string
	Sets []string
	Fits []Fit
	// Departs is what the thesis' text says instead; empty if the text says the same or nothing.
	Departs string
}

// Fit is a parameter whose value was chosen so that published entries come out.
type Fit struct {
	Parameter string
	Value     string
	Entries   []string // by id
}

// The law of contention through the published points, and through a C(4) that is chosen by Best-Fit's gain. Kappa and
// sigma of the latter are exact: with C(1) = 25, C(4) = 10.7 and A(8) = 42 Mpps,
// 1 + 3σ + 12κ = 25/10.7 and 1 + 7σ + 56κ = 25/5.25, so σ = 5561/15729 and κ = 241/10486.
var (
	publishedLaw = law("0.38", "0.019")
	gainLaw      = law("0.3535507661", "0.0229830250")
)

// A law of contention is set as a whole, since keys of one model are refused under another.
func law(sigma, kappa string) []string {
	return []string{"vnf.contention={model: usl, lambda: 25Mpps, sigma: " + sigma + ", kappa: " + kappa + "}"}
}

// points are what each of n instances processes, as a mapping.
func points(of string) []string {
	return []string{"vnf.contention={model: table, points: {" + of + "}}"}
}

var lambda = Fit{"λ", "25 Mpps", []string{"fig6-capacity"}}

// scaled are the studies in which flows are placed and instances come and go. In Figures 6 and 7, the number of
// instances is fixed, and Round-Robin places the flows.
var scaled = []string{"fig9", "fig10"}

// Questions are the open ones. Each reading of the thesis answers all of them.
var Questions = []Question{
	{
		Name: "share", Asks: "what an instance may process of what the contending ones process together",
		Answers: []Answer{
			{Name: "reserved", Says: "an equal part, reserved: what one leaves unused is lost to the others",
				Sets: []string{"vnf.contention.share=reserved"}},
			{Name: "pooled", Says: "what the others leave, at most its capacity alone",
				Sets: []string{"vnf.contention.share=pooled"}},
		},
	},
	{
		Name: "metric", Asks: "which load of an instance Best-Fit and Worst-Fit look at", Studies: scaled,
		Answers: []Answer{
			{Name: "offered", Says: "packets sent to it (3.2)", Sets: []string{"scheduler.metric=offered"}},
			{Name: "processed", Says: "packets that it processed, which 3.1 and 4.2 call its throughput",
				Sets: []string{"scheduler.metric=processed"}},
		},
	},
	{
		Name: "demand", Asks: "what a new flow is expected to bring when Best-Fit asks what an instance can handle",
		Studies: scaled,
		Answers: []Answer{
			{Name: "mean", Says: "the mean rate of the flows", Sets: []string{"scheduler.demand=mean"}},
			{Name: "zero", Says: "nothing: an instance takes flows until it is measured at its limit",
				Sets: []string{"scheduler.demand=zero"}},
		},
	},
	{
		Name: "nofit", Asks: "what Best-Fit does with a flow that fits nowhere", Studies: scaled,
		Answers: []Answer{
			{Name: "least-loaded", Says: "places it all the same", Sets: []string{"scheduler.nofit=least-loaded"}},
			{Name: "reject", Says: "drops it", Sets: []string{"scheduler.nofit=reject"}},
			{Name: "queue", Says: "holds it", Sets: []string{"scheduler.nofit=queue"}},
		},
	},
	{
		Name: "ties", Asks: "which of several equal instances Best-Fit and Worst-Fit take", Studies: scaled,
		Answers: []Answer{
			{Name: "first", Says: "the first by number", Sets: []string{"scheduler.ties=first"}},
			{Name: "random", Says: "one at random, by the scenario's seed", Sets: []string{"scheduler.ties=random"}},
		},
	},
	{
		Name: "autoscaler", Asks: "when there is one instance more", Studies: scaled,
		Answers: []Answer{
			{Name: "target 50 %, offered", Says: "the sum offered is above half of the instances' limit",
				Sets: []string{"autoscaler={policy: target-utilization, target: 0.5, metric: offered}"}},
			{Name: "target 50 %, processed", Says: "the sum processed is above half of the instances' limit",
				Sets: []string{"autoscaler={policy: target-utilization, target: 0.5, metric: processed}"}},
			{Name: "target 100 %, offered", Says: "the sum offered is above the instances' limit",
				Sets:    []string{"autoscaler={policy: target-utilization, target: 1, metric: offered}"},
				Departs: "a target utilisation of 50 % (3.2)"},
			{Name: "target 100 %, processed", Says: "the sum processed is above the instances' limit",
				Sets:    []string{"autoscaler={policy: target-utilization, target: 1, metric: processed}"},
				Departs: "a target utilisation of 50 % (3.2)"},
			{Name: "hottest above 10 Mpps, offered", Says: "any instance is offered more than the limit",
				Sets:    []string{"autoscaler={policy: hottest-instance, above: 10Mpps, metric: offered}"},
				Departs: "a target utilisation of 50 % (3.2)"},
			{Name: "hottest above 10 Mpps, processed", Says: "any instance processes more than the limit",
				Sets:    []string{"autoscaler={policy: hottest-instance, above: 10Mpps, metric: processed}"},
				Departs: "a target utilisation of 50 % (3.2)"},
			{Name: "hottest above 12.5 Mpps, offered",
				Says:    "any instance is offered more than half of what one can alone",
				Sets:    []string{"autoscaler={policy: hottest-instance, above: 12.5Mpps, metric: offered}"},
				Departs: "a limit of 10 Mpps for scaling decisions (4.3)"},
			{Name: "hottest above 12.5 Mpps, processed",
				Says:    "any instance processes more than half of what one can alone",
				Sets:    []string{"autoscaler={policy: hottest-instance, above: 12.5Mpps, metric: processed}"},
				Departs: "a limit of 10 Mpps for scaling decisions (4.3)"},
		},
	},
	{
		Name: "idle", Asks: "whether instances without flows contend",
		Answers: []Answer{
			{Name: "no", Says: "only those that hold flows contend", Sets: []string{"vnf.idle_contend=false"}},
			{Name: "yes", Says: "all that run contend, as a polling driver does",
				Sets: []string{"vnf.idle_contend=true"}},
		},
	},
	{
		Name: "capacity", Asks: "what n instances process together",
		Answers: []Answer{
			{Name: "law, C(4) = 10.5", Says: "a law (USL) through 25, 4 × 10.5 and 42 Mpps", Sets: publishedLaw,
				Fits: []Fit{lambda, {"σ", "0.38", []string{"fig7-per-vnf"}}, {"κ", "0.019", []string{"fig9-plateau"}}}},
			{Name: "law, C(4) = 10.7",
				Says: "the law through 25, 4 × 10.7 and 42 Mpps; of the values that \"slightly above 10\" admits, " +
					"10.7 is chosen by Best-Fit's gain", Sets: gainLaw,
				Fits: []Fit{lambda, {"σ", "5561/15729 = 0.3535507661", []string{"fig7-per-vnf", "fig9-bf-gain"}},
					{"κ", "241/10486 = 0.0229830250", []string{"fig9-plateau"}}}},
			{Name: "lines", Says: "straight lines through 25, 4 × 10.5 and 42 Mpps",
				Sets: points("1: 25Mpps, 4: 10.5Mpps, 8: 5.25Mpps"),
				Fits: []Fit{lambda, {"C(4)", "10.5 Mpps", []string{"fig7-per-vnf"}},
					{"A(8)", "42 Mpps", []string{"fig9-plateau"}}}},
			{Name: "constant sum", Says: "25 Mpps for one, 42 for any two or more together",
				Sets: points("1: 25Mpps, 2: 21Mpps, 3: 14Mpps, 4: 10.5Mpps, 5: 8.4Mpps, 6: 7Mpps, 7: 6Mpps, " +
					"8: 5.25Mpps"),
				Fits: []Fit{lambda, {"A", "42 Mpps", []string{"fig9-plateau"}}}},
			{Name: "49 Mpps", Says: "straight lines through 25, 4 × 10.5 and 49 Mpps (4.5 instead of 4.4)",
				Sets: points("1: 25Mpps, 4: 10.5Mpps, 8: 6.125Mpps"),
				Fits: []Fit{lambda, {"C(4)", "10.5 Mpps", []string{"fig7-per-vnf"}},
					{"A(8)", "49 Mpps", []string{"fig10-64B"}}}},
		},
	},
	{
		Name: "eswitch", Asks: "how much the eSwitch forwards to rules",
		Answers: []Answer{
			{Name: "64 Mpps", Says: "42 processed and 22 lost", Sets: []string{"nic.eswitch_limit=64Mpps"},
				Fits: []Fit{{"eSwitch limit", "64 Mpps", []string{"fig9-loss"}}}},
			{Name: "71 Mpps", Says: "49 processed (4.5) and 22 lost", Sets: []string{"nic.eswitch_limit=71Mpps"},
				Fits: []Fit{{"eSwitch limit", "71 Mpps", []string{"fig9-loss"}}}},
			{Name: "none", Says: "everything that the link carries", Sets: []string{"nic.eswitch_limit=0pps"}},
		},
	},
}

// Reading is an answer to each question, as its index among the answers.
type Reading []int

// read makes a reading of the first answers, with others where they are named, by question.
func read(others map[string]string) Reading {
	r := make(Reading, len(Questions))
	for question, answer := range others {
		r = r.with(question, answer)
	}
	return r
}

// Default is the reading of the built-in scenarios of figures 6 to 10.
var Default = read(map[string]string{"share": "pooled", "metric": "processed", "demand": "zero",
	"autoscaler": "hottest above 10 Mpps, offered", "capacity": "law, C(4) = 10.7"})

// with is the reading with another answer to one question.
func (r Reading) with(question, answer string) Reading {
	r = slices.Clone(r)
	i := indexOf(question)
	r[i] = slices.IndexFunc(Questions[i].Answers, func(a Answer) bool { return a.Name == answer })
	return r
}

// answers are those that the reading gives.
func (r Reading) answers() []*Answer {
	as := make([]*Answer, len(r))
	for i, k := range r {
		as[i] = &Questions[i].Answers[k]
	}
	return as
}

// Sets are the overrides that make a study one of this reading, whatever its scenario says.
func (r Reading) Sets(study string) []string {
	return r.setsOf(func(i int) bool {
		only := Questions[i].Studies
		return only == nil || slices.Contains(only, study)
	})
}

// beyond are the overrides that make a reading of another's scenarios.
func (r Reading) beyond(other Reading) []string {
	differ := func(i int) bool { return r[i] != other[i] }
	return r.setsOf(func(i int) bool {
		name := Questions[i].Name // what sets a law of contention leaves no share in it
		return differ(i) || name == "share" && differ(indexOf("capacity"))
	})
}

// setsOf are the overrides of some of the answers. A whole mapping comes before what is set in it.
func (r Reading) setsOf(is func(question int) bool) (sets []string) {
	for i, a := range r.answers() {
		if is(i) {
			sets = append(sets, a.Sets...)
		}
	}
	slices.SortStableFunc(sets, func(a, b string) int { return cmp.Compare(depth(a), depth(b)) })
	return sets
}

// depth is how many keys a set's path has.
func depth(set string) int {
	path, _, _ := strings.Cut(set, "=")
	return strings.Count(path, ".") + 1
}

// indexOf is the index of a question of this name.
func indexOf(question string) int {
	return slices.IndexFunc(Questions, func(q Question) bool { return q.Name == question })
}

// All are the readings that answer every question in every way, the last question's answers changing fastest.
func All() []Reading {
	all := []Reading{{}}
	for _, q := range Questions {
		var longer []Reading
		for _, r := range all {
			for k := range q.Answers {
				longer = append(longer, append(slices.Clone(r), k))
			}
		}
		all = longer
	}
	return all
}

// states says whether a record's scenario has what a set says.
func states(scenario any, set string) bool {
	path, text, _ := strings.Cut(set, "=")
	var want any
	if err := yaml.Unmarshal([]byte(text), &want); err != nil {
		return false
	}
	for _, part := range strings.Split(path, ".") {
		scenario = at(scenario, part)
	}
	return within(scenario, want)
}

// within says whether a value has all of another: of a mapping, the keys that the other has.
func within(have, want any) bool {
	m, ok := want.(map[string]any)
	if !ok {
		return fmt.Sprint(have) == fmt.Sprint(want)
	}
	for k, v := range m {
		if !within(at(have, k), v) {
			return false
		}
	}
	return true
}

// given says whether a record's scenario gives an answer.
func (a *Answer) given(rec *results.Record) bool {
	return !slices.ContainsFunc(a.Sets, func(s string) bool { return !states(rec.Run.Scenario, s) })
}

// fitsOf are the fits behind a record, as its scenario tells. A parameter that no answer states was not fitted to a
// published entry.
func fitsOf(rec *results.Record) (fits []Fit) {
	for _, q := range Questions {
		for i := range q.Answers {
			if a := &q.Answers[i]; len(a.Fits) > 0 && a.given(rec) {
				fits = append(fits, a.Fits...)
			}
		}
	}
	return fits
}

// Other names the questions to which the runs of Figure 9 do not give the default's answer, each with theirs.
func Other(recs Records) (other []string) {
	if len(recs["fig9"]) == 0 {
		return nil
	}
	rec := recs["fig9"][0]
	for i, a := range Default.answers() {
		q := &Questions[i]
		if a.given(rec) {
			continue
		}
		theirs := "none of the answers below"
		if k := slices.IndexFunc(q.Answers, func(a Answer) bool { return a.given(rec) }); k >= 0 {
			theirs = q.Answers[k].Name
		}
		other = append(other, q.Name+": "+theirs)
	}
	return other
}
