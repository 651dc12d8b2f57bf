package orchestrator

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// resizing is an orchestrator of two ready instances, each with a flow whose rule is in force.
func resizing(t *testing.T, log Logger) *Orchestrator {
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Min, c.Max = 2, 1, 5
		c.Autoscaler.Policy = autoscaler.Named("vpa")
	}), log)
	o.Handle(0, &Event{Kind: Start})
	for i := flow.Instance(1); i <= 2; i++ {
		o.Handle(0, &Event{Kind: InstanceReady, Instance: i})
	}
	for f := flow.ID(0); f < 2; f++ {
		for _, a := range o.Handle(0, &Event{Kind: FlowArrived, Flow: f}) {
			if a.Kind == InstallRule {
				o.Handle(0, &Event{Kind: RuleInstalled, Flow: f, Instance: a.Instance})
			}
		}
	}
	return o
}

// does is what an orchestrator does about a change of shares, in words.
func does(o *Orchestrator, r policy.Resize) string {
	o.actions = o.actions[:0]
	o.resize(&r)
	return words(o.actions)
}

func words(actions []Action) string {
	var all []string
	for _, a := range actions {
		switch a.Kind {
		case CreateInstance:
			all = append(all, fmt.Sprintf("create %d with %v", a.Instance, a.Share))
		case ResizeInstance:
			all = append(all, fmt.Sprintf("resize %d to %v", a.Instance, a.Share))
		case MoveRule:
			all = append(all, fmt.Sprintf("move %d to %d", a.Flow, a.Instance))
		case DeleteInstance:
			all = append(all, fmt.Sprintf("delete %d", a.Instance))
		}
	}
	return strings.Join(all, ", ")
}

func seen(o *Orchestrator, i flow.Instance) (s policy.Instance) {
	o.describe(i, &s)
	return s
}

func TestAnInstanceIsResizedInPlace(t *testing.T) {
	log := reasons{kind: Resized}
	o := resizing(t, &log)
	if got := does(o, policy.Resize{Instance: 1, Share: 0.5, Reason: "half"}); got != "resize 1 to 0.5" {
		t.Errorf("it does %q", got)
	}
	if s := seen(o, 1); s.Cores() != 1 || s.Asked != 0.5 || s.Refused {
		t.Errorf("under way: %+v", s)
	}
	o.Handle(1, &Event{Kind: InstanceResized, Instance: 1, Share: 0.5})
	if s := seen(o, 1); s.Cores() != 0.5 || s.Asked != 0.5 || s.Refused {
		t.Errorf("carried out: %+v", s)
	}
	does(o, policy.Resize{Instance: 1, Share: 2, Reason: "two"})
	o.Handle(2, &Event{Kind: InstanceResized, Instance: 1, Share: 0.5, Reason: "no room"})
	if s := seen(o, 1); s.Cores() != 0.5 || s.Asked != 0.5 || !s.Refused {
		t.Errorf("refused: %+v", s)
	}
	if want := []string{"half", "two", "refused: no room"}; !slices.Equal(log.got, want) {
		t.Errorf("the log says %q, want %q", log.got, want)
	}
	for _, i := range []flow.Instance{-1, 0, 9} {
		if got := does(o, policy.Resize{Instance: i, Share: 1}); got != "" {
			t.Errorf("of instance %d, which is not there: %s", i, got)
		}
		o.Handle(3, &Event{Kind: InstanceResized, Instance: i, Share: 1})
	}
}

// Its flows move, it is deleted when the switch has moved them, and a scale-out does not take it back.
func TestAnInstanceIsReplacedByOneWithTheShare(t *testing.T) {
	o := resizing(t, nil)
	want := "create 3 with 0.5, move 0 to 2"
	if got := does(o, policy.Resize{Instance: 1, Share: 0.5, Recreate: true}); got != want {
		t.Errorf("it does %q, want %q", got, want)
	}
	if s := seen(o, 3); s.Cores() != 0.5 || s.Asked != 0.5 || s.State != policy.Starting {
		t.Errorf("in its place: %+v", s)
	}
	if o.serving != 2 {
		t.Errorf("%d instances serve, want 2", o.serving)
	}
	o.share = 0.25
	o.actions = o.actions[:0]
	o.grow(1, "scale-out")
	if got, want := words(o.actions), "create 4 with 0.25"; got != want {
		t.Errorf("a scale-out does %q, want %q", got, want)
	}
	if got := does(o, policy.Resize{Instance: 1, Share: 1}); got != "" {
		t.Errorf("one that drains is resized: %s", got)
	}
	if got := words(o.Handle(1, &Event{Kind: RuleInstalled, Flow: 0, Instance: 2})); got != "delete 1" {
		t.Errorf("when its last flow has left: %q", got)
	}
}

// The policy's answer is carried out: what it asks for new instances holds from then on.
func TestSharesOfAnEvaluation(t *testing.T) {
	const s = units.Second
	o := resizing(t, nil)
	report := func(at units.Time, each units.Time) {
		o.Handle(at, &Event{Kind: ReportsRead, Sampled: at, Reports: []Report{{Instance: 1, CPU: int64(each)},
			{Instance: 2, CPU: int64(each)}}})
	}
	report(s, 0)
	report(11*s, 4*s) // 0.4 of a core; a sample says nothing of bounds, so nothing is changed
	if got := words(o.Handle(12*s, &Event{Kind: Tick, Timer: AutoscaleTimer})); got != "" || o.share != 0.476 {
		t.Errorf("it does %q, and new instances have %v", got, o.share)
	}
}
