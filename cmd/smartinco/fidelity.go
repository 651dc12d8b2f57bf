package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/fidelity"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// reproducedBy are the engines whose records reproduce leaves.
var reproducedBy = []string{"fluid", "packet"}

func newFidelity() *cobra.Command {
	c := &cobra.Command{
		Use:   "fidelity [DIR]",
		Short: "Hold the runs against the published numbers, under one or all readings of the thesis",
		Long: prose(`
Print the comparison with the published numbers: each of them, ours, the residual, what was fitted, and what would prove
it wrong; then what figures 6 to 10 give under other readings of the thesis. The runs are made in memory, with the fluid
engine. With DIR, which reproduce wrote, the comparison is of the records in it, one column an engine.

With --readings, all combinations of answers to what the thesis leaves open are run and ranked: some thousands, which
take minutes. The rule of the ranking is printed above it. With --format csv, the table alone is printed: of the
entries or, with --readings, of all readings, the best first.`),
		Example: `  smartinco fidelity
  smartinco fidelity --set vnf.contention.share=reserved --format csv
  smartinco fidelity out/reproduce
  smartinco fidelity --readings --format csv > readings.csv`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	all := c.Flags().Bool("readings", false, "run and rank all readings")
	jobs := c.Flags().IntP("jobs", "j", runtime.NumCPU(), "readings at a time")
	var sets []string
	c.Flags().StringArrayVar(&sets, "set", nil,
		"override a key of every scenario: path=value, or @FILE with several (may be repeated)")
	format := formatFlag(c, "md", "csv")
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case *jobs < 1:
			return usagef("--jobs is %d: want at least 1", *jobs)
		case len(args) > 0 && len(sets) > 0:
			return usagef("--set is for runs: want no DIR with it")
		}
		plant := inMemory(sets)
		var page fidelity.Page
		var err error
		if len(args) > 0 {
			page.Comparisons, err = recorded(c.Context(), args[0])
		} else {
			page.Comparisons = make([]fidelity.Comparison, 1)
			page.Comparisons[0], err = compared(func(name string) ([]*results.Record, error) {
				return plant(c.Context(), name, nil)
			})
		}
		if err != nil {
			return err
		}
		if *all {
			readings := fidelity.All()
			line := newProgress(c.ErrOrStderr(), "readings", float64(len(readings)))
			page.Ranking, err = fidelity.Rank(c.Context(), readings, plant, *jobs, line.at)
			line.end()
			if err != nil {
				return err
			}
		}
		switch {
		case *format == "csv" && *all:
			return fidelity.WriteRankingCSV(c.OutOrStdout(), page.Ranking)
		case *format == "csv":
			return fidelity.WriteCSV(c.OutOrStdout(), page.Comparisons...)
		}
		if err := otherReadings(c, plant, &page); err != nil {
			return err
		}
		return page.WriteMarkdown(c.OutOrStdout())
	}
	return c
}

// inMemory runs built-in studies with the fluid engine, each with overrides, and keeps nothing on disk.
func inMemory(sets []string) fidelity.Runner {
	return func(ctx context.Context, name string, more []string) ([]*results.Record, error) {
		st, err := scenarios.Load(name, slices.Concat([]string{"engine=fluid"}, sets, more))
		if err != nil {
			return nil, err
		}
		return study.Memory(ctx, st)
	}
}

// compared holds the records of every study against what is published.
func compared(of func(study string) ([]*results.Record, error)) (fidelity.Comparison, error) {
	recs := fidelity.Records{}
	for _, name := range fidelity.Studies {
		var err error
		if recs[name], err = of(name); err != nil {
			return fidelity.Comparison{}, err
		}
	}
	return held(recs)
}

// held is what the records say of the published results. Their engine is the one that they name: --set may choose it.
func held(recs fidelity.Records) (fidelity.Comparison, error) {
	rows, err := fidelity.Compare(recs)
	if err != nil {
		return fidelity.Comparison{}, err
	}
	return fidelity.Comparison{Engine: recs["fig9"][0].Run.Engine, Rows: rows, Other: fidelity.Other(recs)}, nil
}

// recorded compares what reproduce left in a directory, by engine.
func recorded(ctx context.Context, dir string) ([]fidelity.Comparison, error) {
	var cs []fidelity.Comparison
	for _, engine := range reproducedBy {
		where := filepath.Join(dir, study.RecordsName, engine)
		if _, err := os.Stat(where); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		comparison, err := compared(func(name string) ([]*results.Record, error) {
			st, err := scenarios.Load(name, nil)
			if err != nil {
				return nil, err
			}
			return study.Open(ctx, st, filepath.Join(where, name))
		})
		if err != nil {
			return nil, err
		}
		cs = append(cs, comparison)
	}
	if len(cs) == 0 {
		return nil, usagef("%s: no records of reproduce: want a directory that it wrote", dir)
	}
	return cs, nil
}

// otherReadings adds to a page what the figures give under other readings.
func otherReadings(c *cobra.Command, plant fidelity.Runner, page *fidelity.Page) (err error) {
	line := newProgress(c.ErrOrStderr(), "readings", float64(fidelity.Named()))
	page.Outcomes, err = fidelity.Outcomes(c.Context(), plant, line.at)
	line.end()
	if err == nil {
		page.Span, err = fidelity.Span(c.Context(), plant)
	}
	return err
}
