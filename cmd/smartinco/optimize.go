package main

import (
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/study/optimize"
)

func newOptimize() *cobra.Command {
	c := &cobra.Command{
		Use:   "optimize SEARCH",
		Short: "Find the best settings of a scenario within a number of runs",
		Long: prose(`
Look for the settings of a scenario that are best by an objective, or for the front of those that are best by
several, with at most as many runs as the budget of the search says. The file names the scenario, the keys that are
varied, the objectives and the constraints; docs/studies.md describes it. What was found is run again under seeds
that the search has not seen, and both values are printed. It is written as a scenario that smartinco run takes.

The same search gives the same answer, whatever --jobs is. One that was interrupted is resumed by the same command.`),
		Example: `  smartinco optimize study/examples/optimize-fig9.yaml
  smartinco optimize search.yaml -o out/search --budget 500 --seed 2
  smartinco run out/search/best.yaml`,
		Args: cobra.ExactArgs(1),
	}
	var out string
	c.Flags().StringVarP(&out, "out", "o", "", "directory of the search (out/NAME)")
	jobs := c.Flags().IntP("jobs", "j", runtime.NumCPU(), "runs at a time")
	budget := c.Flags().Int("budget", 0, "the most runs of the search (as the file says)")
	seed := c.Flags().Uint64("seed", 0, "of the search (as the file says)")
	sets, engine := setFlag(c), engineFlag(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *jobs < 1 {
			return usagef("--jobs is %d: want at least 1", *jobs)
		}
		if c.Flags().Changed("budget") && (*budget < 1 || *budget > optimize.MostRuns) {
			return usagef("--budget is %d: want 1 to %d", *budget, optimize.MostRuns)
		}
		var o optimize.Overrides
		o.Sets, o.Budget = append(*sets, engine()...), *budget
		if c.Flags().Changed("seed") {
			o.Seed = seed
		}
		s, err := optimize.Load(args[0], o)
		if err != nil {
			return err
		}
		if out == "" {
			out = filepath.Join("out", s.Name)
		}
		line := newProgress(c.ErrOrStderr(), "runs", float64(s.Budget))
		r, err := optimize.Run(c.Context(), s, out, optimize.Options{Version: version, Jobs: *jobs, Progress: line.at})
		line.end()
		if err != nil && c.Context().Err() != nil {
			return fmt.Errorf("%w; the same command goes on from there", err)
		}
		if err != nil {
			return err
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), r)
		}
		return printFound(c.OutOrStdout(), r)
	}
	return c
}

// mostListed is how many combinations are printed.
const mostListed = 10

func printFound(out io.Writer, r *optimize.Result) error {
	fmt.Fprintf(out, "%s: %s of at most %d for %s\n", r.Name, plural(r.Runs, "run"), r.Budget,
		plural(r.Points, "point"))
	if r.Refused > 0 {
		fmt.Fprintf(out, "%s cannot be run; the first: %s\n", plural(r.Refused, "point"), r.Reason)
	}
	if r.Broken > 0 {
		fmt.Fprintf(out, "%s: a constraint does not hold\n", plural(r.Broken, "point"))
	}
	if len(r.Combinations) > 1 {
		printCombinations(out, r)
	}
	fmt.Fprintln(out)
	if len(r.Best) == 1 {
		for _, set := range r.Best[0].Settings {
			fmt.Fprintf(out, "  %s: %s\n", set.Key, set.Value)
		}
		fmt.Fprintln(out)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(r.Best) == 1 {
		f := &r.Best[0]
		fmt.Fprintln(w, "\tsearch\tfresh\t95 % interval")
		for k, o := range r.Objectives {
			fmt.Fprintf(w, "%s\t%.6g\t%s\n", o, f.Search[k], freshText(f.Fresh[k], r.Deterministic))
		}
	} else {
		printFront(w, r)
	}
	w.Flush()
	fmt.Fprintln(out)
	switch {
	case r.Deterministic:
		fmt.Fprintln(out, "every seed gives the same: as far as these runs show, nothing is random here, and no seeds "+
			"are needed")
	default:
		fmt.Fprintf(out, "%s under fresh seeds; those of the search are the luckiest of many, so trust the fresh\n",
			plural(r.FreshRuns, "run"))
	}
	for _, key := range r.Inert {
		fmt.Fprintf(out, "%s makes no difference to %s, from one end of its range to the other\n", key,
			filepath.Base(r.Best[0].File))
	}
	for i := range r.Best {
		f := &r.Best[i]
		if f.Broken {
			fmt.Fprintf(out, "%s: under fresh seeds a constraint does not hold\n", filepath.Base(f.File))
		}
		if f.Dominated {
			fmt.Fprintf(out, "%s: under fresh seeds another one is nowhere worse\n", filepath.Base(f.File))
		}
	}
	_, err := fmt.Fprintf(out, "smartinco run %s\n", r.Best[0].File)
	return err
}

func printCombinations(out io.Writer, r *optimize.Result) {
	fmt.Fprintln(out)
	keys := keysOf(len(r.Combinations), func(i int) []optimize.Setting { return r.Combinations[i].Settings })
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\trounds\tseeds\tpoints\t%s\n", strings.Join(keys, "\t"), r.Objectives[0])
	for i := range r.Combinations[:min(mostListed, len(r.Combinations))] {
		c := &r.Combinations[i]
		best := "-"
		if c.Best != nil {
			best = fmt.Sprintf("%.6g", *c.Best)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\n", cells(keys, c.Settings), c.Rounds, c.Seeds, c.Points, best)
	}
	w.Flush()
	if more := len(r.Combinations) - mostListed; more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
}

func printFront(w io.Writer, r *optimize.Result) {
	keys := keysOf(len(r.Best), func(i int) []optimize.Setting { return r.Best[i].Settings })
	fmt.Fprintf(w, "file\t%s", strings.Join(keys, "\t"))
	for _, o := range r.Objectives {
		fmt.Fprintf(w, "\t%s\tfresh", o)
	}
	fmt.Fprintln(w)
	for i := range r.Best {
		f := &r.Best[i]
		fmt.Fprintf(w, "%s\t%s", filepath.Base(f.File), cells(keys, f.Settings))
		for k := range r.Objectives {
			fmt.Fprintf(w, "\t%.6g\t%.6g", f.Search[k], f.Fresh[k].Mean)
		}
		fmt.Fprintln(w)
	}
}

// keysOf are the keys of n lists of settings, as they first come.
func keysOf(n int, of func(int) []optimize.Setting) (keys []string) {
	for i := range n {
		for _, set := range of(i) {
			if !slices.Contains(keys, set.Key) {
				keys = append(keys, set.Key)
			}
		}
	}
	return keys
}

// cells are the values of keys, with tabs between them.
func cells(keys []string, settings []optimize.Setting) string {
	values := slices.Repeat([]string{"-"}, len(keys))
	for _, set := range settings {
		values[slices.Index(keys, set.Key)] = set.Value
	}
	return strings.Join(values, "\t")
}

func freshText(f optimize.Fresh, deterministic bool) string {
	if deterministic || f.Low == f.High {
		return fmt.Sprintf("%.6g\t-", f.Mean)
	}
	return fmt.Sprintf("%.6g\t%.6g to %.6g", f.Mean, f.Low, f.High)
}
