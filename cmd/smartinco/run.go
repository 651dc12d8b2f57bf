package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
	"github.com/smartinco/smartinco/units"
)

func newRun() *cobra.Command {
	c := &cobra.Command{
		Use:   "run SCENARIO",
		Short: "Run a scenario and write its record",
		Long: `Run a scenario - a file, or the name of one that is built in - and write its record to a directory.
Same scenario, same seed: the same record, to the byte, host.json apart.`,
		Example: `  smartinco run fig9-best-fit -o out/best-fit
  smartinco run mine.yaml -o out/mine --force
  smartinco run mine.yaml --engine packet -o out/every-packet
  smartinco run fig9-best-fit --set scheduler.policy=worst-fit --set vnf.buffer=256 -o out/worst-fit`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	out := c.Flags().StringP("out", "o", "", "directory of the record (out/NAME)")
	force := c.Flags().BoolP("force", "f", false, "replace the record that the directory holds")
	sets, engine := setFlag(c), engineFlag(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		st, err := scenarios.Load(args[0], append(*sets, engine()...))
		if err != nil {
			return err
		}
		if len(st.Runs) != 1 {
			return usagef("%s is a study of %d runs: want smartinco sweep", args[0], len(st.Runs))
		}
		sc := st.Runs[0].Scenario
		if *out == "" {
			*out = filepath.Join("out", st.Runs[0].Name)
		}
		var line *progress
		run, err := study.One(c.Context(), sc, *out,
			study.Options{Version: version, Overwrite: *force, Progress: func(now, end units.Time) {
				if line == nil {
					line = newProgress(c.ErrOrStderr(), "simulated seconds", end.Seconds())
				}
				line.at(now.Seconds())
			}})
		line.end()
		if err != nil && c.Context().Err() != nil && run != nil {
			return fmt.Errorf("%w; %s holds the record up to there, and run --force begins again", err, *out)
		}
		if err != nil {
			return err
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), run)
		}
		if err := printRun(c.OutOrStdout(), *out, run); err != nil || run.Little == nil {
			return err
		}
		return printDelays(c.OutOrStdout(), *out)
	}
	return c
}

func setFlag(c *cobra.Command) *[]string {
	return c.Flags().StringArray("set", nil,
		"override a key of the scenario: path=value, or @FILE with several (may be repeated)")
}

// engineFlag adds --engine, which is short for an override; the function returns that override.
func engineFlag(c *cobra.Command) func() []string {
	engine := c.Flags().String("engine", "", "fluid, packet or request: overrides the scenario's")
	_ = c.RegisterFlagCompletionFunc("engine", cobra.FixedCompletions([]string{"fluid", "packet", "request"},
		cobra.ShellCompDirectiveNoFileComp))
	return func() []string {
		if *engine == "" {
			return nil
		}
		return []string{"engine=" + *engine}
	}
}

func completeScenario(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return scenarios.Names(), cobra.ShellCompDirectiveDefault
}

func printRun(out io.Writer, dir string, r *results.Run) error {
	t := &r.Totals
	unit := "packets"
	if r.Unit == results.PerRequest {
		unit = "requests"
		fmt.Fprintf(out, "%s: %g s; record in %s\n\n", r.Name, r.Duration, dir)
	} else {
		fmt.Fprintf(out, "%s: %g s, %d flows; record in %s\n\n", r.Name, r.Duration, t.Flows, dir)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(what string, n float64) {
		share := 0.0
		if t.Offered > 0 {
			share = 100 * n / t.Offered
		}
		fmt.Fprintf(w, "%s\t%.0f %s\t%.2f %%\t\n", what, n, unit, share)
	}
	line("offered", t.Offered)
	line("processed", t.Processed)
	for _, d := range []struct {
		cause   string
		packets float64
	}{
		{"link", t.Dropped.Link}, {"eSwitch", t.Dropped.ESwitch}, {"slow path", t.Dropped.SlowPath},
		{"instance", t.Dropped.Instance}, {"rejected", t.Dropped.Rejected},
	} {
		if d.packets > 0 {
			line("lost, "+d.cause, d.packets)
		}
	}
	line("queued", t.Queued)
	if r.Requests == nil {
		line("reordered", t.Reordered)
	}
	if k := r.Rack; k != nil {
		fmt.Fprintf(w, "busiest of %d nodes\t%.2f of the mean\t\t\n", k.Nodes, k.Imbalance)
	}
	return w.Flush()
}

// printDelays prints the delays of the whole run and, of requests, those of each class and tenant from NIC to NIC.
func printDelays(out io.Writer, dir string) error {
	rec, err := results.Open(dir)
	if err != nil {
		return err
	}
	all, err := rec.Latencies()
	if err != nil || len(all) == 0 {
		return err
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(what string, l *results.Latency) {
		fmt.Fprint(w, what)
		for _, v := range []int64{int64(math.Round(l.Mean)), l.P50, l.P90, l.P99, l.P999, l.Max} {
			fmt.Fprintf(w, "\t%.3f µs", float64(v)/1e6)
		}
		fmt.Fprintln(w, "\t")
	}
	fmt.Fprintln(w, "delay\tmean\tp50\tp90\tp99\tp99.9\tmax\t")
	for i := range all {
		if l := &all[i]; l.Scope == "run" {
			line(l.Kind, l)
		}
	}
	if r := rec.Run.Requests; r != nil {
		groups := map[string][]results.RequestGroup{"class": r.Classes, "tenant": r.Tenants}
		for i := range all {
			l := &all[i]
			if of := groups[l.Scope]; l.Kind == "end-to-end" && len(of) > 1 && len(of) <= mostGroups {
				line(l.Scope+" "+of[l.Number-1].Name, l)
			}
		}
	}
	return w.Flush()
}

// mostGroups is the most classes, or tenants, that a run prints the delays of.
const mostGroups = 16
