package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results"
)

func newExport() *cobra.Command {
	c := &cobra.Command{
		Use:   "export DIR",
		Short: "Print a table of a record",
		Long: `Print a table of the record in DIR as CSV or JSON. The record of a run that was killed is read up to its last full
window.`,
		Example: `  smartinco export out/best-fit --table windows
  smartinco export out/best-fit --table decisions --format json`,
		Args: cobra.ExactArgs(1),
	}
	table := &choice{results.Tables()[0], results.Tables()}
	c.Flags().Var(table, "table", strings.Join(results.Tables(), ", "))
	_ = c.RegisterFlagCompletionFunc("table", cobra.FixedCompletions(table.among, cobra.ShellCompDirectiveNoFileComp))
	format := formatFlag(c, results.Formats()...)
	c.RunE = func(c *cobra.Command, args []string) error {
		rec, err := results.Open(args[0])
		if err != nil {
			return err
		}
		return results.Export(c.OutOrStdout(), rec, table.value, *format)
	}
	return c
}
