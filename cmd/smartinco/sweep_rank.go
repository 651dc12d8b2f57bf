package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results/stats"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

func newSweepRank() *cobra.Command {
	c := &cobra.Command{
		Use:   "rank DIR",
		Short: "Rank what a study swept, with intervals and significance",
		Long: prose(`
Rank the settings of a finished study by a column of its summary.csv: the mean over the seeds, how far each is
behind the first, and how sure that is. Settings that share their seeds are compared seed by seed. What is marked
with ~ is not significantly behind the first. A scenario in which the seed changes nothing has no interval, and
its differences are exact.

With --by, the values of some keys are ranked, once for each combination of the others. Where the oracle is among
them, or with --against, each has its regret: what it lacks to that one.`),
		Example: `  smartinco sweep rank out/study
  smartinco sweep rank out/study --metric dropped/offered --by scheduler.policy
  smartinco sweep rank out/study --against best-fit --format latex > ranking.tex`,
		Args: cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	o := study.RankOptions{}
	f := c.Flags()
	f.StringVar(&o.Metric, "metric", "processed", "column of the summary, or A/B for the ratio of two")
	f.StringSliceVar(&o.By, "by", nil, "keys whose values are ranked (all that are swept)")
	best := &choice{"", []string{"most", "least"}}
	f.Var(best, "best", "most or least (least, but for what is processed, offered or flows)")
	f.StringVar(&o.Baseline, "against", "", "setting from which the regret is measured (oracle, where it was run)")
	f.BoolVar(&o.Bootstrap, "bootstrap", false, "intervals by the bootstrap, which assumes no distribution")
	top := f.Int("top", 20, "rows of each ranking; 0 for all (csv has all)")
	format := formatFlag(c, stats.Formats...)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.Best = best.value
		if *top < 0 {
			return usagef("--top is %d: want at least 0", *top)
		}
		all, err := study.Rank(args[0], o)
		if err != nil {
			return err
		}
		for i, r := range all {
			rest := 0
			if n := len(r.Ranking.Rows); *top > 0 && n > *top && *format != "csv" {
				r.Ranking.Rows, rest = r.Ranking.Rows[:*top], n-*top
			}
			if i > 0 {
				fmt.Fprintln(c.OutOrStdout())
			}
			if len(r.Under) > 0 {
				comment := map[string]string{"csv": "# ", "latex": "% ", "markdown": "### "}[*format]
				fmt.Fprintf(c.OutOrStdout(), "%s%s\n\n", comment, coordinates(r.Under))
			}
			if err := r.Ranking.Write(c.OutOrStdout(), *format, strings.Join(r.By, ", ")); err != nil {
				return err
			}
			if rest > 0 {
				fmt.Fprintf(c.ErrOrStderr(), "and %d more: --top 0 shows all\n", rest)
			}
		}
		return nil
	}
	return c
}

func coordinates(cs []scenarios.Coordinate) string {
	var parts []string
	for _, c := range cs {
		parts = append(parts, c.Key+": "+c.Value)
	}
	return strings.Join(parts, ", ")
}
