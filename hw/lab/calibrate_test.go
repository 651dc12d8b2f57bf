package lab

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/hw/standins/simswitch"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// containers is a container engine without containers. Creating the instance of number bad fails.
type containers struct {
	mu      sync.Mutex
	bad     flow.Instance
	there   map[flow.Instance]bool
	deleted int
	blocks  atomic.Bool // Delete waits until its context ends
}

func (c *containers) Create(_ context.Context, i flow.Instance) (hw.Container, error) {
	if i == c.bad {
		return hw.Container{}, errors.New("no such image")
	}
	c.there[i] = true
	name := string(rune('a' + min(i, 4) - 1)) // the fourth port is that of those that come later, too
	return hw.Container{Instance: i, Ports: hw.Ports{In: name, Out: name}, Started: 3 * time.Millisecond,
		Ready: 5 * time.Millisecond}, nil
}

func (c *containers) Delete(ctx context.Context, i flow.Instance) error {
	if c.blocks.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.there, i)
	c.deleted++
	return nil
}

func (c *containers) List(context.Context) (all []hw.Container, _ error) {
	for i := range c.there {
		all = append(all, hw.Container{Instance: i})
	}
	return all, nil
}

func (c *containers) Kill(context.Context, flow.Instance) error { return nil }
func (c *containers) Deaths() <-chan hw.Death                   { return nil }
func (c *containers) Close() error                              { return nil }

// generator claims to send what it was asked for, and to get back what n instances process by a law of capacity.
type generator struct {
	mu      sync.Mutex
	law     func(n int) float64 // in all
	loaded  []hw.Stream
	began   time.Time
	stopped atomic.Bool
	blocks  atomic.Bool // Stop waits until its context ends
}

func (g *generator) Load(_ context.Context, s []hw.Stream) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.loaded = s
	return nil
}

func (g *generator) offered() []hw.Stream {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.loaded
}

func (g *generator) Start(context.Context) (time.Time, error) {
	g.began = time.Now()
	g.stopped.Store(false)
	return g.began, nil
}

func (g *generator) Counters(context.Context) (hw.Traffic, error) {
	at := time.Now()
	sent := 0.0
	for _, s := range g.loaded {
		sent += float64(s.Rate)
	}
	took := at.Sub(g.began).Seconds()
	return hw.Traffic{At: at, Sent: uint64(sent * took), Received: uint64(min(sent, g.law(len(g.loaded))) * took)}, nil
}

func (g *generator) Stop(ctx context.Context) error {
	g.stopped.Store(true)
	if g.blocks.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (g *generator) Close() error { return nil }

func memory(t *testing.T, law func(int) float64) (replay.Hardware, *simswitch.Device, *containers, *generator) {
	t.Helper()
	d := simswitch.New(simswitch.Config{Uplink: "up", Sink: "sink", Ports: []string{"a", "b", "c", "d"}})
	s, err := d.Open(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, g := &containers{there: map[flow.Instance]bool{}}, &generator{law: law}
	return replay.Hardware{Switch: s, Containers: c, Generator: g}, d, c, g
}

func brief() Plan {
	return Plan{Counts: []int{1, 2, 4}, Rounds: 2, Measure: 20 * time.Millisecond, Rules: 3, Starts: 2, Frame: 64}
}

// Calibrate finds the load to offer, measures what the testbed does, and leaves nothing behind. The fragment is a part
// of a scenario that says the same.
func TestCalibrate(t *testing.T) {
	law := func(n int) float64 { return 1e6 * float64(n) / (1 + 0.3*float64(n-1)) }
	h, d, c, g := memory(t, law)
	c.there[7] = true // of a calibration that was killed
	m, err := Calibrate(t.Context(), h, brief(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Points) != 6 || len(m.Rule) != 3 || len(m.Start) != 2 || len(m.Stop) != 2 {
		t.Fatalf("measured %+v", m)
	}
	for _, p := range m.Points {
		if want := law(p.N); p.Processed < 0.98*want || p.Processed > 1.02*want || len(p.Each) != p.N {
			t.Errorf("%d instances: %.0f packets a second, want %.0f; each %v", p.N, p.Processed, want, p.Each)
		}
	}
	if len(m.Shared) != 2 || m.Shared[0].N != 4 || len(m.Shared[0].Each) != 4 {
		t.Errorf("shared %+v, want four instances in each of two rounds", m.Shared)
	}
	if o := float64(m.Plan.Offered); o < 5.9e6 || o > 6.1e6 {
		t.Errorf("offered %.0f, want six times what one processes", o)
	}
	if d.Len() != 0 || len(c.there) != 0 || c.deleted != 7 || !g.stopped.Load() {
		t.Errorf("left %d rules, %d instances; generator stopped: %v", d.Len(), len(c.there), g.stopped.Load())
	}

	file := filepath.Join(t.TempDir(), "calibration.yaml")
	if err := os.WriteFile(file, m.Fragment("memory", 256), 0o644); err != nil {
		t.Fatal(err)
	}
	st, err := scenarios.Load("fig9-best-fit", []string{"@" + file})
	if err != nil {
		t.Fatal(err)
	}
	sc := st.Runs[0].Scenario
	if v := sc.VNF; v.Buffer != 256 || v.Contention.Model != "table" || len(v.Contention.Points) != 3 ||
		v.StartLatency != 2*units.Millisecond {
		t.Errorf("vnf %+v", v)
	}
	if got, want := float64(sc.VNF.Contention.Points[4]), law(4)/4; got < 0.98*want || got > 1.02*want {
		t.Errorf("four instances: %.0f each, want %.0f", got, want)
	}
	if n := sc.NIC; n.EngineLatency != 3*units.Millisecond || n.ESwitchLimit != 0 || n.FrameOverhead != 20 {
		t.Errorf("nic %+v", n)
	}
}

// Four instances process 100 each when all are under load, and the last needs 20 of it. The fragment has the model of
// shares that the others' rates speak for, and the default if they speak for none.
func TestShares(t *testing.T) {
	for _, c := range []struct {
		name          string
		each          []float64 // of the three others, by round
		share, strong string
	}{
		{"lost", []float64{99, 100, 101}, "reserved", "reserved; "},
		{"to the others", []float64{125.5, 127, 127.5}, "pooled", "pooled; "},
		{"in between", []float64{95, 113, 130}, "reserved", "cannot tell; "},
		{"too few rounds", []float64{126}, "", ""},
	} {
		m := Measurement{}
		for i, r := range c.each {
			all := 100 + float64(i-1)
			m.Points = append(m.Points, Point{N: 1, Processed: 300, Each: []float64{300}},
				Point{N: 4, Processed: 4 * all, Each: []float64{all, all, all, all}})
			m.Shared = append(m.Shared, Point{N: 4, Each: []float64{r, r, r, 20}})
		}
		text := string(m.Fragment("memory", 0))
		if got := strings.Contains(text, "    share: "+c.share+" # "+c.strong); got != (c.share != "") {
			t.Errorf("%s: want share %q, %q in\n%s", c.name, c.share, c.strong, text)
		}
	}
	// A switch that counts nothing says nothing.
	silent := Measurement{Points: []Point{{N: 2, Processed: 9, Each: []float64{0, 0}}},
		Shared: []Point{{N: 2, Each: []float64{0, 0}}, {N: 2, Each: []float64{0, 0}}}}
	if v, err := silent.Shares(); err == nil || strings.Contains(string(silent.Fragment("memory", 0)), "share") {
		t.Errorf("a verdict of nothing: %+v", v)
	}
}

// The instances of the experiment are the largest count of at most five.
func TestSharing(t *testing.T) {
	for _, c := range []struct {
		counts []int
		want   int
	}{{DefaultPlan().Counts, 5}, {[]int{8, 2, 4}, 4}, {[]int{1}, 0}, {[]int{1, 6}, 0}} {
		if got := (&Plan{Counts: c.counts}).Sharing(); got != c.want {
			t.Errorf("%v: %d instances, want %d", c.counts, got, c.want)
		}
	}
}

// Whatever fails, Calibrate removes what it has made.
func TestCalibrateFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		law    float64
		change func(*Plan, *containers)
		want   string
	}{
		{"instance fails", 1e6, func(_ *Plan, c *containers) { c.bad = 3 }, "no such image"},
		{"nothing comes back", 0, nil, "nothing came back"},
		{"too fast", 1e12, nil, "there is nothing to measure"},
		{"counts", 1e6, func(p *Plan, _ *containers) { p.Counts = []int{0} }, "counts [0]"},
		{"rounds", 1e6, func(p *Plan, _ *containers) { p.Rounds = 0 }, "0 rounds"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h, d, c, _ := memory(t, func(int) float64 { return test.law })
			p := brief()
			p.Measure = time.Millisecond
			if test.change != nil {
				test.change(&p, c)
			}
			if _, err := Calibrate(t.Context(), h, p, func(string) {}); err == nil ||
				!strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if d.Len() != 0 || len(c.there) != 0 {
				t.Errorf("left %d rules, %d instances", d.Len(), len(c.there))
			}
		})
	}
}

// An interrupt need not wait, not even for a generator and an engine that do not answer. The traffic ends, and
// Calibrate tells what is left.
func TestCalibrateIsInterrupted(t *testing.T) {
	for _, blocks := range []bool{false, true} {
		h, d, c, g := memory(t, func(int) float64 { return 1e6 })
		var told []error
		h.Left = func(err error) { told = append(told, err) }
		p := brief()
		p.Measure = time.Hour
		ctx, interrupt := context.WithCancel(t.Context())
		go func() {
			for len(g.offered()) == 0 {
				time.Sleep(time.Millisecond)
			}
			c.blocks.Store(blocks)
			g.blocks.Store(blocks)
			interrupt()
		}()
		ended := make(chan error, 1)
		go func() {
			_, err := Calibrate(ctx, h, p, func(string) {})
			ended <- err
		}()
		select {
		case err := <-ended:
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want that of the context", err)
			}
		case <-time.After(30 * time.Second): // a step that does not end with its context takes a minute
			t.Fatal("it waits")
		}
		if len(told) != 1 || blocks && !errors.Is(told[0], context.DeadlineExceeded) {
			t.Fatalf("told %v, want once what is left", told)
		}
		if !g.stopped.Load() || told[0] == nil && (d.Len() != 0 || len(c.there) != 0) {
			t.Errorf("left %d rules, %d instances, and told %v; generator stopped: %v", d.Len(), len(c.there), told[0],
				g.stopped.Load())
		}
	}
}

// One disturbed round does not change the result, and is pointed out.
func TestDisturbance(t *testing.T) {
	m := Measurement{Points: []Point{{N: 1, Processed: 100}, {N: 2, Processed: 150}, {N: 1, Processed: 40},
		{N: 2, Processed: 152}, {N: 1, Processed: 102}}}
	got := m.middles()
	if len(got) != 2 || got[0].median != 100 || got[0].spread != 0.6 || got[1].median != 151 {
		t.Errorf("%+v", got)
	}
	if d := m.Disturbed(); len(d) != 1 || d[0] != 1 {
		t.Errorf("disturbed %v, want one instance", d)
	}
}

func TestQuantile(t *testing.T) {
	all := []time.Duration{4, 1, 3, 2}
	for _, c := range []struct {
		q    float64
		want time.Duration
	}{{0, 1}, {0.25, 1}, {0.5, 2}, {0.51, 3}, {1, 4}} {
		if got := quantile(all, c.q); got != c.want {
			t.Errorf("quantile %v is %d, want %d", c.q, got, c.want)
		}
	}
	if quantile(nil, 0.5) != 0 {
		t.Error("of nothing")
	}
}
