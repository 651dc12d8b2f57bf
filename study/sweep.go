package study

import (
	"cmp"
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// sweep is a study in its directory.
type sweep struct {
	st      *scenarios.Study
	dir     string
	version string
	known   *digests
	entries map[string]*entry // finished runs without a record, by the digest of their work
	kept    rowsFile
	rows    []*results.Run // what is known of each run of the study; nil for nothing
}

func openSweep(st *scenarios.Study, dir, version string) (*sweep, error) {
	entries, err := rowsIn(dir)
	if err != nil {
		return nil, err
	}
	return &sweep{st: st, dir: dir, version: version, known: &digests{}, entries: entries,
		rows: make([]*results.Run, len(st.Runs))}, nil
}

func (s *sweep) where(run int) string { return filepath.Join(s.dir, s.st.Runs[run].Name) }

func (s *sweep) work(run int, inputs []results.Input) work {
	sc := s.st.Runs[run].Scenario
	return work{results.Simulated, sc.Engine, s.version, sc, inputs}
}

// look finds out whether a run is finished, and fills its row as far as it is known. The error is one of the files that
// the scenario names.
func (s *sweep) look(ctx context.Context, run int) (finished bool, err error) {
	behind, err := s.known.of(ctx, s.st.Runs[run].Scenario)
	if err != nil {
		return false, err
	}
	w := s.work(run, behind.inputs())
	if is, _ := results.Holds(s.where(run)); is {
		if row, sound := w.record(ctx, s.where(run)); row != nil {
			s.rows[run] = trimmed(row)
			finished = sound && s.cost(ctx, run) == nil
		}
	}
	if !finished && s.st.Keep != scenarios.KeepAll && len(s.entries) > 0 {
		if e := s.entries[w.digest(w.sc.Resolved())]; e != nil {
			s.rows[run], finished = &e.Row, true
		}
	}
	return finished, nil
}

// cost takes from its record what a run's controller cost.
func (s *sweep) cost(ctx context.Context, run int) error {
	rec, err := results.OpenContext(ctx, s.where(run))
	if err != nil {
		return err
	}
	c, err := rec.Costs()
	if err != nil {
		return err
	}
	s.rows[run].Costs = c.Known()
	return nil
}

// settle finishes a run, unless it was finished before, and fills its row.
func (s *sweep) settle(
	ctx context.Context, run int, progress func(now, end units.Time),
) (before bool, err error) {
	where, o := s.where(run), Options{Version: s.version, Overwrite: true, known: s.known, Progress: progress}
	sc := s.st.Runs[run].Scenario
	finished, _ := s.look(ctx, run) // where a file is missing, the run itself says so
	if finished {
		if is, _ := results.Holds(where); is {
			if err := results.Tidy(where); err != nil {
				return true, refusable(err)
			}
		}
		return true, nil
	}
	record := func() error {
		made, err := One(ctx, sc, where, o)
		if s.rows[run] = nil; made != nil {
			s.rows[run] = trimmed(made)
		}
		if err != nil {
			return err
		}
		return s.cost(ctx, run)
	}
	if s.st.Keep == scenarios.KeepAll {
		return false, record()
	}
	began := time.Now()
	made, err := totals(ctx, sc, o)
	if err != nil && made != nil && made.Complete && s.st.Keep == scenarios.KeepFailed {
		return false, record() // the same once more
	}
	if s.rows[run] = nil; made != nil && made.Complete {
		s.rows[run] = trimmed(made)
	}
	if err != nil {
		return false, err
	}
	return false, s.kept.add(&entry{s.st.Runs[run].Name, s.work(run, made.Inputs).digest(made.Scenario),
		time.Since(began).Seconds(), *s.rows[run]})
}

// walls are how long runs took, in seconds, as far as that is known; 0 where it is not. A run of another version or of
// another scenario under the same name still tells how long it takes.
func (s *sweep) walls() []float64 {
	byName := map[string]float64{}
	for _, e := range s.entries {
		byName[e.Run] = max(byName[e.Run], e.Wall)
	}
	walls := make([]float64, len(s.st.Runs))
	for i := range walls {
		walls[i] = byName[s.st.Runs[i].Name]
		if _, err := os.Lstat(s.where(i)); err == nil {
			if h, err := (&results.Record{Dir: s.where(i)}).Host(); err == nil {
				walls[i] = h.Wall
			}
		}
	}
	return walls
}

// longestFirst sorts units by how long they are expected to take, so that no long one begins when the others are done.
// What comes of them does not depend on it.
func (s *sweep) longestFirst(todo [][]int) {
	expected := expect(s.st, s.walls())
	key := func(unit []int) float64 {
		sum := 0.0
		for _, i := range unit {
			sum += expected[i]
		}
		return sum
	}
	keys := map[int]float64{}
	for _, unit := range todo {
		keys[unit[0]] = key(unit)
	}
	slices.SortStableFunc(todo, func(a, b []int) int { return cmp.Compare(keys[b[0]], keys[a[0]]) })
}

// expect is what each run of a study is expected to measure, from the runs that were: a measured run its own value, any
// other the geometric mean of all, times a factor for each of its coordinates, which is what runs with that coordinate
// have beside the mean. Where nothing was measured, it is the simulated time, and runs of the packet engine come first.
func expect(st *scenarios.Study, measured []float64) []float64 {
	expected := slices.Clone(measured)
	sum, n := 0.0, 0.0
	type group struct{ sum, n float64 }
	groups := map[scenarios.Coordinate]group{}
	for i, x := range measured {
		if x <= 0 {
			continue
		}
		x = math.Log(x)
		sum, n = sum+x, n+1
		for _, c := range st.Runs[i].Coordinates {
			g := groups[c]
			groups[c] = group{g.sum + x, g.n + 1}
		}
	}
	for i := range expected {
		if expected[i] > 0 {
			continue
		}
		if n == 0 {
			sc := st.Runs[i].Scenario
			expected[i] = sc.Duration.Seconds()
			if sc.Engine == "packet" {
				expected[i] += math.MaxInt32
			}
			continue
		}
		x := sum / n
		for _, c := range st.Runs[i].Coordinates {
			if g := groups[c]; g.n > 0 {
				x += g.sum/g.n - sum/n
			}
		}
		expected[i] = math.Exp(x)
	}
	return expected
}
