package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results"
)

func newExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export DIR",
		Short: "Print a table of a record",
		Long: prose(`
Print a table of the record in DIR as CSV or JSON. The record of a run that was killed is read up to its last full
window.

The tables latency and histogram are there when the scenario asks for them with measure.delay: quantiles of wait,
sojourn and end-to-end delay in picoseconds, of the run, each instance and each flow, and the buckets behind them.

The table policy says what the scheduling policy did: flows placed, held, refused and moved, or unmoved
for want of budget, how often it gave each of its reasons, and what it counts itself. The table costs says what the autoscaler cost and left undone: instance-seconds,
scale events, reversals, time with too few or too many instances, loss and the rest; the table reasons, how often it
gave each of its reasons.`),
		Example: `  smartinco export out/best-fit --table windows
  smartinco export out/best-fit --table decisions --format json
  smartinco export out/best-fit --table policy
  smartinco export out/best-fit --table costs
  smartinco export out/queue --table latency`,
		Args: cobra.ExactArgs(1),
	}
	table := &choice{results.Tables()[0], results.Tables()}
	c.Flags().Var(table, "table", strings.Join(results.Tables(), ", "))
	_ = c.RegisterFlagCompletionFunc("table", cobra.FixedCompletions(table.among, cobra.ShellCompDirectiveNoFileComp))
	format := formatFlag(c, results.Formats()...)
	c.RunE = func(c *cobra.Command, args []string) error {
		rec, err := results.OpenContext(c.Context(), args[0])
		if err != nil {
			return err
		}
		err = results.Export(c.OutOrStdout(), rec, table.value, *format)
		if errors.Is(err, results.ErrNoDelays) || errors.Is(err, results.ErrNoCounts) {
			err = fmt.Errorf("%s: %w", args[0], err)
		}
		return err
	}
	return c
}
