package results

import (
	"bytes"
	"iter"
	"slices"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// Evaluation is one evaluation of the autoscaler, as the decision log has it.
type Evaluation struct {
	At      units.Time
	Current int    // instances before
	Desired int    // instances that it leaves
	Stage   string // kind of the last stage that changed what was recommended; empty if none did
	Reason  string // of that stage, or of the recommendation
}

// Evaluations reads the evaluations of the autoscaler, in order of time.
func (r *Record) Evaluations() ([]Evaluation, error) {
	var all []Evaluation
	var g stages
	for e, err := range r.scalingLog() {
		if err != nil {
			return nil, err
		}
		if e.Decision != nil {
			g.add(e.Decision, func(v Evaluation) { all = append(all, v) })
		}
	}
	g.end(func(v Evaluation) { all = append(all, v) })
	return all, nil
}

// stages puts the stages of an evaluation together: the recommendation and those behind it, which have the same time
// and concern no flow and no instance.
type stages struct {
	of   Evaluation
	open bool
}

func (g *stages) add(d *orchestrator.Decision, each func(Evaluation)) {
	switch {
	case d.Kind == orchestrator.Recommend:
		g.end(each)
		g.of, g.open = Evaluation{d.At, d.Current, d.Desired, "", d.Reason}, true
	case !g.open:
	case d.At != g.of.At || !scales(d):
		g.end(each)
	case d.Desired != g.of.Desired:
		g.of.Desired, g.of.Stage, g.of.Reason = d.Desired, d.Kind, d.Reason
	}
}

// scales reports whether a decision is one of the stages of an evaluation.
func scales(d *orchestrator.Decision) bool { return d.Flow == -1 && d.Instance == 0 }

func (g *stages) end(each func(Evaluation)) {
	if g.open {
		each(g.of)
	}
	g.open = false
}

// What scalingLog takes: the lives of instances, and every decision but those on flows.
var (
	scalingEvents  = []string{"instance-ready", "instance-failed", "instance-gone", "instance-resized"}
	scalingActions = []string{"create-instance", "delete-instance"}
	onFlows        = []string{orchestrator.Schedule, orchestrator.Hold, orchestrator.Refuse, orchestrator.Reject,
		orchestrator.Move}
)

// scalingLog reads what the log has of instances and of scaling. Of the other lines, which are most, no more is read
// than what kind they are.
func (r *Record) scalingLog() iter.Seq2[Entry, error] {
	return r.logOf(func(line []byte) bool {
		_, rest, _ := bytes.Cut(line, []byte(`,"`))
		key, rest, _ := bytes.Cut(rest, []byte(`":"`))
		kind, _, _ := bytes.Cut(rest, []byte(`"`))
		switch string(key) {
		case "event":
			return slices.Contains(scalingEvents, string(kind))
		case "action":
			return slices.Contains(scalingActions, string(kind))
		case "decision":
			return !slices.Contains(onFlows, string(kind))
		}
		return true // parsing says what is wrong with it
	})
}
