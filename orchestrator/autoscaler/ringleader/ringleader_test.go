package ringleader

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// defaults are options with the defaults of their tags.
func defaults(edit func(*Options)) (o Options) {
	strictyaml.Defaults(&o)
	if edit != nil {
		edit(&o)
	}
	return o
}

func made(t *testing.T, o Options) (policy.Scaler, []uint64) {
	t.Helper()
	counts := make([]uint64, len(Scalers[0].Counters))
	p, err := Scalers[0].New(o, policy.Env{Counts: counts})
	if err != nil {
		t.Fatal(err)
	}
	return p, counts
}

func TestConformance(t *testing.T) {
	for _, edit := range []func(*Options){
		nil, func(o *Options) { o.Threshold, o.Epochs = 3, 1 }, func(o *Options) { o.Threshold, o.Epochs = 0, 2 },
		func(o *Options) { o.Threshold = 1e6 },
	} {
		scalingtest.Run(t, Scalers[0], defaults(edit))
	}
}

// queued is what is known of so many ready instances, and of a queue in which start waited, which left left, and which
// had at most most.
func queued(ready, start, left, most int) *policy.Snapshot {
	s := &policy.Snapshot{Current: ready, Wanted: ready, Max: 20, Limit: 1, LastScaling: units.Never,
		LastScaleOut: units.Never, Backlog: policy.Backlog{Start: start, Left: left, Most: most}}
	for k := range ready {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready})
	}
	return s
}

// starting adds an instance that starts.
func starting(s *policy.Snapshot) *policy.Snapshot {
	s.Current, s.Wanted = s.Current+1, s.Wanted+1
	s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(s.Current)})
	return s
}

// failed has one that was asked for be missing.
func failed(s *policy.Snapshot) *policy.Snapshot { s.Wanted++; return s }

func TestHints(t *testing.T) {
	each := func(o *Options) { o.Threshold, o.Epochs = 2, 1 }
	for _, c := range []struct {
		name   string
		edit   func(*Options)
		s      []*policy.Snapshot
		want   []int
		counts []uint64
	}{
		{"one that had waited is there", nil, []*policy.Snapshot{queued(3, 5, 4, 9)}, []int{4}, []uint64{1, 0, 0}},
		{"all that had waited have gone", nil, []*policy.Snapshot{queued(3, 5, 5, 9)}, []int{3}, []uint64{0, 0, 0}},
		{"many came, and none had waited", nil, []*policy.Snapshot{queued(3, 0, 0, 99)}, []int{3}, []uint64{0, 0, 0}},
		{"one hint in flight", nil, []*policy.Snapshot{starting(queued(3, 5, 0, 9)), queued(4, 5, 0, 9)}, []int{4, 5},
			[]uint64{2, 1, 0}},
		{"also while one has to be replaced", nil, []*policy.Snapshot{failed(queued(3, 5, 0, 9))}, []int{4},
			[]uint64{1, 1, 0}},
		{"no instance", nil, []*policy.Snapshot{queued(0, 1, 0, 1)}, []int{1}, []uint64{1, 0, 0}},
		{"less than the threshold waited", each, []*policy.Snapshot{queued(3, 0, 7, 1)}, []int{2}, []uint64{0, 0, 1}},
		{"as many waited", each, []*policy.Snapshot{queued(3, 0, 7, 2)}, []int{3}, []uint64{0, 0, 0}},
		{"in the whole of the longer epoch", func(o *Options) { o.Epochs = 3 }, []*policy.Snapshot{
			queued(3, 0, 0, 0), queued(3, 0, 0, 0), queued(3, 0, 0, 0), queued(2, 0, 0, 0), queued(2, 0, 0, 1),
			queued(2, 0, 0, 0), queued(2, 0, 0, 0), queued(2, 0, 0, 0), queued(2, 0, 0, 0)},
			[]int{3, 3, 2, 2, 2, 2, 2, 2, 1}, []uint64{0, 0, 2}},
		{"the last one stays", each, []*policy.Snapshot{queued(1, 0, 0, 0)}, []int{1}, []uint64{0, 0, 1}},
		{"never", func(o *Options) { o.Threshold, o.Epochs = 0, 1 }, []*policy.Snapshot{queued(3, 0, 0, 0)}, []int{3},
			[]uint64{0, 0, 0}},
		{"both hints: neither", each, []*policy.Snapshot{queued(3, 1, 0, 1)}, []int{3}, []uint64{1, 0, 1}},
		{"one is given back while one starts", each, []*policy.Snapshot{starting(queued(3, 1, 0, 1))}, []int{3},
			[]uint64{1, 1, 1}},
	} {
		p, counts := made(t, defaults(c.edit))
		for i, s := range c.s {
			var steps policy.Steps
			if got := p.Evaluate(s, &steps).Desired; got != c.want[i] {
				t.Errorf("%s, evaluation %d: %d, want %d (%v)", c.name, i, got, c.want[i], steps)
			}
		}
		if !slices.Equal(counts, c.counts) {
			t.Errorf("%s: counts %v, want %v", c.name, counts, c.counts)
		}
	}
}

// The hints are those that the released hardware description sent when it was simulated, for the same requests.
func TestAgreesWithTheHardware(t *testing.T) {
	text, err := os.ReadFile("testdata/perf_monitor.txt")
	if err != nil {
		t.Fatal(err)
	}
	type monitor struct {
		policy.Scaler
		queue    policy.Backlog
		expected bool // a hint is
		inFlight bool
		hints    int
	}
	more, _ := made(t, Options{Threshold: 0, Epochs: 1})
	fewer, _ := made(t, Options{Threshold: 3, Epochs: 1})
	monitors := map[string]*monitor{"more": {Scaler: more}, "fewer": {Scaler: fewer}}
	held, line := 0, 0
	for l := range strings.Lines(string(text)) {
		line++
		what, which, two := strings.Cut(strings.TrimSpace(l), " ")
		switch m := monitors[which]; {
		case l[0] == '#':
		case !two:
			for _, c := range what {
				held += map[rune]int{'+': 1, '-': -1}[c]
				for _, m := range monitors {
					if c == '-' {
						m.queue.Left++
					}
					m.queue.Grew(held)
				}
			}
		case what == "epoch":
			if m.expected {
				t.Fatalf("line %d: an expected hint for %s did not come", line, which)
			}
			s := queued(5, 0, 0, 0)
			s.Backlog = m.queue
			if which == "fewer" {
				s.Backlog.Start = 0 // each rule by itself
			} else if m.inFlight {
				starting(s)
			}
			m.expected = m.Evaluate(s, new(policy.Steps)).Desired != s.Wanted && !m.inFlight
			m.queue.Begin(held)
		case what == "hint":
			if !m.expected {
				t.Fatalf("line %d: a hint for %s that was not expected", line, which)
			}
			m.expected, m.inFlight = false, true
			m.hints++
		case what == "armed":
			m.inFlight = false
			m.queue.Begin(held)
		}
	}
	if more, fewer := monitors["more"].hints, monitors["fewer"].hints; more < 300 || fewer < 15 {
		t.Errorf("only %d hints for more and %d for fewer", more, fewer)
	}
}
