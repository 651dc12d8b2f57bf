package results

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// ErrNoDecisions says that a record cannot be fed to an orchestrator: that of the engine of requests, of which there
// are millions a second, holds none of its decisions.
var ErrNoDecisions = errors.New("the record of engine: request holds no decisions to verify: want the scenario run " +
	"again, which gives the same record")

// ErrNoBursts says that a record's decisions on bursts cannot be taken again, since nobody makes its traffic again.
var ErrNoBursts = errors.New("the log has no more than a digest of the decisions on bursts: want the bursts of its " +
	"traffic")

// Burst is a decision on a burst of a flow: Orchestrator.Dispatch is called for it.
type Burst struct {
	At   units.Time
	Flow flow.ID
}

// Remake makes the bursts of a record's run again, in their order, from its scenario. What the files of its traffic
// were is passed as the record says it.
type Remake func(sc *scenarios.Scenario, inputs []Input) iter.Seq2[Burst, error]

// Verified is what came of verifying a record on disk.
type Verified struct {
	Dir     string `json:"dir"`
	Version string `json:"version"` // of the program that made the record
	// Unchecked says that an older version made the record, which kept no checksum of the log.
	Unchecked bool `json:"log_without_checksum,omitempty"`
	*Verification
}

// VerifyDir holds the files of the record in dir against their checksums and then, whatever comes of that, its log
// against a new orchestrator, made from the record's scenario; see Record.Verify. Verification is nil where the log
// could not be read. The error names every damaged file; a difference is no error. Where the run decided on bursts,
// remake makes them again; without it, such a record is refused with ErrNoBursts.
func VerifyDir(ctx context.Context, dir string, remake Remake) (v Verified, err error) {
	rec, err := OpenContext(ctx, dir)
	if err != nil {
		return v, err
	}
	damage := rec.Check()
	sc, err := scenarios.FromRecord(dir, rec.Run.Scenario, rec.Run.Seed)
	if err != nil {
		return v, errors.Join(damage, Damaged(err))
	}
	if rec.Run.Unit == PerRequest {
		if damage == nil {
			damage = fmt.Errorf("%s: the files are whole; %w", dir, ErrNoDecisions)
		}
		return v, damage
	}
	v.Dir, v.Version, v.Unchecked = dir, rec.Run.Version, rec.Run.Tables != nil && rec.Run.Log == nil
	cfg := sc.Orchestrator()
	if sc.Nodes != nil {
		cfg = sc.Rack() // the log is that of the dispatcher
	}
	v.Verification, err = rec.VerifyBursts(cfg, func(yield func(Burst, error) bool) {
		if remake == nil {
			yield(Burst{}, ErrNoBursts)
			return
		}
		remake(sc, rec.Run.Inputs)(yield)
	})
	if damage != nil && err != nil {
		err = nil // that of a file which is named already, or what follows from it
	}
	return v, errors.Join(damage, err)
}

// Verification is what came of feeding a record's events to a new orchestrator.
type Verification struct {
	Events     int         `json:"events"` // of the record, those up to the difference if there is one
	Actions    int         `json:"actions"`
	Decisions  int         `json:"decisions"`
	Complete   bool        `json:"complete"` // the record is one of a run that reached its end
	Difference *Difference `json:"difference,omitempty"`
	// Miscounted is the first of the policy's counts in run.json that is not what a new orchestrator counts.
	Miscounted string `json:"miscounted,omitempty"`
}

// Difference is the first event at which a new orchestrator decided or acted otherwise. The texts are lines of the log;
// decisions and actions are in their order.
type Difference struct {
	Line     int        `json:"line"` // of the event in events.jsonl, from 1
	At       units.Time `json:"at"`
	Event    string     `json:"event"`
	Recorded []string   `json:"recorded"`
	Replayed []string   `json:"replayed"`
}

// Verify feeds the record's events, at their times, to a new orchestrator of the given configuration, which must decide
// and act as the log says: simulated or on hardware, what an orchestrator does follows from its events alone. Of a
// record before format 3, the stages of the autoscaler that left the number as it was are passed over. The record of a
// run that was killed is verified up to its last full line. The error is that of reading the log; a difference is no
// error.
//
// It fails with ErrNoBursts where the run decided on bursts; see VerifyBursts.
func (r *Record) Verify(cfg orchestrator.Config) (*Verification, error) {
	return r.VerifyBursts(cfg, func(yield func(Burst, error) bool) { yield(Burst{}, ErrNoBursts) })
}

// VerifyBursts is Verify for a run that may have decided on bursts. The log says between which events how many were
// decided on, and has a digest of the decisions. They are taken again with the bursts given, at their times, and the
// digest must be the same. The bursts are asked for no sooner than the log has any; their error is returned.
func (r *Record) VerifyBursts(cfg orchestrator.Config, bursts iter.Seq2[Burst, error]) (*Verification, error) {
	next, stop := iter.Pull2(bursts)
	defer stop()
	again := &replayed{}
	orch, err := orchestrator.New(cfg, again)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Dir, err)
	}
	v := &Verification{Complete: r.Run.Complete}
	var event Entry
	var recorded []string
	var stage *orchestrator.Decision // the last of the event's evaluation
	line, at := 0, 0                 // of the log, and of the event
	var failed error
	compare := func(cut bool) {
		if event.Event == nil {
			return
		}
		if event.Event.Kind == orchestrator.BurstsDispatched {
			var now orchestrator.Bursts
			if now, failed = dispatched(orch, &event.Event.Bursts, next); failed != nil {
				return
			}
			if was := event.Event.Bursts; was != now {
				v.Difference = &Difference{Line: at, At: event.At, Event: event.String(),
					Recorded: []string{was.String()}, Replayed: []string{now.String()}}
				return
			}
		}
		again.lines = again.lines[:0]
		for _, a := range orch.Handle(event.At, event.Event) {
			again.lines = append(again.lines, Entry{At: event.At, Action: &a}.String())
		}
		got := again.lines
		if cut && len(recorded) < len(got) {
			got = got[:len(recorded)]
		}
		if !slices.Equal(recorded, got) {
			v.Difference = &Difference{Line: at, At: event.At, Event: event.String(), Recorded: recorded,
				Replayed: slices.Clone(got)}
		}
	}
	for e, err := range r.Log() {
		if err != nil {
			return nil, err
		}
		line++
		if e.Event == nil {
			if event.Event == nil {
				return nil, Damaged(fmt.Errorf("%s: line %d: %s before any event", filepath.Join(r.Dir, logName), line,
					clip(e.String())))
			}
			if e.Action != nil {
				v.Actions++
			} else {
				v.Decisions++
			}
			if d := e.Decision; d != nil && scales(d) {
				idle := stage != nil && d.Desired == stage.Desired
				stage = d
				if idle && r.Run.Format < 3 { // which logged the stages that left the number as it was
					continue
				}
			}
			recorded = append(recorded, e.String())
			continue
		}
		if compare(false); failed != nil {
			return nil, failed
		}
		if v.Difference != nil {
			return v, nil
		}
		v.Events++
		event, at, recorded, stage = e, line, nil, nil
	}
	if event.Event == nil && !r.killed {
		return nil, Damaged(fmt.Errorf("%s: no event, want the start of the run", filepath.Join(r.Dir, logName)))
	}
	if compare(r.killed); failed != nil {
		return nil, failed
	}
	if v.Difference == nil && !r.killed && r.Run.Policy != nil {
		v.Miscounted = miscounted(r.Run.Policy, orch.Counts())
		if b, t := orch.Bursts(), &r.Run.Totals; v.Miscounted == "" &&
			(int64(b.Decided) != t.BurstsDecided || int64(b.Moved) != t.BurstsMoved) {
			v.Miscounted = fmt.Sprintf("%d bursts decided and %d moved, and %d and %d when counted again",
				t.BurstsDecided, t.BurstsMoved, b.Decided, b.Moved)
		}
	}
	return v, nil
}

// dispatched decides on bursts until as many are decided on as the log says, or there are no more.
func dispatched(o *orchestrator.Orchestrator, until *orchestrator.Bursts, next func() (Burst, error, bool),
) (orchestrator.Bursts, error) {
	for o.Bursts().Asked < until.Asked {
		b, err, ok := next()
		if err != nil {
			return o.Bursts(), err
		}
		if !ok {
			break
		}
		o.Dispatch(b.At, b.Flow)
	}
	return o.Bursts(), nil
}

// miscounted is the first count that is another now. A reason or a counter that only one of the two knows is passed
// over: a later version may have more of them.
func miscounted(was, now *Counts) string {
	before := map[string]int64{}
	for _, c := range rowsOf(was) {
		before[c.Policy+" "+c.Kind+" "+c.Name] = c.N
	}
	for _, c := range rowsOf(now) {
		if n, ok := before[c.Policy+" "+c.Kind+" "+c.Name]; ok && n != c.N {
			return fmt.Sprintf("%s %q is %d, and %d when counted again", c.Kind, c.Name, n, c.N)
		}
	}
	return ""
}

// String is the entry's line of the log, without its end.
func (e Entry) String() string {
	var b []byte
	err := errors.New("an entry without content")
	switch {
	case e.Event != nil:
		b, err = appendEvent(nil, e.At, e.Event)
	case e.Action != nil:
		b, err = appendAction(nil, e.At, e.Action)
	case e.Decision != nil:
		b, err = appendDecision(nil, e.Decision), nil
	}
	if err != nil {
		return err.Error()
	}
	return string(b[:len(b)-1])
}

// replayed takes the lines that the log of a new orchestrator would have.
type replayed struct{ lines []string }

// Decided takes a decision.
func (r *replayed) Decided(d *orchestrator.Decision) {
	r.lines = append(r.lines, Entry{At: d.At, Decision: d}.String())
}
