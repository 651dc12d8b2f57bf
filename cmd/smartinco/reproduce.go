package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/cmd/smartinco/internal/study"
	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/fidelity"
	"github.com/smartinco/smartinco/scenarios"
)

// reproduced are the built-in studies behind the published results, each with the figure that is drawn from it.
var reproduced = []struct{ study, figure string }{
	{"fig6", "fig6"}, {"fig7", "fig7"}, {"fig8", "fig8"}, {"fig9", "fig9"}, {"fig10", "fig10"},
	{"fig10-target-100", ""}, // another reading of the autoscaler's target
}

func newReproduce() *cobra.Command {
	c := &cobra.Command{
		Use:   "reproduce",
		Short: "Run and draw figures 6 to 10, and hold them against the published numbers",
		Long: `Run the built-in scenarios of figures 6 to 10, draw the figures as PDF and PNG with the published values marked, and
write fidelity.md and fidelity.csv: each published number, ours, the residual, and whether it was fitted or predicted.
The records are kept in the directory records; runs that are already finished are passed over.`,
		Example: `  smartinco reproduce
  smartinco reproduce -o out/reproduce --jobs 4`,
		Args: cobra.NoArgs,
	}
	out := c.Flags().StringP("out", "o", filepath.Join("out", "reproduce"), "directory of figures, comparison and records")
	jobs := c.Flags().IntP("jobs", "j", runtime.NumCPU(), "runs at a time")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *jobs < 1 {
			return usagef("--jobs is %d: want at least 1", *jobs)
		}
		recs := fidelity.Records{}
		engine := ""
		for _, r := range reproduced {
			st, err := scenarios.Load(r.study, nil)
			if err != nil {
				return err
			}
			engine = st.Runs[0].Scenario.Engine
			dir := filepath.Join(*out, "records", r.study)
			line := newProgress(c.ErrOrStderr(), "runs of "+r.study, float64(len(st.Runs)))
			_, err = study.All(c.Context(), st, dir, study.AllOptions{Version: version, Jobs: *jobs,
				Each: func(done int) { line.at(float64(done)) }})
			line.end()
			if c.Context().Err() != nil {
				return fmt.Errorf("%s: %w; the same command goes on from there", r.study, err)
			}
			if err != nil {
				return err
			}
			if recs[r.study], err = openStudy(dir, st); err != nil {
				return err
			}
			if r.figure == "" {
				continue
			}
			for _, ending := range []string{".pdf", ".png"} {
				if err := draw(c, r.figure, recs[r.study], plots.Options{Published: true}, filepath.Join(*out, r.figure+ending)); err != nil {
					return err
				}
			}
		}
		rows, err := fidelity.Compare(recs)
		if err != nil {
			return err
		}
		for _, f := range []struct {
			name  string
			write func(io.Writer) error
		}{
			{"fidelity.md", func(w io.Writer) error { return fidelity.WriteMarkdown(w, rows, engine) }},
			{"fidelity.csv", func(w io.Writer) error { return fidelity.WriteCSV(w, rows) }},
		} {
			path := filepath.Join(*out, f.name)
			if err := writeFile(path, f.write); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), path)
		}
		return nil
	}
	return c
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// openStudy opens the records of a study's runs, and of no others that the directory may hold.
func openStudy(dir string, st *scenarios.Study) ([]*results.Record, error) {
	var recs []*results.Record
	for i := range st.Runs {
		rec, err := results.Open(filepath.Join(dir, st.Runs[i].Name))
		if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
	}
	return recs, nil
}
