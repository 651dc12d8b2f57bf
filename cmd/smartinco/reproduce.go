package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/fidelity"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// reproduced are the built-in studies behind the published results, each with the figures that are drawn from it.
var reproduced = []struct {
	study   string
	figures []string
}{
	{"fig6", []string{"fig6"}},
	{"fig7", []string{"fig7"}},
	{"fig9", []string{"fig8", "fig9"}}, // figure 8 is the same runs, instance by instance
	{"fig10", []string{"fig10"}},
}

// reproduction is what the verb was asked for.
type reproduction struct {
	out  string
	jobs int
	sets []string
}

func newReproduce() *cobra.Command {
	c := &cobra.Command{
		Use:   "reproduce",
		Short: "Run and draw figures 6 to 10, and hold them against the published numbers",
		Long: prose(`
Run the built-in scenarios of figures 6 to 10, draw the figures as PDF and PNG with the published values marked, and
write fidelity.md and fidelity.csv: each published number, ours, the residual, and whether it was fitted or predicted;
and what the figures give under other readings of the thesis, which readings.csv holds too. The records are kept in the
directory records; runs that are already finished are passed over. Other readings are run in memory; the verb fidelity
runs all of them.

With --engine packet the same is done again packet by packet, for 1.7e11 of them: figures fig6-packet.pdf and so on, and
both engines side by side in fidelity.md. That takes some ten seconds. When it is interrupted, the same command goes on
with the first run that is not finished.

With --plant hw the runs are on the hardware that --testbed names, and the figures are fig6-hw.pdf and so on, without a
comparison in numbers. The scenarios are the published ones in the testbed's size or, with --scenarios lab, those that
the lab can do in less than ten minutes.`),
		Example: `  smartinco reproduce
  smartinco reproduce -o out/reproduce --jobs 4
  smartinco reproduce --engine packet
  smartinco reproduce --plant hw --testbed /run/smartinco/lab/testbed.yaml --scenarios lab`,
		Args: cobra.NoArgs,
	}
	var r reproduction
	c.Flags().StringVarP(&r.out, "out", "o", filepath.Join("out", "reproduce"),
		"directory of figures, comparison and records")
	c.Flags().IntVarP(&r.jobs, "jobs", "j", runtime.NumCPU(), "runs at a time")
	engine := &choice{"fluid", []string{"fluid", "packet"}}
	c.Flags().Var(engine, "engine", "fluid: rates, a second in all; packet: fluid first, then every packet")
	_ = c.RegisterFlagCompletionFunc("engine", cobra.FixedCompletions(engine.among, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().StringArrayVar(&r.sets, "set", nil,
		"override a key of every scenario: path=value, or @FILE with several (may be repeated); what is published "+
			"does not apply then")
	plant := &choice{"sim", []string{"sim", "hw"}}
	c.Flags().Var(plant, "plant", "sim: simulated; hw: on a testbed")
	_ = c.RegisterFlagCompletionFunc("plant", cobra.FixedCompletions(plant.among, cobra.ShellCompDirectiveNoFileComp))
	set := &choice{"published", slices.Sorted(maps.Keys(replayed))}
	c.Flags().Var(set, "scenarios", "with --plant hw: published, or lab")
	_ = c.RegisterFlagCompletionFunc("scenarios", cobra.FixedCompletions(set.among, cobra.ShellCompDirectiveNoFileComp))
	file := testbedFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if r.jobs < 1 {
			return usagef("--jobs is %d: want at least 1", r.jobs)
		}
		for _, set := range r.sets {
			if strings.HasPrefix(set, "engine=") {
				return usagef("--set %s: want --engine packet, which keeps the records of the two apart", set)
			}
		}
		if plant.value != "hw" && (*file != "" || set.value != "published") {
			return usagef("--testbed and --scenarios are for --plant hw")
		}
		lock, err := study.ClaimOutput(r.out, ownFiles...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, lock.Abandon()) }()
		if plant.value == "hw" {
			return r.hardware(c, *file, set.value)
		}
		engines := []string{"fluid"}
		if engine.value != "fluid" {
			engines = append(engines, engine.value)
		}
		var page fidelity.Page
		for _, engine := range engines {
			comparison, err := r.engine(c, engine)
			if err != nil {
				return err
			}
			page.Comparisons = append(page.Comparisons, comparison)
		}
		if err := otherReadings(c, inMemory(r.sets), &page); err != nil {
			return err
		}
		for _, f := range []struct {
			name  string
			write func(io.Writer) error
		}{
			{"fidelity.md", page.WriteMarkdown},
			{"fidelity.csv", func(w io.Writer) error { return fidelity.WriteCSV(w, page.Comparisons...) }},
			{"readings.csv", func(w io.Writer) error { return fidelity.WriteReadingsCSV(w, page.Outcomes) }},
		} {
			path := filepath.Join(r.out, f.name)
			if err := results.WriteFile(path, f.write); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), path)
		}
		return nil
	}
	return c
}

// ownFiles match what reproduce writes to its directory, beside the records.
var ownFiles = []string{"fig*.pdf", "fig*.png", "fig*.csv", "fidelity.md", "fidelity.csv", "readings.csv"}

// engine runs what is left of every study with one engine, draws the figures and compares.
func (r *reproduction) engine(c *cobra.Command, engine string) (none fidelity.Comparison, err error) {
	recs := fidelity.Records{}
	for _, p := range reproduced {
		if recs[p.study], err = r.study(c, p.study, engine); err != nil {
			return none, err
		}
		for _, figure := range p.figures {
			name := figure
			if engine != "fluid" {
				name += "-" + engine
			}
			for _, ending := range []string{".pdf", ".png"} {
				if err := draw(c, figure, recs[p.study], plots.Options{Published: true},
					filepath.Join(r.out, name+ending)); err != nil {
					return none, err
				}
			}
		}
	}
	return held(recs)
}

// study runs what is left of a built-in study, in a directory among the engine's records, and opens its records.
func (r *reproduction) study(c *cobra.Command, name, engine string) ([]*results.Record, error) {
	st, err := scenarios.Load(name, slices.Concat([]string{"engine=" + engine}, r.sets))
	if err != nil {
		return nil, err
	}
	where := filepath.Join(r.out, study.RecordsName, engine, name)
	line := newProgress(c.ErrOrStderr(), fmt.Sprintf("runs of %s, %s", name, engine),
		float64(len(st.Runs)))
	_, err = study.All(c.Context(), st, where, study.AllOptions{Version: version, Jobs: r.jobs, Progress: line.at})
	line.end()
	if err != nil && c.Context().Err() != nil {
		return nil, fmt.Errorf("%s: %w; the same command goes on from there", name, err)
	}
	if err != nil {
		return nil, err
	}
	return study.Open(c.Context(), st, where)
}
