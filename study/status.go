package study

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/scenarios"
)

// Status says how far a study is.
type Status struct {
	Runs     int      `json:"runs"`
	Finished int      `json:"finished"`
	Spared   int      `json:"spared,omitempty"`  // replicas that are not needed
	Failed   []string `json:"failed,omitempty"`  // runs whose records say that they broke a law
	Missing  []string `json:"missing,omitempty"` // runs still to be run, and replicas that may be needed
	// Tasks are those of Tasks in all that have a run that is missing or failed, from 1, in order.
	Tasks []int `json:"tasks,omitempty"`
	Of    int   `json:"tasks_in_all"`
	// Spent is how long the finished runs took, and Left what the others are expected to take, in seconds of one job.
	Spent float64 `json:"spent_s"`
	Left  float64 `json:"left_s"`
	Bytes int64   `json:"bytes"` // of the records and rows that are there
}

// Array names the tasks as Slurm's --array does; empty for none.
func (s *Status) Array() string { return ArrayOf(s.Tasks) }

// Look says how far the study in dir is, cut into so many tasks. It changes nothing, and may be called while the study
// runs. Each record is read and checked, by so many jobs at a time.
func Look(ctx context.Context, st *scenarios.Study, dir, version string, tasks, jobs int) (*Status, error) {
	s, err := openSweep(st, dir, version)
	if err != nil {
		return nil, err
	}
	return s.status(ctx, tasks, jobs)
}

// status looks at every run. What is not needed has no row afterwards.
func (s *sweep) status(ctx context.Context, tasks, jobs int) (*Status, error) {
	if err := checkStudy(s.st); err != nil {
		return nil, err
	}
	finished := make([]bool, len(s.st.Runs))
	var g errgroup.Group
	g.SetLimit(jobs)
	for i := range s.st.Runs {
		g.Go(func() (err error) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if finished[i], err = s.look(ctx, i); err != nil {
				return refusal{fmt.Errorf("run %s: %w", s.st.Runs[i].Name, err)}
			}
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	out := &Status{Runs: len(s.st.Runs), Of: tasks}
	walls := s.walls()
	expected := expect(s.st, walls)
	known := false
	for i := range walls {
		known = known || walls[i] > 0
	}
	missing := make([]bool, tasks)
	for u, unit := range unitsOf(s.st) {
		for _, i := range unit {
			name := s.st.Runs[i].Name
			switch {
			case !needed(s.st, s.rows, i):
				out.Spared++
				s.rows[i] = nil
				continue
			case finished[i]:
				out.Finished++
				out.Spent += walls[i]
				continue
			case s.rows[i] != nil:
				out.Failed = append(out.Failed, name)
			default:
				out.Missing = append(out.Missing, name)
			}
			missing[task(u, tasks)-1] = true
			if known {
				out.Left += expected[i]
			}
		}
	}
	for i := range missing {
		if missing[i] {
			out.Tasks = append(out.Tasks, i+1)
		}
	}
	out.Bytes = s.bytes()
	return out, nil
}

func (s *sweep) bytes() (n int64) {
	for i := range s.st.Runs {
		n += sizeOf(s.where(i))
	}
	shards, _ := filepath.Glob(filepath.Join(s.dir, shardsName, "*", RowsName))
	for _, path := range append(shards, filepath.Join(s.dir, RowsName)) {
		if info, err := os.Lstat(path); err == nil {
			n += info.Size()
		}
	}
	return n
}

// ErrMissing says that runs of a study are missing or failed, so that there is nothing to merge yet.
var ErrMissing = errors.New("the study is not finished")

// Merge writes the summary and the table of a study whose shards have been run in dir: the same, to the byte, as All
// writes of the whole study. If a run is missing, it writes nothing, and the error is ErrMissing and names the tasks.
func Merge(ctx context.Context, st *scenarios.Study, dir, version string, tasks, jobs int) (_ *Status, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	lock, err := claim(dir, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	s, err := openSweep(st, dir, version)
	if err != nil {
		return nil, err
	}
	status, err := s.status(ctx, tasks, jobs)
	if err != nil {
		return nil, err
	}
	if len(status.Tasks) > 0 {
		return status, fmt.Errorf("%s: %w: %s; run --array=%s of %d", dir, ErrMissing, status.lack(), status.Array(),
			status.Of)
	}
	return status, summarise(st, dir, s.rows)
}

// lack says what a study lacks.
func (s *Status) lack() string {
	var parts []string
	if n := len(s.Missing); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d runs are missing", n, s.Runs))
	}
	if n := len(s.Failed); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d runs failed", n, s.Runs))
	}
	return strings.Join(parts, ", ")
}

// Plan is what running the rest of a study is expected to take.
type Plan struct {
	Status
	Measured int     `json:"measured"` // runs that were measured for the plan
	Wall     float64 `json:"wall_s"`   // of Jobs at a time; 0 where nothing was measured
	Jobs     int     `json:"jobs"`
	Disk     int64   `json:"disk_bytes"` // that the rest is expected to take
	Longest  string  `json:"longest,omitempty"`
}

// Foresee plans the rest of a study in dir. It measures so many runs that are missing, spread over the study, in a
// directory that it removes, and expects the others to be like those measured and those finished; see expect.
func Foresee(ctx context.Context, st *scenarios.Study, dir, version string, tasks, jobs, measure int) (*Plan, error) {
	s, err := openSweep(st, dir, version)
	if err != nil {
		return nil, err
	}
	status, err := s.status(ctx, tasks, jobs)
	if err != nil {
		return nil, err
	}
	var left []int
	lacks := map[string]bool{}
	for _, name := range append(status.Missing, status.Failed...) {
		lacks[name] = true
	}
	for i := range st.Runs {
		if lacks[st.Runs[i].Name] {
			left = append(left, i)
		}
	}
	p := &Plan{Status: *status, Jobs: jobs}
	walls, sizes := s.walls(), make([]float64, len(st.Runs))
	for i := range st.Runs {
		sizes[i] = float64(sizeOf(s.where(i)))
	}
	temp, err := os.MkdirTemp("", "smartinco-plan-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	for k := range min(measure, len(left)) {
		i := left[0]
		if n := min(measure, len(left)); n > 1 {
			i = left[k*(len(left)-1)/(n-1)]
		}
		where := filepath.Join(temp, fmt.Sprint(k))
		o := Options{Version: version, known: s.known}
		began := time.Now()
		if st.Keep == scenarios.KeepAll {
			_, err = One(ctx, st.Runs[i].Scenario, where, o)
		} else {
			_, err = totals(ctx, st.Runs[i].Scenario, o)
		}
		if err != nil {
			return nil, fmt.Errorf("measuring run %s: %w", st.Runs[i].Name, err)
		}
		walls[i], sizes[i] = max(time.Since(began).Seconds(), 1e-9), float64(sizeOf(where))
		p.Measured++
	}
	known := 0
	for _, w := range walls {
		if w > 0 {
			known++
		}
	}
	if known == 0 {
		return p, nil
	}
	expected, longest := expect(st, walls), 0.0
	disk := expect(st, sizes)
	p.Left = 0
	for _, i := range left {
		p.Left += expected[i]
		if expected[i] > longest {
			longest, p.Longest = expected[i], st.Runs[i].Name
		}
		if st.Keep == scenarios.KeepAll {
			p.Disk += int64(disk[i])
		} else {
			p.Disk += rowBytes
		}
	}
	p.Wall = max(p.Left/float64(jobs), longest)
	return p, nil
}

// rowBytes is about what a row takes in RowsName.
const rowBytes = 1 << 10
