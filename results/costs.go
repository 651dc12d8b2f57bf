package results

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// Costs is what a controller cost in a run, and what it left undone. A value that the record does not have is NaN.
type Costs struct {
	InstanceTime float64 // instance-seconds: each instance from its order until it is gone, has failed or the run ends
	Starts       int     // instances ordered, the initial ones and those that replace failed ones included
	ScaleEvents  int     // evaluations that changed the number of instances
	Reversals    int     // of these, see ReversalSpan
	Under, Over  float64 // s in which fewer, or more, instances took packets than Needed says
	Moves        float64 // flows moved from one instance to another
	Loss         float64 // share of the offered packets that was dropped, for any cause
	Goodput      float64 // frame bits sent back by the instances, bit/s over the run
	WaitP50      float64 // s that half of the packets waited at an instance at most; likewise the next two
	WaitP99      float64
	WaitP999     float64
	Jain         float64 // fairness of the load of the instances, 1/n to 1: the mean of each window's index
	SLOWindows   float64 // share of the windows with packets that lost more than LossObjective of them
	SLOFlows     float64 // share of the flows with packets that lost more than LossObjective of them

	Reasons []Reason // by decision, then by reason
}

// Reason is how often the orchestrator took a decision that concerns no flow, such as one of a stage of the
// autoscaler, for a reason.
type Reason struct {
	Decision string `parquet:"decision"`
	Reason   string `parquet:"reason"` // with # for each number
	N        int64  `parquet:"n"`
}

// ReversalSpan is what makes a change of direction a reversal: a scale event that follows one of the other direction
// within this time, to the picosecond. An own choice; where the scenario is scaled, it is scaled with its times.
const ReversalSpan = units.Minute

// LossObjective is the share of lost packets beyond which a window or a flow violates the objective: an
// own choice.
const LossObjective = 0.01

// Cost is one of the Costs by its name.
type Cost struct {
	Name, Unit string
	Of         func(*Costs) float64
}

// CostTable lists all Costs that are one number, in the order in which tables have them.
var CostTable = []Cost{
	{"instance_s", "s", func(c *Costs) float64 { return c.InstanceTime }},
	{"starts", "", func(c *Costs) float64 { return float64(c.Starts) }},
	{"scale_events", "", func(c *Costs) float64 { return float64(c.ScaleEvents) }},
	{"reversals", "", func(c *Costs) float64 { return float64(c.Reversals) }},
	{"under_s", "s", func(c *Costs) float64 { return c.Under }},
	{"over_s", "s", func(c *Costs) float64 { return c.Over }},
	{"flows_moved", "", func(c *Costs) float64 { return c.Moves }},
	{"loss", "1", func(c *Costs) float64 { return c.Loss }},
	{"goodput_bps", "bit/s", func(c *Costs) float64 { return c.Goodput }},
	{"wait_p50_s", "s", func(c *Costs) float64 { return c.WaitP50 }},
	{"wait_p99_s", "s", func(c *Costs) float64 { return c.WaitP99 }},
	{"wait_p999_s", "s", func(c *Costs) float64 { return c.WaitP999 }},
	{"jain", "1", func(c *Costs) float64 { return c.Jain }},
	{"slo_windows", "1", func(c *Costs) float64 { return c.SLOWindows }},
	{"slo_flows", "1", func(c *Costs) float64 { return c.SLOFlows }},
}

// Needed is how many instances a load wants: as many as carry it at limit packets/s each, within the bounds. What
// exceeds a whole number by less than 1e-9 of the load does not count.
func Needed(load, limit float64, least, most int) int {
	want := math.Ceil(load * (1 - 1e-9) / limit)
	return int(math.Min(math.Max(want, float64(least)), float64(most)))
}

// Costs computes from the record what its controller cost. A killed run's are those up to its last full window; it has
// no flows moved, no delays and no objective of flows.
func (r *Record) Costs() (*Costs, error) {
	sc, err := scenarios.FromRecord(r.Run.Name, r.Run.Scenario, r.Run.Seed)
	if err != nil {
		return nil, fmt.Errorf("costs: %w", err)
	}
	c := &Costs{Moves: float64(r.Run.Totals.Moves)}
	if r.killed {
		c.Moves = math.NaN()
	}
	ws, err := r.windowCosts(c)
	if err == nil {
		err = r.instanceCosts(c, ws, sc)
	}
	if err == nil {
		err = r.scalingCosts(c, ws, sc)
	}
	if err == nil {
		err = r.flowCosts(c)
	}
	if err == nil {
		err = r.delayCosts(c)
	}
	if err != nil {
		return nil, fmt.Errorf("costs: %w", err)
	}
	return c, nil
}

// span is a window: its end, its length and its load.
type span struct{ end, length, offered float64 }

// windowCosts are those of the windows, and what the totals say or, of a killed run, the windows in their place.
func (r *Record) windowCosts(c *Costs) (ws []span, err error) {
	var offered, dropped, bits, end float64
	busy, bad := 0, 0
	err = r.EachWindow(func(w *Window) error {
		length := w.T - end
		end = w.T
		ws = append(ws, span{end, length, w.Offered})
		offered += float64(w.Offered * length)
		dropped += float64(w.Dropped * length)
		bits += float64(w.ProcessedBits * length)
		if w.Offered > 0 {
			busy++
			if w.Dropped > LossObjective*w.Offered {
				bad++
			}
		}
		return nil
	})
	if t := &r.Run.Totals; !r.killed {
		offered, dropped, bits = t.Offered, t.Dropped.Sum(), 8*t.ProcessedBytes
	}
	c.Loss, c.Goodput, c.SLOWindows = dropped/offered, bits/end, float64(bad)/float64(busy)
	return ws, err
}

// instanceCosts are those that follow from which instances took packets in a window, and how many.
func (r *Record) instanceCosts(c *Costs, ws []span, sc *scenarios.Scenario) error {
	limit, at := float64(sc.Scheduler.Limit), 0
	var serving int
	var sum, squares, fair, loaded float64
	ends := func() { // the window at hand
		w := ws[at]
		if sum > 0 {
			fair += float64(w.length * (sum * sum / (float64(serving) * squares)))
			loaded += w.length
		}
		switch need := Needed(w.offered, limit, sc.Instances.Min, sc.Instances.Max); {
		case serving < need:
			c.Under += w.length
		case serving > need:
			c.Over += w.length
		}
		serving, sum, squares = 0, 0, 0
		at++
	}
	err := r.EachInstance(func(i *Instance) error {
		for at < len(ws) && ws[at].end < i.T {
			ends()
		}
		if i.Serving() {
			serving++
			sum += i.Offered
			squares += float64(i.Offered * i.Offered)
		}
		return nil
	})
	for at < len(ws) {
		ends()
	}
	c.Jain = fair / loaded
	if limit <= 0 {
		c.Under, c.Over = math.NaN(), math.NaN()
	}
	return err
}

// scalingCosts are those that the log has.
func (r *Record) scalingCosts(c *Costs, ws []span, sc *scenarios.Scenario) error {
	end := units.Time(0)
	if len(ws) > 0 {
		end = units.Time(math.Round(ws[len(ws)-1].end * float64(units.Second)))
	}
	within := units.Time(math.Round(float64(ReversalSpan) * cmp.Or(sc.Scale.Time, 1)))
	ordered := map[int32]units.Time{} // those that live
	lived := units.Time(0)
	reasons := map[[2]string]int64{}
	var g stages
	flaps := flapping{within: within}
	for e, err := range r.scalingLog() {
		switch {
		case err != nil:
			return err
		case e.Decision != nil:
			reasons[[2]string{e.Decision.Kind, numbers.ReplaceAllString(e.Decision.Reason, "#")}]++
			g.add(e.Decision, flaps.add)
		case e.Action != nil && e.Action.Kind == orchestrator.CreateInstance:
			c.Starts++
			ordered[int32(e.Action.Instance)] = e.At
		case e.Event != nil && e.Event.Kind != orchestrator.InstanceReady:
			if at, lives := ordered[int32(e.Event.Instance)]; lives {
				lived += max(min(e.At, end)-at, 0)
				delete(ordered, int32(e.Event.Instance))
			}
		}
	}
	g.end(flaps.add)
	for _, at := range ordered { // the sum is one of integers
		lived += max(end-at, 0)
	}
	c.InstanceTime, c.ScaleEvents, c.Reversals = lived.Seconds(), flaps.events, flaps.reversals
	for _, k := range slices.SortedFunc(maps.Keys(reasons), func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	}) {
		c.Reasons = append(c.Reasons, Reason{k[0], k[1], reasons[k]})
	}
	return nil
}

var numbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// flapping counts scale events and reversals.
type flapping struct {
	within            units.Time
	events, reversals int
	last              Evaluation // the last scale event
}

func (f *flapping) add(e Evaluation) {
	if e.Desired == e.Current {
		return
	}
	turned := e.Desired > e.Current != (f.last.Desired > f.last.Current)
	if f.events > 0 && turned && e.At-f.last.At <= f.within {
		f.reversals++
	}
	f.events++
	f.last = e
}

func (r *Record) flowCosts(c *Costs) error {
	busy, bad, measured := 0, 0, true
	err := r.src.flows(func(f *Flow) error {
		if f.Unmeasured() {
			measured = false
		}
		if f.Offered > 0 {
			busy++
			if f.Dropped > LossObjective*f.Offered {
				bad++
			}
		}
		return nil
	})
	if c.SLOFlows = float64(bad) / float64(busy); !measured {
		c.SLOFlows = math.NaN()
	}
	return err
}

func (r *Record) delayCosts(c *Costs) error {
	c.WaitP50, c.WaitP99, c.WaitP999 = math.NaN(), math.NaN(), math.NaN()
	return r.src.latencies(func(l *Latency) error {
		if l.Scope == "run" && l.Kind == "wait" {
			c.WaitP50, c.WaitP99, c.WaitP999 = units.Time(l.P50).Seconds(), units.Time(l.P99).Seconds(),
				units.Time(l.P999).Seconds()
		}
		return nil
	})
}
