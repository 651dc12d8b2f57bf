package main

import (
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

func newSweep() *cobra.Command {
	c := &cobra.Command{
		Use:   "sweep SCENARIO",
		Short: "Run all scenarios of a study, on all cores",
		Long: prose(`
Run each combination that a scenario's sweep block asks for, and write a record for each, in a directory of its
own, and a summary.csv with a line for each. Runs that are already finished are passed over, so the same command
resumes a sweep that was interrupted. The records do not depend on --jobs.`),
		Example: `  smartinco sweep study.yaml -o out/study
  smartinco sweep study.yaml -o out/study --jobs 4 --set sweep.seeds=20
  smartinco plot fig9 out/study -o fig9.pdf`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	out := c.Flags().StringP("out", "o", "", "directory of the records (out/NAME)")
	jobs := c.Flags().IntP("jobs", "j", runtime.NumCPU(), "runs at a time")
	sets, engine := setFlag(c), engineFlag(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *jobs < 1 {
			return usagef("--jobs is %d: want at least 1", *jobs)
		}
		st, err := scenarios.Load(args[0], append(*sets, engine()...))
		if err != nil {
			return err
		}
		if *out == "" {
			if !filepath.IsLocal(st.Name) {
				return usagef("name is %q, which is no name of a directory: want -o DIR", st.Name)
			}
			*out = filepath.Join("out", st.Name)
		}
		line := newProgress(c.ErrOrStderr(), "runs", float64(len(st.Runs)))
		outcome, err := study.All(c.Context(), st, *out,
			study.AllOptions{Version: version, Jobs: *jobs, Progress: line.at})
		line.end()
		if err != nil && c.Context().Err() != nil {
			return fmt.Errorf("%w; the same command goes on from there", err)
		}
		if err != nil {
			return err
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), outcome)
		}
		_, err = fmt.Fprintf(c.OutOrStdout(), "%d runs in %s: %d done, %d were finished before\n", outcome.Runs, *out,
			outcome.Done, outcome.Skipped)
		return err
	}
	return c
}
