package replay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
)

// reporting is a container engine that knows what instances use: instance i uses i tenths of a core, and i bytes.
type reporting struct {
	*engine
	since time.Time
	takes time.Duration
	err   error
}

func (r *reporting) Usage(ctx context.Context) (all []hw.Usage, err error) {
	time.Sleep(r.takes)
	found, err := r.List(ctx)
	for _, c := range found {
		all = append(all, hw.Usage{Instance: c.Instance, CPU: time.Since(r.since) * time.Duration(c.Instance) / 10,
			Memory: int64(c.Instance)})
	}
	return append(all, hw.Usage{Instance: 99}), errors.Join(err, r.err)
}

const byUse = "autoscaler.policy={hpa: {cpu: reported, spec: {metrics: [{type: Resource, resource: {name: cpu, " +
	"target: {type: Utilization, averageUtilization: 50}}}, {type: Resource, resource: {name: memory, " +
	"target: {type: AverageValue, averageValue: 1G}}}]}}}"

// replayReporting runs the scenario short with a policy that goes by reported cpu and memory.
func replayReporting(t *testing.T, engine func(*rack) hw.ContainerEngine, sets ...string) (*results.Memory, error) {
	t.Helper()
	r := newRack(0)
	sc, w := load(t, short, append([]string{byUse, "vnf.memory=1B"}, sets...)...)
	h := r.open(t)
	h.Containers = engine(r)
	if err := replay.Check(sc, w, h.Switch.Capabilities()); err != nil {
		return nil, err
	}
	m := results.NewMemory()
	return m, replay.Run(context.Background(), sc, w, h, m, replay.Options{})
}

// What the container engine knows comes to the orchestrator, before the autoscaler of the same instant is asked. An
// instance that nobody has heard of is left out.
func TestReports(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := replayReporting(t, func(r *rack) hw.ContainerEngine {
			return &reporting{engine: r.engine, since: time.Now().Add(-time.Hour), takes: 20 * time.Millisecond}
		})
		if err != nil {
			t.Fatal(err)
		}
		rec, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		readings, last, asked := 0, map[flow.Instance]orchestrator.Report{}, false
		for e, err := range rec.Log() {
			if err != nil {
				t.Fatal(err)
			}
			if e.Decision != nil && e.Decision.Kind == orchestrator.Recommend {
				asked = asked || strings.Contains(e.Decision.Reason, "Resource cpu at 20 %")
			}
			if e.Event == nil || e.Event.Kind != orchestrator.ReportsRead {
				continue
			}
			readings++
			for _, x := range e.Event.Reports {
				if x.Memory != int64(x.Instance) || x.Queue != 0 || x.Instance > 3 || x.CPU <= last[x.Instance].CPU {
					t.Errorf("reading %d: %+v after %+v", readings, x, last[x.Instance])
				}
				last[x.Instance] = x
			}
		}
		if readings < 3 || len(last) == 0 {
			t.Errorf("%d readings of %d instances", readings, len(last))
		}
		if !asked {
			t.Error("the policy never saw 10, 20 and 30 % of a core, which is 20 % on average")
		}
	})
}

// resizing is a container engine that also changes shares.
type resizing struct {
	reporting
	mu    sync.Mutex
	calls []string
	fails bool
}

func (r *resizing) Resize(_ context.Context, i flow.Instance, share float64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, fmt.Sprintf("%d to %v", i, share))
	if r.fails {
		return errors.New("no such quota")
	}
	return nil
}

// Shares change in place; those of new containers before they get packets. What is refused is told to the policy,
// which has the instance replaced.
func TestInstancesAreResized(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const policy = "autoscaler.policy={vpa: {mode: in-place-or-recreate, half_life: 100ms, " +
			"confidence_interval: 1ms, min_allowed: 0.2, max_allowed: 0.2}}"
		for _, fails := range []bool{false, true} {
			var e *resizing
			m, err := replayReporting(t, func(r *rack) hw.ContainerEngine {
				e = &resizing{reporting: reporting{engine: r.engine, since: time.Now().Add(-time.Hour)}, fails: fails}
				return e
			}, policy, "autoscaler.interval=150ms", "telemetry.window=100ms")
			if err != nil {
				t.Fatal(err)
			}
			rec, err := m.Record()
			if err != nil {
				t.Fatal(err)
			}
			shares, created := map[flow.Instance]string{}, 0
			for x, err := range rec.Log() {
				if err != nil {
					t.Fatal(err)
				}
				if a := x.Action; a != nil && a.Kind == orchestrator.CreateInstance && a.Share == 0.2 {
					created++
				}
				if v := x.Event; v != nil && v.Kind == orchestrator.InstanceResized {
					shares[v.Instance] = fmt.Sprintf("%v %s", v.Share, v.Reason)
				}
			}
			want := "0.2 "
			if fails {
				want = "0 no such quota"
			}
			if len(shares) == 0 || shares[1] != want || (created > 0) != fails {
				t.Errorf("fails %v: shares %v, %d created with a share; want %q of instance 1", fails, shares, created,
					want)
			}
			if e.mu.Lock(); !slices.Contains(e.calls, "1 to 0.2") || fails && !slices.Contains(e.calls, "4 to 0.2") {
				t.Errorf("fails %v: calls %v", fails, e.calls)
			}
			e.mu.Unlock()
		}
	})
}

func TestReportsThatAreNotThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, err := replayReporting(t, func(r *rack) hw.ContainerEngine { return r.engine })
		if !errors.Is(err, replay.ErrRefused) || !strings.Contains(err.Error(), "cpu, memory, which this testbed's") {
			t.Errorf("an engine that reports nothing: %v", err)
		}
		_, err = replayReporting(t, func(r *rack) hw.ContainerEngine { return r.engine },
			"autoscaler.policy.hpa.spec={metrics: [{type: Pods, pods: {metric: {name: queue}, "+
				"target: {type: AverageValue, averageValue: 1}}}]}")
		if !errors.Is(err, replay.ErrRefused) || !strings.Contains(err.Error(), "queue, which nothing on hardware") {
			t.Errorf("a metric that hardware has not: %v", err)
		}
		_, err = replayReporting(t, func(r *rack) hw.ContainerEngine {
			return &reporting{engine: r.engine}
		}, "autoscaler.policy=vpa")
		if !errors.Is(err, replay.ErrRefused) || !strings.Contains(err.Error(), "vpa changes the shares of instances") {
			t.Errorf("an engine that cannot resize: %v", err)
		}
		m, err := replayReporting(t, func(r *rack) hw.ContainerEngine {
			return &reporting{engine: r.engine, since: time.Now(), err: errors.New("no such group")}
		})
		if err != nil || !strings.Contains(strings.Join(m.Run.Notes, "\n"), "could not be read: no such group") {
			t.Errorf("a reading that fails: %v, notes %q", err, m.Run.Notes)
		}
	})
}
