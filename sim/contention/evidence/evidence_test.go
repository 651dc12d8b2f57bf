package evidence

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// experiment is the scenario share, a thousand times slower: A(5) is 43.10 kpps, C(5) 8.62.
const experiment = `
name: share
duration: 12s
nic: ideal
vnf: {buffer: 16, %scontention: {model: usl, lambda: 25kpps, sigma: 0.38, kappa: 0.019, share: %s}}
instances: {initial: 5, min: 5, max: 5}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
telemetry: {window: 1s}
workload:
  - flows: [%s]
`

func simulated(t *testing.T, engine sim.Engine, text string) *results.Record {
	t.Helper()
	rec, err := simtest.Run(t, simtest.Parse(t, text), engine).Record()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

const hungry = "{rate: 12500pps, packet_size: 64B}, "

func TestSimulatedRecords(t *testing.T) {
	all, idle := strings.Repeat(hungry, 5), strings.Repeat(hungry, 4)
	few := func(rate float64) string {
		return fmt.Sprintf("%s{rate: %gpps, packet_size: 64B}, %[1]s", strings.Repeat(hungry, 2), rate)
	}
	for _, engine := range []struct {
		name string
		make sim.Engine
	}{{"fluid", fluid.New}, {"packet", packet.New}} {
		for _, c := range []struct {
			what, share, flows, vnf string
			demand                  float64
			want                    string
		}{
			{"reserved", "reserved", few(2000), "", 2000, contention.Reserved},
			{"pooled", "pooled", few(2000), "", 2000, contention.Pooled},
			// The one is offered what it could process in saturation, so both predict the same.
			{"ambiguous", "pooled", few(8625), "", 8625, contention.Open},
			{"an idle one that contends, reserved", "reserved", idle, "idle_contend: true, ", 0, contention.Reserved},
			{"an idle one that contends, pooled", "pooled", idle, "idle_contend: true, ", 0, contention.Pooled},
		} {
			t.Run(engine.name+"/"+c.what, func(t *testing.T) {
				e, err := Read(context.Background(), []*results.Record{
					simulated(t, engine.make, fmt.Sprintf(experiment, c.vnf, c.share, c.flows)),
					simulated(t, engine.make, fmt.Sprintf(experiment, c.vnf, c.share, all)),
				})
				if err != nil {
					t.Fatal(err)
				}
				if len(e.Shares) != 1 || e.Shares[0].Outcome != c.want || e.Shares[0].Hungry != 4 ||
					len(e.Shares[0].Demands) != 1 || e.Shares[0].Demands[0] < c.demand*0.999 ||
					e.Shares[0].Demands[0] > c.demand*1.001 {
					t.Errorf("%+v, want %s and a demand of %g", e.Shares, c.want, c.demand)
				}
				if len(e.Capacities) != 1 || e.Capacities[0].N != 5 || e.Capacities[0].Records != 1 ||
					e.Capacities[0].Mean < 8615 || e.Capacities[0].Mean > 8625 {
					t.Errorf("%+v, want 8.62 kpps of each of 5", e.Capacities)
				}
			})
		}
	}
}

func TestRecordsOfOtherExperiments(t *testing.T) {
	for _, c := range []struct{ what, text, want string }{
		{"nobody is saturated", fmt.Sprintf(experiment, "", "reserved", strings.Repeat("{rate: 5kpps}, ", 5)),
			"one is offered more than it processes"},
		{"too few windows", strings.Replace(fmt.Sprintf(experiment, "", "reserved", strings.Repeat(hungry, 5)),
			"12s", "7s", 1), "no 6 windows in a row"},
		{"flows come and go", fmt.Sprintf(experiment, "", "reserved", strings.Repeat(hungry, 5)+
			"{rate: 100pps, phase: 4s, end: 8s}"), "no 6 windows in a row"},
		{"an instance has no flow", fmt.Sprintf(experiment, "", "reserved", strings.Repeat(hungry, 4)),
			"no 6 windows in a row"},
		{"all are saturated", fmt.Sprintf(experiment, "", "reserved", strings.Repeat(hungry, 5)),
			"some are saturated and some not (scenario share)"},
		{"the capacity is missing", fmt.Sprintf(experiment, "", "reserved", strings.Repeat(hungry, 4)+
			"{rate: 2kpps}"), "the capacity of 5 of which all are"},
	} {
		_, err := Read(context.Background(), []*results.Record{simulated(t, fluid.New, c.text)})
		if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.what, err, c.want)
		}
	}
}

// made is a record of windows in which each saturated instance of five processes rate, with noise from window to
// window, and the others what they are offered.
func made(t *testing.T, name string, rate, noise float64, saturated, windows int) *results.Record {
	t.Helper()
	r := numeric.Stream(1, name)
	m := results.NewMemory()
	for w := range windows {
		at := float64(w + 1)
		rows := make([]results.Instance, 5)
		for i := range rows {
			x := &rows[i]
			*x = results.Instance{T: at, Instance: int32(i + 1), State: results.StateReady, Flows: 1, Offered: 2e6,
				Processed: 2e6}
			if i < saturated {
				x.Offered, x.Processed = 20e6, rate*(1+float64(noise*numeric.Normal(r)))
			}
		}
		if err := m.Window(&results.Window{T: at}, rows); err != nil {
			t.Fatal(err)
		}
	}
	m.Run.Name, m.Run.Scenario = name, map[string]any{}
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// From three records on these are the repetitions, and before that batches of their windows. Then notes say what is not
// known. Reserved predicts 8 Mpps of each of four, and pooled 9.5.
func TestRepetitions(t *testing.T) {
	const runs = 4
	for records := 1; records <= runs; records++ {
		var recs []*results.Record
		for k := range records {
			recs = append(recs, made(t, fmt.Sprint("few ", k), 8e6, 0.01, 4, 22),
				made(t, fmt.Sprint("all ", k), 8e6, 0.01, 5, 22))
		}
		e, err := Read(context.Background(), recs)
		if err != nil {
			t.Fatal(err)
		}
		count, notes := 10*records, 1
		if records >= Runs {
			count, notes = records, 0
		}
		v, c := e.Shares[0], e.Capacities[0]
		if v.Outcome != contention.Reserved || v.Each.Count != count || c.Count != count || c.Records != records {
			t.Errorf("%d records: %+v, %+v, want reserved by %d repetitions", records, v, c, count)
		}
		const what = "the spread within a run, and not that from run to run"
		if n := strings.Count(strings.Join(v.Notes, "\n"), what); n != notes {
			t.Errorf("%d records: notes of the verdict %q, want %d that says %q", records, v.Notes, notes, what)
		}
		if n := strings.Count(strings.Join(e.Notes, "\n"), what); n != notes {
			t.Errorf("%d records: notes %q, want %d that says %q", records, e.Notes, notes, what)
		}
	}
}

// Three spells of one record are no three records.
func TestSpellsOfOneRecord(t *testing.T) {
	rec := simulated(t, fluid.New, strings.Replace(fmt.Sprintf(experiment, "", "reserved", strings.Repeat(hungry, 5)+
		"{rate: 3kpps, phase: 10s, end: 12s}, {rate: 3kpps, phase: 22s, end: 24s}"), "12s", "34s", 1))
	found, err := spells(rec)
	if err != nil || len(found) != 3 {
		t.Fatalf("%d spells (%v), want 3", len(found), err)
	}
	s, records := sample(found)
	if records != 1 || s.Count <= 3 {
		t.Errorf("%d records, %d repetitions: want 1 record, and batches of its windows", records, s.Count)
	}
}

// Without noise there is nothing that a run could not show.
func TestNoNoteWithoutSpread(t *testing.T) {
	recs := []*results.Record{made(t, "few", 8e6, 0, 4, 12), made(t, "all", 8e6, 0, 5, 12)}
	e, err := Read(context.Background(), recs)
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(append(e.Shares[0].Notes, e.Notes...), "\n"); strings.Contains(notes, "spread") {
		t.Errorf("notes: %s", notes)
	}
}
