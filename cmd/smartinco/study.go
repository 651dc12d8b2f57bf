package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/study"
	"github.com/smartinco/smartinco/study/field"
)

func newStudy() *cobra.Command {
	c := &cobra.Command{
		Use:   "study DIR",
		Short: "Compare all policies on several traffics, and say who wins where and why",
		Long: prose(`
Run the comparison that a folder of scenarios asks for, and write a report of who wins where, how sure that is, and
why. Scenarios in the folder without a sweep block are traffics; each with one is laid over each traffic. The folder
known below it has experiments whose outcome is known.

All runs together are one study: the same command resumes it, and --shard I/N runs the I-th of N parts only, which may
be on another machine that shares the directory. The report is written once no run is missing. It does not depend on
--jobs, on the machine or on the date.`),
		Example: `  smartinco study scenarios/study
  smartinco study scenarios/study --plan
  smartinco study scenarios/study --traffic fig9 --stack smartnic --known=false -o out/quick
  smartinco study scenarios/study --shard 3/8`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	f := c.Flags()
	var some field.Some
	f.StringSliceVar(&some.Traffics, "traffic", nil, "only these traffics (all)")
	f.StringSliceVar(&some.Stacks, "stack", nil, "only these stacks (all)")
	known := f.Bool("known", true, "also run the experiments whose outcome is known")
	out := f.StringP("out", "o", filepath.Join("out", "study"), "directory of the runs")
	page := f.String("report", "", "file of the report (report.md in the directory of the runs)")
	figures := f.String("figures", "", "directory of figures for the report (no figures)")
	jobs := f.IntP("jobs", "j", runtime.NumCPU(), "runs at a time")
	shard := f.String("shard", "", "run this part of the study only, without a report: I/N")
	plan := f.Bool("plan", false, "say how long the rest will take, and how much disk, and return")
	measure := f.Int("measure", 20, "with --plan: runs that are measured")
	c.MarkFlagsMutuallyExclusive("plan", "shard")
	c.RunE = func(c *cobra.Command, args []string) (err error) {
		if *jobs < 1 {
			return usagef("--jobs is %d: want at least 1", *jobs)
		}
		if *measure < 0 {
			return usagef("--measure is %d: want at least 0", *measure)
		}
		o := study.AllOptions{Version: version, Jobs: *jobs}
		if *shard != "" {
			if o.Shard, err = study.ParseShard(*shard); err != nil {
				return err
			}
		}
		all, err := field.Load(args[0], some)
		if err != nil {
			return err
		}
		var proofs []field.Known
		if *known {
			if proofs, err = field.LoadKnown(args[0]); err != nil {
				return err
			}
		}
		if *plan {
			p, err := study.Foresee(c.Context(), all.Study, *out, version, study.Tasks(all.Study), *jobs, *measure)
			if err != nil {
				return err
			}
			printPlan(c.OutOrStdout(), p)
			return nil
		}
		line := newProgress(c.ErrOrStderr(), "runs", float64(len(all.Study.Runs)))
		o.Progress = line.at
		outcome, err := study.All(c.Context(), all.Study, *out, o)
		line.end()
		goesOn := func(err error) error {
			if c.Context().Err() != nil {
				return fmt.Errorf("%w; the same command goes on from there", err)
			}
			return err
		}
		if err != nil {
			return goesOn(err)
		}
		fmt.Fprintf(c.OutOrStdout(), "%d runs in %s: %d done, %d were finished before\n", outcome.Runs, *out,
			outcome.Done, outcome.Skipped)
		if *shard != "" {
			return nil
		}
		for i := range proofs {
			k := &proofs[i]
			line := newProgress(c.ErrOrStderr(), "runs of "+k.Name, float64(k.Runs))
			o.Progress = line.at
			err := k.Run(c.Context(), *out, o)
			line.end()
			if err != nil {
				return goesOn(err)
			}
		}
		if *page == "" {
			*page = filepath.Join(*out, "report.md")
		}
		images := ""
		if *figures != "" {
			if images, err = drawStudy(c, all.Figures(), *out, *figures, *page); err != nil {
				return err
			}
		}
		err = results.WriteFile(*page, func(w io.Writer) error { return field.Report(w, all, *out, proofs, images) })
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), *page)
		return err
	}
	return c
}

// drawStudy draws the figures of a report from the study in a directory, and gives the path from the report to them.
func drawStudy(c *cobra.Command, figures []field.Figure, study, dir, page string) (images string, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	from := &sources{c: c, dirs: []string{study}}
	for _, f := range figures {
		o := plots.Options{Width: 7.16, Metrics: f.Metrics, By: f.By, Where: f.Where}
		if err := from.draw(f.ID, o, filepath.Join(dir, f.File)); err != nil {
			return "", err
		}
	}
	if images, err = filepath.Rel(filepath.Dir(page), dir); err != nil {
		return "", usagef("--figures %s: %w", dir, err)
	}
	return filepath.ToSlash(images), nil
}
