package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

func newSweep() *cobra.Command {
	c := &cobra.Command{
		Use:   "sweep SCENARIO",
		Short: "Run all scenarios of a study, on all cores or on a cluster",
		Long: prose(`
Run each combination that a scenario's sweep block asks for, and write a record for each, in a directory of its
own, and a row for each in summary.csv and table.parquet. Runs that are already finished are passed over, so the
same command resumes a sweep that was interrupted. What is written does not depend on --jobs.

With --shard I/N, only the I-th of N parts is run, which may be on another machine that shares the directory;
smartinco sweep merge then writes the tables. With --slurm, a job array of Slurm runs the parts: only those that
have something missing and are not in the queue are submitted.`),
		Example: `  smartinco sweep study.yaml -o out/study
  smartinco sweep study.yaml -o out/study --jobs 4 --set sweep.seeds=20
  smartinco sweep study.yaml -o out/study --shard 3/8
  smartinco sweep study.yaml -o out/study --slurm --sbatch --time=1:00:00
  smartinco plot fig9 out/study -o fig9.pdf`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	s := studyFlags(c)
	shard := c.Flags().String("shard", "", "run this part of the study only: I/N")
	slurm := c.Flags().Bool("slurm", false, "submit what is missing as a job array of Slurm, and return")
	sbatch := c.Flags().StringArray("sbatch", nil, "with --slurm: an argument for sbatch (may be repeated)")
	mlflow := mlflowFlag(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *slurm && (*shard != "" || *mlflow != "") {
			return usagef("--slurm with --shard or --mlflow: want one of them")
		}
		st, err := s.load(args[0])
		if err != nil {
			return err
		}
		if *slurm {
			return s.submit(c, st, args[0], *sbatch, *format)
		}
		o := study.AllOptions{Version: version, Jobs: s.jobs}
		if *shard != "" {
			if o.Shard, err = study.ParseShard(*shard); err != nil {
				return err
			}
		}
		line := newProgress(c.ErrOrStderr(), "runs", float64(len(st.Runs)))
		o.Progress = line.at
		outcome, err := study.All(c.Context(), st, s.out, o)
		line.end()
		if err != nil && c.Context().Err() != nil {
			return fmt.Errorf("%w; the same command goes on from there", err)
		}
		if err != nil {
			return err
		}
		if err := exportMLflow(c, st, s, *mlflow); err != nil {
			return err
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), outcome)
		}
		fmt.Fprintf(c.OutOrStdout(), "%d runs in %s: %d done, %d were finished before\n", outcome.Runs, s.out,
			outcome.Done, outcome.Skipped)
		if st.Replicas != nil {
			_, err = fmt.Fprintf(c.OutOrStdout(), "%d replicas were not needed: a sequential rule, each combination "+
				"having run until its mean was known well enough\n", outcome.Spared)
		}
		return err
	}
	c.AddCommand(newSweepPlan(), newSweepStatus(), newSweepMissing(), newSweepMerge(), newSweepRank())
	return c
}

// studyOptions are the flags that all verbs about a study have.
type studyOptions struct {
	out    string
	jobs   int
	tasks  int
	sets   *[]string
	engine func() []string
}

func studyFlags(c *cobra.Command) *studyOptions {
	s := &studyOptions{sets: setFlag(c), engine: engineFlag(c)}
	c.Flags().StringVarP(&s.out, "out", "o", "", "directory of the records (out/NAME)")
	c.Flags().IntVarP(&s.jobs, "jobs", "j", runtime.NumCPU(), "runs at a time")
	c.Flags().IntVar(&s.tasks, "tasks", 0, "parts for a cluster (one a run, at most 1000)")
	return s
}

// load reads the study, and fills what the flags leave open.
func (s *studyOptions) load(scenario string) (*scenarios.Study, error) {
	if s.jobs < 1 {
		return nil, usagef("--jobs is %d: want at least 1", s.jobs)
	}
	if s.tasks < 0 || s.tasks > scenarios.MaxRuns {
		return nil, usagef("--tasks is %d: want 1 to %d", s.tasks, scenarios.MaxRuns)
	}
	st, err := scenarios.Load(scenario, append(*s.sets, s.engine()...))
	if err != nil {
		return nil, err
	}
	if s.out == "" {
		if !filepath.IsLocal(st.Name) {
			return nil, usagef("name is %q, which is no name of a directory: want -o DIR", st.Name)
		}
		s.out = filepath.Join("out", st.Name)
	}
	if s.tasks == 0 {
		s.tasks = study.Tasks(st)
	}
	return st, nil
}

// submit gives the study to Slurm.
func (s *studyOptions) submit(c *cobra.Command, st *scenarios.Study, scenario string, sbatch []string, format string,
) error {
	program, err := exec.LookPath(os.Args[0]) // as it was called: what it links to may be replaced by then
	if err == nil {
		program, err = filepath.Abs(program)
	}
	if err != nil {
		return err
	}
	command := []string{program, "sweep", scenario, "-o", s.out}
	for _, set := range append(*s.sets, s.engine()...) {
		command = append(command, "--set", set)
	}
	sub, err := study.Slurm(c.Context(), st, s.out, study.SlurmOptions{Version: version, Jobs: s.jobs, Tasks: s.tasks,
		Command: command, Sbatch: sbatch})
	if err != nil {
		return err
	}
	if format == "json" {
		return writeJSON(c.OutOrStdout(), sub)
	}
	return printSubmission(c.OutOrStdout(), sub)
}

func printSubmission(w io.Writer, sub study.Submission) error {
	switch {
	case sub.Job != "":
		fmt.Fprintf(w, "job %s: --array=%s of %d tasks, %s\n", sub.Job, sub.Array, sub.Of, sub.Script)
	case sub.Queued != "":
		fmt.Fprintln(w, "nothing to submit: what is missing is in the queue")
	default:
		fmt.Fprintln(w, "nothing is missing: smartinco sweep merge writes the tables")
	}
	if sub.Queued != "" {
		fmt.Fprintf(w, "in the queue already: --array=%s\n", sub.Queued)
	}
	return nil
}

func mlflowFlag(c *cobra.Command) *string {
	return c.Flags().String("mlflow", "", "also write the runs to this directory as MLflow stores them in files")
}

// exportMLflow writes a finished study for MLflow, if the flag asks for it.
func exportMLflow(c *cobra.Command, st *scenarios.Study, s *studyOptions, dir string) error {
	if dir == "" {
		return nil
	}
	return study.MLflow(c.Context(), st, s.out, version, s.jobs, dir)
}
