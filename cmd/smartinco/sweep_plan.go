package main

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/study"
)

func newSweepPlan() *cobra.Command {
	c := &cobra.Command{
		Use:   "plan SCENARIO",
		Short: "Say how long the rest of a study will take, and how much disk",
		Long: prose(`
Run a few of the missing runs of a study, in a temporary directory, and tell from them and from the finished ones
how long the rest will take and how much disk it will need.`),
		Example: `  smartinco sweep plan study.yaml
  smartinco sweep plan study.yaml -o out/study --jobs 16 --measure 10`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	s := studyFlags(c)
	measure := c.Flags().Int("measure", 3, "runs that are measured")
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		st, err := s.load(args[0])
		if err != nil {
			return err
		}
		if *measure < 0 {
			return usagef("--measure is %d: want at least 0", *measure)
		}
		plan, err := study.Foresee(c.Context(), st, s.out, version, s.tasks, s.jobs, *measure)
		if err != nil {
			return err
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), plan)
		}
		w := c.OutOrStdout()
		printPlan(w, plan)
		if st.Replicas != nil {
			fmt.Fprintln(w, "at most: replicas end when the mean is known well enough")
		}
		return nil
	}
	return c
}

func printPlan(w io.Writer, plan *study.Plan) {
	printStatus(w, &plan.Status)
	left := len(plan.Missing) + len(plan.Failed)
	switch {
	case left == 0:
	case plan.Wall == 0:
		fmt.Fprintln(w, "nothing is known of how long a run takes: want --measure")
	default:
		fmt.Fprintf(w, "about %s for the rest, %d at a time (%s one after the other), and %s of disk\n",
			lasts(plan.Wall), plan.Jobs, lasts(plan.Left), bytesText(plan.Disk))
		fmt.Fprintf(w, "known from %d finished runs and %d measured now; the longest is %s\n", plan.Finished,
			plan.Measured, plan.Longest)
	}
}

func newSweepStatus() *cobra.Command {
	c := &cobra.Command{
		Use:   "status SCENARIO",
		Short: "Say how far a study is",
		Long: prose(`
Count the runs of a study that are finished, failed and missing. Every record is read and checked. It changes
nothing, and may be called while the study runs, here or on a cluster.`),
		Example: `  smartinco sweep status study.yaml
  smartinco sweep status study.yaml -o out/study --format json`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	s := studyFlags(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		status, err := s.look(c, args[0])
		if err != nil {
			return err
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), status)
		}
		printStatus(c.OutOrStdout(), status)
		if status.Left > 0 {
			fmt.Fprintf(c.OutOrStdout(), "about %s for the rest, one after the other\n", lasts(status.Left))
		}
		return nil
	}
	return c
}

func newSweepMissing() *cobra.Command {
	c := &cobra.Command{
		Use:   "missing SCENARIO",
		Short: "List what is missing of a study: runs, or tasks of a cluster",
		Long: prose(`
Print the names of the runs that are missing or failed, one a line. With --array, print the tasks that have one
as Slurm's --array; with --shards, each of them as the I/N that smartinco sweep --shard takes, one a line. Where
nothing is missing, nothing is printed.`),
		Example: `  smartinco sweep missing study.yaml
  sbatch $(smartinco sweep missing study.yaml --array --tasks 100) array.sh
  smartinco sweep missing study.yaml --shards --tasks 64 | parallel smartinco sweep study.yaml --shard {}`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	s := studyFlags(c)
	array := c.Flags().Bool("array", false, "print the tasks as --array=...")
	shards := c.Flags().Bool("shards", false, "print the tasks as I/N")
	c.MarkFlagsMutuallyExclusive("array", "shards")
	c.RunE = func(c *cobra.Command, args []string) error {
		status, err := s.look(c, args[0])
		if err != nil {
			return err
		}
		w := c.OutOrStdout()
		switch {
		case *array && len(status.Tasks) > 0:
			fmt.Fprintf(w, "--array=%s\n", status.Array())
		case *array:
		case *shards:
			for _, t := range status.Tasks {
				fmt.Fprintln(w, study.Shard{Task: t, Tasks: status.Of})
			}
		default:
			for _, name := range append(status.Missing, status.Failed...) {
				fmt.Fprintln(w, name)
			}
		}
		return nil
	}
	return c
}

func newSweepMerge() *cobra.Command {
	c := &cobra.Command{
		Use:   "merge SCENARIO",
		Short: "Write the tables of a study whose parts were run apart",
		Long: prose(`
Write summary.csv and table.parquet of a study that was run by --shard or --slurm: the same, to the byte, as one
machine writes of the whole. It can be repeated. If a run is missing or failed, it writes nothing, names the tasks
to run again, and exits with 1.`),
		Example: `  smartinco sweep merge study.yaml -o out/study
  smartinco sweep merge study.yaml -o out/study --mlflow mlruns`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	s := studyFlags(c)
	mlflow := mlflowFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		st, err := s.load(args[0])
		if err != nil {
			return err
		}
		status, err := study.Merge(c.Context(), st, s.out, version, s.tasks, s.jobs)
		if err != nil {
			return err
		}
		if err := exportMLflow(c, st, s, *mlflow); err != nil {
			return err
		}
		printStatus(c.OutOrStdout(), status)
		return nil
	}
	return c
}

func (s *studyOptions) look(c *cobra.Command, scenario string) (*study.Status, error) {
	st, err := s.load(scenario)
	if err != nil {
		return nil, err
	}
	return study.Look(c.Context(), st, s.out, version, s.tasks, s.jobs)
}

func printStatus(w io.Writer, s *study.Status) {
	fmt.Fprintf(w, "%s: %d finished", plural(s.Runs, "run"), s.Finished)
	if s.Spared > 0 {
		fmt.Fprintf(w, ", %d replicas not needed", s.Spared)
	}
	fmt.Fprintf(w, ", %d failed, %d missing\n", len(s.Failed), len(s.Missing))
	if s.Finished > 0 {
		fmt.Fprintf(w, "%s of runs, %s on disk\n", lasts(s.Spent), bytesText(s.Bytes))
	}
	if len(s.Tasks) > 0 {
		fmt.Fprintf(w, "missing of %d tasks: --array=%s\n", s.Of, s.Array())
	}
}

// lasts is a time in seconds, to two digits.
func lasts(s float64) string {
	d := time.Duration(s * float64(time.Second))
	digit := math.Pow10(max(int(math.Floor(math.Log10(max(s, 1e-9))))-1, -6))
	return d.Round(time.Duration(min(digit, 1) * float64(time.Second))).String()
}

// bytesText is a size to three digits.
func bytesText(n int64) string {
	x, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB", "TB"} {
		if x >= 1000 {
			x, unit = x/1000, u
		}
	}
	return fmt.Sprintf("%.3g %s", x, unit)
}
