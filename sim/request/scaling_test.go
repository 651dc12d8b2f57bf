package request

import (
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
)

// states are the states of an instance in the windows of a run, in which it is listed.
func states(m *results.Memory, instance int32) string {
	var all []string
	for i := range m.Instances {
		if m.Instances[i].Instance == instance {
			all = append(all, m.Instances[i].State)
		}
	}
	return strings.Join(all, " ")
}

// costs are those of a run.
func costs(t *testing.T, m *results.Memory) *results.Costs {
	t.Helper()
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	c, err := rec.Costs()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }

// An instance that drains takes no new request, serves those that it has, and is stopped then. Of three requests the
// second is long and at instance 2, which is to go at 10 us. The others are at instance 1.
func TestAnInstanceDrains(t *testing.T) {
	m := under(t, scenario(t, `
duration: 60us
instances: {initial: 2, min: 1, max: 2}
nic: {profile: ideal, engine_latency: 1us}
vnf: {stop_latency: 12us}
telemetry: {window: 10us}
autoscaler: {policy: {ringleader: {scale_in_epochs: 1}}, interval: 10us}
measure: {delay: instances}
`+arrivals(t, "0us,5us 1us,34us 20us,5us 21us,5us")), nil)
	if got, want := states(m, 2), "ready draining draining stopping gone"; got != want {
		t.Errorf("instance 2 is %s, want %s", got, want)
	}
	if got := states(m, 1); got != "ready ready ready ready ready ready" {
		t.Errorf("instance 1 is %s", got)
	}
	if got := delay(t, m, "instance", "sojourn"); !near(got, (5+5+9)/3.) { // the last waits behind the third
		t.Errorf("requests are at instance 1 for %g us", got)
	}
	if c := costs(t, m); !near(c.InstanceTime, 60e-6+48e-6) || c.Starts != 2 || c.ScaleEvents != 1 {
		t.Errorf("%g instance-seconds, %d starts, %d scale events", c.InstanceTime, c.Starts, c.ScaleEvents)
	}
	if w := m.Windows; w[0].Instances != 2 || w[3].Instances != 1 || m.Run.Policy.Scaling.In != 1 {
		t.Errorf("%d and %d instances, %+v", w[0].Instances, w[3].Instances, m.Run.Policy.Scaling)
	}
}

// Requests that wait for a core bring one, which takes the time of the container engine and of its start. Eight
// requests of 10 us come at once; an instance takes four. At 3 us some have waited, and none has gone, so that a second
// instance is asked for, which is ready at 3 + 2 + 4 us.
func TestAnInstanceStarts(t *testing.T) {
	m := under(t, scenario(t, `
duration: 100us
instances: {initial: 1, min: 1, max: 2}
nic: {profile: ideal, engine_latency: 2us}
vnf: {start_latency: 4us}
scheduler: {policy: ringleader}
telemetry: {window: 4us}
autoscaler: {policy: {ringleader: {scale_in_threshold: 0}}, interval: 1500ns}
`+arrivals(t, strings.TrimSpace(strings.Repeat("0us,10us ", 8)))), nil)
	if got, want := states(m, 2)[:len("starting starting ready")], "starting starting ready"; got != want {
		t.Errorf("instance 2 is %s, want %s", got, want)
	}
	// Four each, one behind the other: from 0 at the first, and from 9 us at the second.
	if got, want := delay(t, m, "run", "end-to-end"), (10+20+30+40+19+29+39+49)/8.; got != want {
		t.Errorf("the mean delay is %g us, want %g", got, want)
	}
	if c := costs(t, m); !near(c.InstanceTime, 197e-6) {
		t.Errorf("%g instance-seconds", c.InstanceTime)
	}
	if u := m.Instances[len(m.Instances)-1].Utilization; u != 0 {
		t.Errorf("instance 2 is used to %g at the end", u)
	}
	for i := range m.Instances { // it was there for 3 us of its first window, and had something to do in all of them
		if x := &m.Instances[i]; x.Instance == 2 && x.State == results.StateReady {
			if x.Utilization != 1 || x.T != 12e-6 {
				t.Errorf("instance 2 is used to %g of what it was there at %g", x.Utilization, x.T)
			}
			break
		}
	}
}

// The death of an instance loses the requests that it has, and those that are on their way to it. A client that waits
// for one goes on a microsecond later.
func TestAnInstanceDies(t *testing.T) {
	m := under(t, scenario(t, `
duration: 40us
instances: {initial: 2, min: 1, max: 2}
nic: {profile: ideal, instance_delay: 2us}
vnf: {start_latency: 100us}
telemetry: {window: 10us}
faults: [{kind: instance-death, at: 9us, instance: 1}]
`+arrivals(t, "0us,10us 1us,10us 2us,10us 3us,10us 8us,1us 20us,1us 21us,1us")), nil)
	// 1 serves the first, has the third, and the fifth is on its way. The sixth and the seventh go to 2.
	d := &m.Run.Totals
	if d.Offered != 7 || d.Processed != 4 || d.Dropped.Instance != 3 || d.Dropped.Sum() != 3 || d.Queued != 0 {
		t.Errorf("%+v", *d)
	}
	if got := states(m, 1); got != "failed" {
		t.Errorf("instance 1 is %s, want failed, and then no more", got)
	}
	if c := costs(t, m); !near(c.InstanceTime, 9e-6+40e-6+30e-6) { // another starts with the next window
		t.Errorf("%g instance-seconds", c.InstanceTime)
	}

	m = under(t, scenario(t, `
duration: 40us
instances: {initial: 2, min: 1, max: 2}
vnf: {start_latency: 100us}
faults: [{kind: instance-death, at: 9us, instance: 1}]
workload: [{requests: {arrivals: closed, clients: 1, classes: [{service: deterministic, mean: 12us}]}}]`), nil)
	// lost at 9 us, asked again at 10 us: replied at 22 us and 34 us, and one is being served
	if d := &m.Run.Totals; d.Offered != 4 || d.Processed != 2 || d.Dropped.Instance != 1 || d.Queued != 1 {
		t.Errorf("%+v", *d)
	}
}

// Without an instance, requests are held until there is one.
func TestTheLastInstanceDies(t *testing.T) {
	m := under(t, scenario(t, `
duration: 60us
instances: {initial: 1, min: 1, max: 1}
vnf: {start_latency: 30us}
telemetry: {window: 5us}
faults: [{kind: instance-death, at: 9us}]
`+arrivals(t, "0us,1us 10us,1us 20us,1us")), nil)
	if got, want := delay(t, m, "run", "end-to-end"), (1.+30+21)/3; !near(got, want) { // it is ready at 39 us
		t.Errorf("the mean delay is %g us, want %g", got, want)
	}
	if w := m.Windows; w[1].Instances != 0 || w[7].Instances != 1 {
		t.Errorf("%d and %d instances", w[1].Instances, w[7].Instances)
	}
}

// A stalled container engine works on what it was asked for when the stall is over; one that fails creates nothing.
func TestTheContainerEngineFails(t *testing.T) {
	for fault, want := range map[string]string{
		"": "starting starting ready",
		"{kind: engine-stall, at: 1us, for: 20us}":   strings.Repeat("starting ", 5) + "ready",
		"{kind: engine-failure, at: 1us, for: 20us}": "failed",
	} {
		m := under(t, scenario(t, `
duration: 60us
instances: {initial: 2, min: 2, max: 2}
vnf: {start_latency: 10us}
telemetry: {window: 5us}
faults: [{kind: instance-death, at: 6us}`+strings.TrimSuffix(", "+fault, ", ")+`]
`+arrivals(t, "0us,1us 59us,1us")), nil)
		if got := states(m, 3); !strings.HasPrefix(got, want) {
			t.Errorf("%s: instance 3 is %s, want %s", fault, got, want)
		}
	}
}

// A run in which more instances are created than there are numbers says so, and has a record.
func TestTooManyInstances(t *testing.T) {
	e, err := New(scenario(t, `
instances: {initial: 1, min: 1, max: 5}
telemetry: {window: 100us}
autoscaler: {policy: {nomad-fixed-value: {value: 5}}, interval: 20us}
faults: [{kind: engine-failure, at: 10us}]
`+arrivals(t, "0us,1us")))
	if err != nil {
		t.Fatal(err)
	}
	e.fleet.most = 7
	m := results.NewMemory()
	err = e.Run(t.Context(), m, sim.Options{})
	want := "stopped at 100us of 1ms: instance 8 of a run of 1ms, those that have gone included: want fewer, or a " +
		"shorter run"
	if err == nil || err.Error() != want || m.Run.Complete || !m.Run.Conservation.Holds {
		t.Errorf("error %v, complete: %v", err, m.Run.Complete)
	}
}
