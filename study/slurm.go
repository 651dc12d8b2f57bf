package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// SlurmOptions are the options of Slurm.
type SlurmOptions struct {
	Version string
	Jobs    int      // records that are read at a time, at least 1
	Tasks   int      // of the array; see Tasks
	Command []string // that runs the study on one machine, to which --shard and --jobs are added
	Sbatch  []string // further arguments of sbatch, such as --time=1:00:00
}

// Submission is a job that Slurm took.
type Submission struct {
	Job    string `json:"job,omitempty"` // empty where nothing was submitted
	Array  string `json:"array,omitempty"`
	Queued string `json:"queued,omitempty"` // tasks that were in the queue before, as in Array
	Of     int    `json:"tasks_in_all"`
	Script string `json:"script,omitempty"`
}

// slurmName is the folder in a study's directory with the script, the output of the tasks and the numbers of the jobs.
const slurmName = "slurm"

// Slurm writes a script of which each task of a job array runs a shard of the study in dir, and submits those tasks
// that have a run that is missing or failed and that no earlier job has in the queue. dir and the files of the scenario
// must be on a file system that the nodes share.
func Slurm(ctx context.Context, st *scenarios.Study, dir string, o SlurmOptions) (_ Submission, err error) {
	out := Submission{Of: o.Tasks}
	for _, name := range []string{"sbatch", "squeue"} {
		if _, err := exec.LookPath(name); err != nil {
			return out, refusef("%s is not found: want Slurm's commands on this machine", name)
		}
	}
	status, err := Look(ctx, st, dir, o.Version, o.Tasks, o.Jobs)
	if err != nil || len(status.Tasks) == 0 {
		return out, err
	}
	at, err := filepath.Abs(filepath.Join(dir, slurmName))
	if err != nil {
		return out, err
	}
	lock, err := claim(dir, at)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, lock.Abandon()) }()
	jobs := filepath.Join(at, "jobs")
	waiting, err := queued(ctx, jobs, o.Tasks)
	if err != nil {
		return out, err
	}
	var in []int
	tasks := slices.DeleteFunc(status.Tasks, func(t int) bool {
		if waiting[t] {
			in = append(in, t)
		}
		return waiting[t]
	})
	out.Queued = ArrayOf(in)
	if len(tasks) == 0 {
		return out, nil
	}
	out.Script, out.Array = filepath.Join(at, "array.sh"), ArrayOf(tasks)
	script, err := slurmScript(o)
	if err != nil {
		return out, err
	}
	if err := results.WriteFile(out.Script, func(w io.Writer) error {
		_, err := io.WriteString(w, script)
		return err
	}); err != nil {
		return out, err
	}
	args := []string{"--parsable", "--array=" + out.Array, "--job-name=" + st.Name,
		"--output=" + filepath.Join(strings.ReplaceAll(at, "%", "%%"), "%A_%a.log")}
	said, err := command(ctx, "sbatch", append(append(args, o.Sbatch...), out.Script)...)
	if err != nil {
		return out, err
	}
	out.Job, _, _ = strings.Cut(strings.TrimSpace(said), ";") // and the cluster's name
	f, err := os.OpenFile(jobs, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return out, err
	}
	_, err = fmt.Fprintf(f, "%s %d\n", out.Job, o.Tasks)
	return out, errors.Join(err, f.Close())
}

// slurmScript is the script of the array's tasks.
func slurmScript(o SlurmOptions) (string, error) {
	at, err := os.Getwd()
	if err != nil {
		return "", err
	}
	var words []string
	for _, word := range o.Command {
		words = append(words, shellQuote(word))
	}
	return fmt.Sprintf(`#!/bin/sh
# Written by smartinco sweep --slurm. Each task of the array runs one of %d shards of the study.
cd %s || exit
exec %s \
	--jobs "${SLURM_CPUS_PER_TASK:-1}" --shard "$SLURM_ARRAY_TASK_ID/%d"
`, o.Tasks, shellQuote(at), strings.Join(words, " "), o.Tasks), nil
}

// shellQuote is a word as a shell reads it.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("/._-=:,+@", r)
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// queued are the tasks of earlier jobs, listed in a file, that Slurm has not ended yet.
func queued(ctx context.Context, jobs string, tasks int) (map[int]bool, error) {
	waiting := map[int]bool{}
	b, err := os.ReadFile(jobs)
	if errors.Is(err, fs.ErrNotExist) {
		return waiting, nil
	} else if err != nil {
		return nil, err
	}
	cuts := map[string]int{} // into how many tasks, by job
	for line := range strings.Lines(string(b)) {
		id, n, _ := strings.Cut(strings.TrimSpace(line), " ")
		cuts[id], _ = strconv.Atoi(n)
	}
	said, err := command(ctx, "squeue", "--me", "--noheader", "--array", "--format=%F %K")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(said) {
		id, index, _ := strings.Cut(strings.TrimSpace(line), " ")
		cut, ours := cuts[id]
		if !ours {
			continue
		}
		if cut != tasks {
			return nil, refusef("job %s is still in the queue, with the study cut into %d tasks: want --tasks %[2]d, "+
				"or scancel %[1]s first", id, cut)
		}
		if i, err := strconv.Atoi(index); err == nil {
			waiting[i] = true
		}
	}
	return waiting, nil
}

// command runs one of Slurm's and gives what it prints.
func command(ctx context.Context, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	var complaint bytes.Buffer
	c.Stderr = &complaint
	said, err := c.Output()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", fmt.Errorf("%s: %w: %s", name, err, results.Quote(strings.TrimSpace(complaint.String())))
	}
	return string(said), nil
}
