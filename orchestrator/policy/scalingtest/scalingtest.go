// Package scalingtest holds scaling policies, and policies of choosing a victim, to their contract, package policy. A
// family's test is five lines:
//
//	func TestConformance(t *testing.T) {
//		for _, row := range Scalers {
//			scalingtest.Run(t, row, options)
//		}
//	}
package scalingtest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Run holds a scaling policy with these options to the contract.
func Run(t *testing.T, row policy.ScalerRow, options any) {
	t.Run(row.Name, func(t *testing.T) {
		if err := Check(row, options); err != nil {
			t.Error(err)
		}
	})
}

// RunVictim holds a policy of choosing a victim to the contract.
func RunVictim(t *testing.T, row policy.VictimRow) {
	t.Run(row.Name, func(t *testing.T) {
		if err := CheckVictim(row); err != nil {
			t.Error(err)
		}
	})
}

// histories is how many random histories a policy bears; the same are drawn each time.
const histories = 20

// Check says what a scaling policy breaks of the contract; nil if nothing.
//
//   - Its row says what it is.
//   - It answers every snapshot, also one of nothing: within the bounds, with a recommendation that has a reason as the
//     first step, a reason for each step that changes the number, and the number itself as that of the last step.
//   - It leaves the snapshot as it was.
//   - It answers the same whenever it is told the same: the order of maps does not show, and neither does what another
//     run of the same policy was told meanwhile.
//   - It answers the same when it is shown no more than its row declares.
//   - It changes shares only if its row says so, and those of instances that are there.
func Check(row policy.ScalerRow, options any) error {
	if err := documented(row.Info); err != nil {
		return err
	}
	if row.New == nil {
		return nil
	}
	return protect(row.Name, func() error {
		if err := checkTwice(row, options, all, "when told the same again"); err != nil {
			return err
		}
		return checkTwice(row, options, row.Sees, fmt.Sprintf("when shown %v alone, as its row declares", row.Sees))
	})
}

// all are all classes of telemetry.
const all = ^policy.Class(0)

// run is one run of a policy.
type run struct {
	policy.Scaler
	steps policy.Steps
}

func start(row policy.ScalerRow, options any, seed uint64) (*run, error) {
	s, err := row.New(options, policy.Env{Rand: rand.New(rand.NewPCG(seed, 1)),
		Counts: make([]uint64, len(row.Counters))})
	return &run{Scaler: s}, err
}

// answer is what a policy makes of a snapshot.
type answer struct {
	policy.Proposal
	steps policy.Steps
}

func (r *run) ask(s *policy.Snapshot) answer {
	r.steps = r.steps[:0]
	return answer{r.Evaluate(s, &r.steps), r.steps}
}

// checkTwice holds what a policy answers against what it answers in a second run, which is shown no more than sees. A
// third run, of other histories, goes on between the two.
func checkTwice(row policy.ScalerRow, options any, sees policy.Class, how string) error {
	for seed := range uint64(histories) {
		var runs [3]*run
		for i := range runs {
			var err error
			if runs[i], err = start(row, options, seed); err != nil {
				return err
			}
		}
		mine, others := newHistory(seed, 0), newHistory(seed, 1)
		for range evaluations {
			s := mine.next()
			shown, narrowed := clone(s), clone(s)
			narrowed.Narrow(sees)
			got := runs[0].ask(shown)
			runs[1].ask(others.next())
			second := runs[2].ask(narrowed)
			at := fmt.Sprintf("history %d: %+v", seed, *s)
			if !reflect.DeepEqual(shown, s) {
				return fmt.Errorf("%s: the policy changed it to %+v", at, *shown)
			}
			if err := lawful(s, got); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			if !reflect.DeepEqual(second, got) {
				return fmt.Errorf("%s: %v, but %v %s", at, got, second, how)
			}
			if err := resizable(row, s, got.Proposal); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
			mine.carryOut(got.Desired)
			mine.resize(got.Proposal)
		}
	}
	return nil
}

// lawful says what is wrong with an answer on its own.
func lawful(s *policy.Snapshot, a answer) error {
	if a.Desired < s.Min || a.Desired > s.Max {
		return fmt.Errorf("%d instances proposed, want %d to %d", a.Desired, s.Min, s.Max)
	}
	if len(a.steps) == 0 || a.steps[0].Kind != policy.Recommended {
		return fmt.Errorf("steps %v, want a recommendation first", a.steps)
	}
	before := -1
	for _, step := range a.steps {
		if step.Kind == "" {
			return fmt.Errorf("steps %v, want a kind with each", a.steps)
		}
		if step.Desired != before && step.Reason == "" {
			return fmt.Errorf("steps %v, want a reason for each recommendation and each change", a.steps)
		}
		before = step.Desired
	}
	if before != a.Desired {
		return fmt.Errorf("steps %v, want the last to leave the number that is proposed, %d", a.steps, a.Desired)
	}
	return nil
}

// resizable says what is wrong with the shares that a policy wants.
func resizable(row policy.ScalerRow, s *policy.Snapshot, p policy.Proposal) error {
	if !row.Resizes && (len(p.Resize) > 0 || p.Share != 0) {
		return fmt.Errorf("%+v: the row does not say that the policy resizes", p)
	}
	fits := func(share float64) bool { return share >= policy.LeastShare && share <= policy.MostShare }
	if p.Share != 0 && !fits(p.Share) {
		return fmt.Errorf("new instances are to have %v of a core", p.Share)
	}
	last := flow.Instance(0)
	for _, r := range p.Resize {
		k := slices.IndexFunc(s.Instances, func(i policy.Instance) bool { return i.ID == r.Instance })
		switch {
		case k < 0 || s.Instances[k].State == policy.Draining:
			return fmt.Errorf("%+v: no such instance, or one that drains", r)
		case r.Instance <= last:
			return fmt.Errorf("%+v after instance %d", r, last)
		case !fits(r.Share) || r.Reason == "":
			return fmt.Errorf("%+v: want %v to %v of a core, and a reason", r, policy.LeastShare, policy.MostShare)
		}
		last = r.Instance
	}
	return nil
}

// CheckVictim says what a policy of choosing a victim breaks of the contract; nil if nothing. Its scores are never NaN.
// They depend on nothing but what it was shown, and on no more of that than its row declares.
func CheckVictim(row policy.VictimRow) error {
	if err := documented(row.Info); err != nil {
		return err
	}
	return protect(row.Name, func() error {
		if err := scoreTwice(row, all, "when told the same again"); err != nil {
			return err
		}
		return scoreTwice(row, row.Sees, fmt.Sprintf("when shown %v alone, as its row declares", row.Sees))
	})
}

// scoreTwice does with a policy of choosing a victim what checkTwice does.
func scoreTwice(row policy.VictimRow, sees policy.Class, how string) error {
	score := func(v policy.Victim, s *policy.Snapshot) []float64 {
		scores := make([]float64, len(s.Instances))
		v.Score(s.Now, s.Instances, scores)
		return scores
	}
	for seed := range uint64(histories) {
		var runs [3]policy.Victim
		for i := range runs {
			runs[i] = row.New(policy.Env{Rand: rand.New(rand.NewPCG(seed, 1))})
		}
		mine, others := newHistory(seed, 0), newHistory(seed, 1)
		for range evaluations {
			s := takesWork(mine.next())
			shown, narrowed := clone(s), clone(s)
			narrowed.Narrow(sees)
			got := score(runs[0], shown)
			score(runs[1], takesWork(others.next()))
			second := score(runs[2], narrowed)
			at := fmt.Sprintf("history %d: %+v", seed, *s)
			switch {
			case !reflect.DeepEqual(shown, s):
				return fmt.Errorf("%s: the policy changed it to %+v", at, *shown)
			case slices.ContainsFunc(got, math.IsNaN):
				return fmt.Errorf("%s: scores %v, want numbers", at, got)
			case !slices.Equal(second, got):
				return fmt.Errorf("%s: scores %v, but %v %s", at, got, second, how)
			}
			mine.carryOut(s.Min + int(seed)%(s.Max-s.Min+1))
		}
	}
	return nil
}

// takesWork leaves the instances of which a victim is chosen.
func takesWork(s *policy.Snapshot) *policy.Snapshot {
	s.Instances = slices.DeleteFunc(s.Instances, func(i policy.Instance) bool { return i.State == policy.Draining })
	return s
}

var name = regexp.MustCompile("^[a-z0-9+-]+$")

func documented(i policy.Info) error {
	var errs []error
	lacks := func(what string, absent bool) {
		if absent {
			errs = append(errs, fmt.Errorf("%q: the row says no %s", i.Name, what))
		}
	}
	lacks("name of small letters, digits, + and -", !name.MatchString(i.Name))
	lacks("rule in one line", i.Rule == "" || strings.Contains(i.Rule, "\n"))
	lacks("source", i.Source == "")
	lacks("cost", i.Cost == "")
	lacks("class of telemetry", i.Sees == 0)
	return errors.Join(errs...)
}

// protect turns a panic into an error.
func protect(name string, f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s panics: %v", name, r)
		}
	}()
	if err := f(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func clone(s *policy.Snapshot) *policy.Snapshot {
	c := *s
	c.Instances = slices.Clone(s.Instances)
	return &c
}
