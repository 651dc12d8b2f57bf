package request

import (
	"context"
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Header is the record's description of a run that has not begun.
func Header(sc *scenarios.Scenario, version string) *results.Run {
	w := &traces.Workload{}
	for i := range sc.Workload {
		r := sc.Workload[i].Requests
		if r == nil {
			continue
		}
		text := r.Arrivals
		switch {
		case r.File != "":
			text += ", " + r.File
		case r.Clients > 0:
			text += ", " + strconv.Itoa(r.Clients) + " clients"
		default:
			text += fmt.Sprintf(", %g requests a second", sc.RequestRate(r))
		}
		w.Provenance = append(w.Provenance, "requests: "+text)
	}
	run := results.NewRun(results.Simulated, sc.Engine, version, sc, w)
	run.Unit = results.PerRequest
	return run
}

// Run goes through the run and writes its record. The error is the record's or the context's. After the context's error
// the record says that it is incomplete. An engine runs once.
func (e *Engine) Run(ctx context.Context, rec results.Recorder, o sim.Options) error {
	err := e.open(rec)
	if err == nil {
		err = e.run(ctx, rec, o.Progress)
	}
	if err != nil {
		err = fmt.Errorf("stopped at %v of %v: %w", e.time(), units.Time(e.end), err)
		e.total()
	}
	run := Header(e.sc, o.Version)
	run.Complete = err == nil
	if err != nil {
		run.Error = err.Error()
	}
	t := &e.tally
	run.Totals = results.Totals{Offered: float64(t.offered), Processed: float64(t.replied), Queued: float64(e.inside),
		Dropped: results.Drops{SlowPath: float64(t.lost[byStage]), Rejected: float64(t.lost[byRejection]),
			Instance: float64(t.lost[byInstance]), Link: float64(t.lost[byLink])}}
	run.Policy = e.policyOf(0)
	if e.fleet != nil {
		run.Policy.Scaling = e.fleet.orch.Counts().Scaling
	}
	run.Requests = e.requests()
	run.Little = e.delays(rec)
	if closing := rec.Close(run); err == nil {
		err = closing
	}
	return err
}

// open writes how the run begins: with instances that are there.
func (e *Engine) open(rec results.Recorder) error {
	if e.fleet != nil {
		return e.fleet.start(e, rec)
	}
	rec.Event(0, &orchestrator.Event{Kind: orchestrator.Start})
	for i := range e.instances {
		rec.Action(0, &orchestrator.Action{Kind: orchestrator.CreateInstance, Instance: flow.Instance(i + 1)})
		rec.Event(0, &orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: flow.Instance(i + 1)})
	}
	return nil
}

// total adds the window's counts to those of the run.
func (e *Engine) total() {
	t := &e.tally
	t.add(&t.win)
	t.win, t.sent = counts{}, 0
}

// window writes the record's rows at the end of a window, and tells the policies what was counted.
func (e *Engine) window(rec results.Recorder) error {
	span := units.Time(e.now - e.began).Seconds()
	a := &e.tally.win
	w := &e.win
	*w = results.Window{T: e.time().Seconds(), Offered: float64(a.offered) / span,
		Ingress: float64(e.tally.sent) / span, Processed: float64(a.replied) / span,
		Dropped: float64(a.dropped()) / span, DroppedInstance: float64(a.lost[byInstance]) / span,
		DroppedSlowPath: float64(a.lost[byStage]) / span, DroppedLink: float64(a.lost[byLink]) / span,
		DroppedRejected: float64(a.lost[byRejection]) / span, Queued: float64(e.inside)}
	e.rows = e.rows[:0]
	for i := range e.instances {
		state, up, listed := e.life(i)
		if !listed {
			continue
		}
		e.rows = append(e.rows, e.row(i, span, state, up))
		row := &e.rows[len(e.rows)-1]
		w.Flows += row.Flows
		if row.Serving() {
			w.Instances++
		}
		if row.Flows > 0 {
			w.Used++
		}
	}
	e.total()
	began := e.began
	e.began = e.now
	e.nodeRows(rec, span)
	if err := rec.Window(w, e.rows); err != nil {
		return err
	}
	if e.fleet != nil && e.fleet.err != nil {
		return e.fleet.err
	}
	for s := range e.stations {
		st := &e.stations[s]
		st.host.Measured(units.Time(began), e.time(), st.sent, st.back)
	}
	e.measured(units.Time(began), span)
	return nil
}

// row is an instance in the window that ends: its state, for how long it was up, and what it did.
func (e *Engine) row(i int, span float64, state string, up int64) results.Instance {
	in := &e.instances[i]
	st := &e.stations[in.station]
	local := st.local(uint16(i))
	busy := in.busy
	if in.serving >= 0 {
		j := &e.jobs[in.serving]
		busy += e.now - max(j.ended-j.service, e.began)
	}
	row := results.Instance{T: e.win.T, Instance: int32(i + 1), State: state,
		Flows: st.host.Placed(local), Offered: float64(in.offered) / span, Processed: float64(in.done) / span,
		Dropped: float64(in.dropped) / span, Queue: float64(in.n),
		Utilization: float64(busy) / float64(max(up, 1))}
	if e.fleet != nil {
		e.fleet.counted(i, in, busy)
	}
	st.sent[local-1], st.back[local-1] = row.Offered, row.Processed
	in.offered, in.done, in.dropped, in.busy = 0, 0, 0, 0
	return row
}

// requests says what became of them.
func (e *Engine) requests() *results.Requests {
	t := &e.tally
	r := &results.Requests{Placed: int64(t.placed), Held: int64(t.mostHeld),
		Resubmissions: int64(t.passes), Probes: int64(t.probes), Answers: int64(t.answers), Replies: int64(t.replies)}
	if t.placed > 0 {
		n := float64(t.placed)
		r.PerDecision = results.Round(float64(t.placed+t.probes+t.answers+t.replies) / n)
		r.PassesPer = results.Round(float64(t.passes) / n)
	}
	for s := range e.stations {
		r.Overflow += int64(e.stations[s].host.Overflow)
	}
	e.ofNetwork(r)
	var all, more packet.Wide
	for i := range e.instances {
		if e.serves(i) {
			e.changing(&e.instances[i])
		}
	}
	most := 0
	for k, ps := range e.occupied {
		all.Add(ps)
		if ps > 0 {
			most = k
		}
	}
	if whole := all.Over(1); whole > 0 {
		r.AtLeast = make([]float64, most)
		for k := most; k > 0; k-- {
			more.Add(e.occupied[k])
			r.AtLeast[k-1] = results.Round(more.Over(1) / whole)
		}
	}
	run := e.all()
	if d, _, ok := run[endToEnd].Row("run", 0, kindNames[endToEnd]); ok {
		s := func(ps int64) float64 { return units.Time(ps).Seconds() }
		r.Delay = results.RequestDelay{Mean: s(int64(d.Mean)), P50: s(d.P50), P90: s(d.P90), P99: s(d.P99),
			P999: s(d.P999)}
	}
	for i := range e.classes {
		c := &e.classes[i]
		g := e.byClass[i].row(i+1, c.name)
		g.Priority, g.SLO = int(c.priority), units.Time(c.slo).Seconds()
		r.Classes = append(r.Classes, g)
	}
	for i := range e.byTenant {
		name := e.tenants[i]
		r.Tenants = append(r.Tenants, e.byTenant[i].row(i+1, name))
	}
	return r
}

func (g *group) row(number int, name string) results.RequestGroup {
	return results.RequestGroup{Number: int32(number), Name: name, Offered: g.offered, Replied: g.replied,
		Dropped: g.dropped, Queued: g.offered - g.replied - g.dropped, Late: g.late}
}

// delays writes the delays of the run, the instances, the classes and the tenants, and checks Little's law.
func (e *Engine) delays(rec results.Recorder) *results.Little {
	little := &results.Little{Holds: true}
	var area, stays packet.Wide
	came := int64(0)
	for i := range e.instances {
		in := &e.instances[i]
		times := in.stays
		e.eachAt(in, func(j *job) { times.Add(uint64(e.now - j.at)) })
		if times != in.area && little.Holds {
			little.Holds, little.Where = false, "instance "+strconv.Itoa(i+1)
		}
		little.Checked++
		area.AddWide(in.area)
		stays.AddWide(times)
		came += in.came
	}
	if e.now > 0 {
		little.Number = area.Over(uint64(e.now))
		little.Rate = float64(came) / e.time().Seconds()
	}
	if came > 0 {
		little.Time = stays.Over(uint64(came)) / float64(units.Second)
	}
	run := e.all()
	write(rec, "run", 0, &run)
	for i := range e.spans {
		write(rec, "instance", i+1, &e.spans[i])
	}
	for i := range e.byClass {
		of := e.byClass[i].settle()
		write(rec, "class", i+1, &of)
	}
	for i := range e.byTenant {
		of := e.byTenant[i].settle()
		write(rec, "tenant", i+1, &of)
	}
	for i := range e.byService {
		of := e.byService[i].settle()
		write(rec, "service", i+1, &of)
	}
	return little
}

// all are the delays of all requests.
func (e *Engine) all() (run [kinds]packet.Spans) {
	for i := range e.byClass {
		of := e.byClass[i].settle()
		for k := range kinds {
			run[k].Merge(&of[k])
		}
	}
	return run
}

// eachAt calls f with each job at an instance.
func (e *Engine) eachAt(in *instance, f func(*job)) {
	if in.serving >= 0 {
		f(&e.jobs[in.serving])
	}
	for _, q := range in.queues {
		for i := q.head; i >= 0; i = e.jobs[i].next {
			f(&e.jobs[i])
		}
	}
}

func write(rec results.Recorder, scope string, number int, delays *[kinds]packet.Spans) {
	for k := range kinds {
		if row, buckets, ok := delays[k].Row(scope, number, kindNames[k]); ok {
			rec.Latency(&row, buckets)
		}
	}
}

// Check says why a scenario cannot be run, as far as can be told without the files that it names.
func Check(sc *scenarios.Scenario) error {
	for s := range sc.Chain() {
		if _, err := dispatch.New(sc.StationDispatcher(s, 1)); err != nil {
			return err
		}
	}
	if sc.Nodes == nil {
		return nil
	}
	_, err := newRackHost(sc.RackDispatcher(0))
	return err
}
