package results

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// Memory is the Recorder that keeps a run in memory: the rows, rounded and checked as in a record on disk, and the log.
type Memory struct {
	Run       Run // as passed to Close; zero before
	Windows   []Window
	Instances []Instance
	Flows     []Flow
	Latencies []Latency
	Buckets   []Bucket
	NodeRows  []Node

	check Checker
	log   []byte   // being filled
	full  [][]byte // before it
	err   error
}

// logBlock is how much of the log is kept in one piece: a log that grew in one would be copied again and again.
const logBlock = 1 << 16

var _ Recorder = (*Memory)(nil)

// NewMemory returns an empty Memory.
func NewMemory() *Memory { return &Memory{log: make([]byte, 0, logBlock)} }

// Skew sets Checker.Skew. It must be called before the run begins.
func (m *Memory) Skew(t units.Time) { m.check.Skew = t }

// Event logs an event.
func (m *Memory) Event(now units.Time, e *orchestrator.Event) {
	b, err := appendEvent(m.log, now, e)
	m.logged(b, err)
}

// Action logs an action.
func (m *Memory) Action(now units.Time, a *orchestrator.Action) {
	b, err := appendAction(m.log, now, a)
	m.logged(b, err)
}

func (m *Memory) logged(b []byte, err error) {
	if err != nil {
		if m.err == nil {
			m.err = err
		}
		return
	}
	if m.log = b; len(b) > logBlock-logBlock/16 {
		m.full = append(m.full, b)
		m.log = make([]byte, 0, logBlock)
	}
}

// Decided logs a decision.
func (m *Memory) Decided(d *orchestrator.Decision) { m.logged(appendDecision(m.log, d), nil) }

// Window keeps a window and its instances.
func (m *Memory) Window(w *Window, instances []Instance) error {
	m.check.Window(w, instances)
	m.Windows = append(m.Windows, *w)
	roundRow(&m.Windows[len(m.Windows)-1], windowColumns)
	if len(m.Instances)+len(instances) > cap(m.Instances) {
		// It grows by doubling: append would copy five times as much.
		m.Instances = slices.Grow(m.Instances, max(1024, len(m.Instances)))
	}
	m.Instances = append(m.Instances, instances...)
	for i := len(m.Instances) - len(instances); i < len(m.Instances); i++ {
		roundRow(&m.Instances[i], instanceColumns)
	}
	return m.err
}

// Flow keeps a flow.
func (m *Memory) Flow(f *Flow) {
	m.check.Flow(f)
	m.Flows = append(m.Flows, *f)
	roundRow(&m.Flows[len(m.Flows)-1], flowColumns)
}

// Latency keeps a delay and its histogram.
func (m *Memory) Latency(l *Latency, buckets []Bucket) {
	m.check.Latency(l)
	m.Latencies = append(m.Latencies, *l)
	roundRow(&m.Latencies[len(m.Latencies)-1], latencyColumns)
	m.Buckets = append(m.Buckets, buckets...)
}

// Close does to r what Writer.Close does, and keeps it.
func (m *Memory) Close(r *Run) error {
	finish(r, &m.check)
	m.Run = *r
	if s, ok := r.Scenario.(unwritten); ok {
		m.Run.Scenario = s.of.Resolved() // it may be changed before it is asked for
	}
	return m.err
}

// Record gives the run as if it had been written and opened: Run.Scenario holds the maps that encoding/json makes of
// it. It shares the rows with m. The error is one of a scenario that JSON cannot hold.
func (m *Memory) Record() (*Record, error) {
	rec := &Record{Run: m.Run, src: memory{m}}
	b, err := json.Marshal(m.Run.Scenario)
	if err == nil {
		rec.Run.Scenario = nil
		err = json.Unmarshal(b, &rec.Run.Scenario)
	}
	if err != nil {
		return nil, fmt.Errorf("the scenario of run %q: %w", m.Run.Name, err)
	}
	return rec, nil
}

// memory is a Memory as a Record's source.
type memory struct{ m *Memory }

func (s memory) windows(each func(*Window) error) error     { return over(s.m.Windows, each) }
func (s memory) instances(each func(*Instance) error) error { return over(s.m.Instances, each) }
func (s memory) flows(each func(*Flow) error) error         { return over(s.m.Flows, each) }
func (s memory) latencies(each func(*Latency) error) error  { return over(s.m.Latencies, each) }
func (s memory) buckets(each func(*Bucket) error) error     { return over(s.m.Buckets, each) }
func (s memory) nodes(each func(*Node) error) error         { return over(s.m.NodeRows, each) }
func (s memory) log() (io.ReadCloser, error) {
	readers := make([]io.Reader, 0, len(s.m.full)+1)
	for _, b := range s.m.full {
		readers = append(readers, bytes.NewReader(b))
	}
	return io.NopCloser(io.MultiReader(append(readers, bytes.NewReader(s.m.log))...)), nil
}

func (s memory) check() error { return nil }

func over[T any](rows []T, each func(*T) error) error {
	for i := range rows {
		row := rows[i]
		if err := each(&row); err != nil {
			return err
		}
	}
	return nil
}

// Discard is the Recorder that drops everything. The decision log is on: the orchestrator composes every decision.
var Discard Recorder = discard{}

type discard struct{}

func (discard) Decided(*orchestrator.Decision)          {}
func (discard) Event(units.Time, *orchestrator.Event)   {}
func (discard) Action(units.Time, *orchestrator.Action) {}
func (discard) Window(*Window, []Instance) error        { return nil }
func (discard) Flow(*Flow)                              {}
func (discard) Latency(*Latency, []Bucket)              {}
func (discard) Close(*Run) error                        { return nil }
