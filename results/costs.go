package results

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// Costs is what a controller cost in a run, and what it left undone. A value that the record does not have is NaN.
type Costs struct {
	InstanceTime float64 // instance-seconds: each instance from its order until it is gone, has failed or the run ends
	CoreTime     float64 // core-seconds: the same, each times its share of a core
	Starts       int     // instances ordered, the initial ones and those that replace failed ones included
	ScaleEvents  int     // evaluations that changed the number of instances
	Reversals    int     // of these, see ReversalSpan
	Resizes      int     // instances that got another share of a core in place
	Under, Over  float64 // s in which fewer, or more, instances took packets than Needed says
	Moves        float64 // flows moved from one instance to another
	Broken       float64 // flows that reached another instance without having been moved
	Loss         float64 // share of the offered packets that was dropped, for any cause
	Goodput      float64 // frame bits sent back by the instances, bit/s over the run
	WaitP50      float64 // s that half of the packets waited at an instance at most; likewise the next two
	WaitP99      float64
	WaitP999     float64
	Jain         float64 // fairness of the load of the instances, 1/n to 1: the mean of each window's index
	SLOWindows   float64 // share of the windows with packets that lost more of them than measure.max_loss
	SLOFlows     float64 // share of the flows with packets that lost more of them than that
	SLOPackets   float64 // share of the processed packets that waited longer than measure.max_wait
	Energy       float64 // J, of the instances and the cores that forward, where the NIC's profile says what they draw

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

// Cost is one of the Costs by its name.
type Cost struct {
	Name, Unit string
	Of         func(*Costs) float64
}

// CostTable lists all Costs that are one number, in the order in which tables have them.
var CostTable = []Cost{
	{"instance_s", "s", func(c *Costs) float64 { return c.InstanceTime }},
	{"core_s", "s", func(c *Costs) float64 { return c.CoreTime }},
	{"starts", "", func(c *Costs) float64 { return float64(c.Starts) }},
	{"scale_events", "", func(c *Costs) float64 { return float64(c.ScaleEvents) }},
	{"reversals", "", func(c *Costs) float64 { return float64(c.Reversals) }},
	{"resizes", "", func(c *Costs) float64 { return float64(c.Resizes) }},
	{"under_s", "s", func(c *Costs) float64 { return c.Under }},
	{"over_s", "s", func(c *Costs) float64 { return c.Over }},
	{"flows_moved", "", func(c *Costs) float64 { return c.Moves }},
	{"flows_broken", "", func(c *Costs) float64 { return c.Broken }},
	{"loss", "1", func(c *Costs) float64 { return c.Loss }},
	{"goodput_bps", "bit/s", func(c *Costs) float64 { return c.Goodput }},
	{"wait_p50_s", "s", func(c *Costs) float64 { return c.WaitP50 }},
	{"wait_p99_s", "s", func(c *Costs) float64 { return c.WaitP99 }},
	{"wait_p999_s", "s", func(c *Costs) float64 { return c.WaitP999 }},
	{"jain", "1", func(c *Costs) float64 { return c.Jain }},
	{"slo_windows", "1", func(c *Costs) float64 { return c.SLOWindows }},
	{"slo_flows", "1", func(c *Costs) float64 { return c.SLOFlows }},
	{"slo_packets", "1", func(c *Costs) float64 { return c.SLOPackets }},
	{"energy_j", "J", func(c *Costs) float64 { return c.Energy }},
}

// Known are the costs that are known, by their names in CostTable.
func (c *Costs) Known() map[string]float64 {
	known := map[string]float64{}
	for _, of := range CostTable {
		if v := of.Of(c); !math.IsNaN(v) {
			known[of.Name] = v
		}
	}
	return known
}

// Needed is how many instances a load wants: as many as carry it at limit packets/s each, within the bounds. What
// exceeds a whole number by less than 1e-9 of the load does not count.
func Needed(load, limit float64, least, most int) int {
	want := math.Ceil(load * (1 - 1e-9) / limit)
	return int(math.Min(math.Max(want, float64(least)), float64(most)))
}

// Costs computes from the record what its controller cost. A killed run's are those up to its last full window; it has
// no flows moved or broken, no delays and no objective of flows.
func (r *Record) Costs() (*Costs, error) {
	sc, err := scenarios.FromRecord(r.Run.Name, r.Run.Scenario, r.Run.Seed)
	if err != nil {
		return nil, fmt.Errorf("costs: %w", err)
	}
	m := NewMeter(sc)
	m.reasons = map[Reason]int64{}
	if err := r.into(m); err != nil {
		return nil, fmt.Errorf("costs: %w", err)
	}
	run := r.Run
	if r.killed { // the windows say what came and went
		run.Totals = Totals{Offered: m.offered, Dropped: Drops{Instance: m.dropped}, ProcessedBytes: m.bits / 8}
	}
	c := m.Costs(&run)
	if r.killed {
		c.Moves, c.Broken = math.NaN(), math.NaN()
	}
	return c, nil
}

// into plays what counts into m.
func (r *Record) into(m *Meter) error {
	ws, err := r.Windows()
	if err != nil {
		return err
	}
	at := 0
	var is []Instance
	ends := func() {
		m.Window(&ws[at], is)
		is = is[:0]
		at++
	}
	err = r.EachInstance(func(i *Instance) error {
		for at < len(ws) && ws[at].T < i.T {
			ends()
		}
		is = append(is, *i)
		return nil
	})
	if err != nil {
		return err
	}
	for at < len(ws) {
		ends()
	}
	for e, err := range r.scalingLog() {
		switch {
		case err != nil:
			return err
		case e.Decision != nil:
			m.Decided(e.Decision)
		case e.Action != nil:
			m.Action(e.At, e.Action)
		default:
			m.Event(e.At, e.Event)
		}
	}
	if err := r.src.flows(func(f *Flow) error { m.Flow(f); return nil }); err != nil {
		return err
	}
	var waits []Bucket
	if m.maxWait > 0 { // otherwise nobody looks at them
		if waits, err = r.Buckets("run"); err != nil {
			return err
		}
		waits = slices.DeleteFunc(waits, func(b Bucket) bool { return b.Kind != "wait" })
	}
	return r.src.latencies(func(l *Latency) error { m.Latency(l, waits); return nil })
}

// Meter adds the Costs up as a run goes, or as its record is read. It is told what a Recorder is told; windows, the
// log and the rest may come one behind the other as well.
type Meter struct {
	limit       float64 // packets/s that an instance is trusted with
	least, most int     // instances
	watts       struct{ instance, cores float64 }
	maxLoss     float64
	maxWait     units.Time

	end                    float64 // of the last window, s
	offered, dropped, bits float64 // of all windows
	loaded, lossy          int     // windows with packets; of those, that violate the objective
	under, over            float64
	fair, shared           float64 // Jain's index times the length of its window, and these lengths

	starts  int
	resizes int
	lives   []life
	now     map[flow.Instance]int // the last life of each that lives
	stages  stages
	flaps   flapping
	reasons map[Reason]int64 // with the numbers in them; nil where nobody asks for them

	racked bool    // the log is the dispatcher's, whose instances are nodes
	there  float64 // instance-seconds, by the instances at the ends of windows

	flows, hurt, unmeasured int // flows with packets; of those, that violate the objective; those not followed
	wait                    *Latency
	waited                  int64 // packets that waited longer than the objective
}

// NewMeter returns a Meter for a run of a scenario. It counts no reasons.
func NewMeter(sc *scenarios.Scenario) *Meter {
	within := math.Round(float64(ReversalSpan) * cmp.Or(sc.Scale.Time, 1))
	m := &Meter{limit: float64(sc.Scheduler.Limit), least: sc.Instances.Min, most: sc.Instances.Max,
		flaps: flapping{within: units.Time(within)}, now: map[flow.Instance]int{}}
	m.watts.instance, m.watts.cores = sc.NIC.InstanceWatts, float64(sc.NIC.Cores)*sc.NIC.CoreWatts
	if sc.Engine == "request" {
		m.limit = 0 // is of packets
	}
	if sc.Nodes != nil {
		m.watts.cores *= float64(sc.Nodes.Count)
		if sc.Engine != "request" {
			m.racked, m.limit = true, 0 // is of an instance
		}
	}
	m.maxLoss, m.maxWait = sc.Measure.MaxLoss, sc.Measure.MaxWait
	return m
}

// Window takes a window.
func (m *Meter) Window(w *Window, instances []Instance) {
	length := w.T - m.end
	m.end = w.T
	m.there += float64(float64(w.Instances) * length)
	offered, dropped := Round(w.Offered), Round(w.Dropped) // as a record has them
	m.offered += float64(offered * length)
	m.dropped += float64(dropped * length)
	m.bits += float64(Round(w.ProcessedBits) * length)
	if offered > 0 {
		m.loaded++
		if dropped > m.maxLoss*offered {
			m.lossy++
		}
	}
	serving := 0
	sum, squares := 0.0, 0.0
	for i := range instances {
		if instances[i].Serving() {
			x := Round(instances[i].Offered)
			serving++
			sum += x
			squares += float64(x * x)
		}
	}
	if sum > 0 {
		m.fair += float64(length * (sum * sum / (float64(serving) * squares)))
		m.shared += length
	}
	switch need := Needed(offered, m.limit, m.least, m.most); {
	case serving < need:
		m.under += length
	case serving > need:
		m.over += length
	}
}

// Decided takes a decision.
func (m *Meter) Decided(d *orchestrator.Decision) {
	if slices.Contains(onFlows, d.Kind) {
		return
	}
	if m.reasons != nil {
		m.reasons[Reason{d.Kind, d.Reason, 0}]++
	}
	m.stages.add(d, m.flaps.add)
}

// Action takes an action.
func (m *Meter) Action(now units.Time, a *orchestrator.Action) {
	if a.Kind == orchestrator.CreateInstance {
		m.starts++
		m.live(a.Instance, now, a.Share)
	}
}

// life is a time in which an instance had a share of a core.
type life struct {
	from, to units.Time // Never while it lasts
	share    float64
}

func (m *Meter) live(i flow.Instance, from units.Time, share float64) {
	m.now[i] = len(m.lives)
	m.lives = append(m.lives, life{from, units.Never, cmp.Or(share, 1)})
}

// Event takes an event.
func (m *Meter) Event(now units.Time, e *orchestrator.Event) {
	resized := e.Kind == orchestrator.InstanceResized && e.Reason == ""
	if e.Kind != orchestrator.InstanceGone && e.Kind != orchestrator.InstanceFailed && !resized {
		return
	}
	at, lives := m.now[e.Instance]
	if !lives {
		return
	}
	m.lives[at].to = now
	delete(m.now, e.Instance)
	if resized {
		m.resizes++
		m.live(e.Instance, now, e.Share)
	}
}

// Flow takes a flow.
func (m *Meter) Flow(f *Flow) {
	if f.Unmeasured() {
		m.unmeasured++
	}
	if f.Offered > 0 {
		m.flows++
		if Round(f.Dropped) > m.maxLoss*Round(f.Offered) {
			m.hurt++
		}
	}
}

// Latency takes a delay with its histogram.
func (m *Meter) Latency(l *Latency, buckets []Bucket) {
	if l.Scope != "run" || l.Kind != "wait" {
		return
	}
	wait := *l
	m.wait = &wait
	for i := range buckets {
		if buckets[i].High > int64(m.maxWait) {
			m.waited += buckets[i].Count
		}
	}
}

// Costs gives what came of it, with the totals of the run.
func (m *Meter) Costs(r *Run) *Costs {
	t := &r.Totals
	c := &Costs{Starts: m.starts, Under: m.under, Over: m.over, Moves: float64(t.Moves), Broken: float64(t.Broken),
		Loss: t.Dropped.Sum() / t.Offered, Goodput: 8 * t.ProcessedBytes / m.end, Jain: m.fair / m.shared,
		WaitP50: math.NaN(), WaitP99: math.NaN(), WaitP999: math.NaN(), SLOPackets: math.NaN(),
		SLOWindows: float64(m.lossy) / float64(m.loaded), SLOFlows: float64(m.hurt) / float64(m.flows)}
	if m.limit <= 0 {
		c.Under, c.Over = math.NaN(), math.NaN()
	}
	if m.unmeasured > 0 {
		c.SLOFlows = math.NaN()
	}
	if w := m.wait; w != nil {
		c.WaitP50, c.WaitP99, c.WaitP999 = units.Time(w.P50).Seconds(), units.Time(w.P99).Seconds(),
			units.Time(w.P999).Seconds()
		if m.maxWait > 0 {
			c.SLOPackets = float64(m.waited) / float64(w.Count)
		}
	}
	m.stages.end(m.flaps.add)
	c.ScaleEvents, c.Reversals = m.flaps.events, m.flaps.reversals
	c.Resizes = m.resizes
	if c.InstanceTime, c.CoreTime = m.lived(); m.racked {
		c.InstanceTime, c.CoreTime = m.there, math.NaN()
	}
	c.Energy = float64(m.watts.instance*c.InstanceTime) + float64(m.watts.cores*m.end)
	if m.watts.instance == 0 && m.watts.cores == 0 {
		c.Energy = math.NaN()
	}
	c.Reasons = m.why()
	return c
}

// lived is how long instances lived up to the end of the last window, and the same in core-seconds.
func (m *Meter) lived() (instances, cores float64) {
	end := units.Time(math.Round(m.end * float64(units.Second)))
	sum := units.Time(0)
	for _, l := range m.lives {
		span := max(min(l.to, end)-l.from, 0)
		sum += span
		cores += float64(span.Seconds() * l.share)
	}
	return sum.Seconds(), cores
}

var numbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

func (m *Meter) why() (all []Reason) {
	sums := map[Reason]int64{}
	for r, n := range m.reasons {
		sums[Reason{r.Decision, numbers.ReplaceAllString(r.Reason, "#"), 0}] += n
	}
	for r, n := range sums {
		all = append(all, Reason{r.Decision, r.Reason, n})
	}
	slices.SortFunc(all, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(a.Decision, b.Decision), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}

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
