package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/testbed"
)

func newDrivers() *cobra.Command {
	c := &cobra.Command{
		Use:   "drivers",
		Short: "Set the drivers of switches side by side",
		Long: prose(`
Set the drivers of switches side by side: what each can do where the testbed file leaves all else open. A run reckons
with it: a telemetry window shorter than counters are old is refused, and an instance is taken away only when no packet
follows an old rule to it any more. In JSON times are in nanoseconds.`),
		Example: `  smartinco hw drivers
  smartinco hw drivers --format json`,
		Args: cobra.NoArgs,
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		drivers := testbed.SwitchDrivers()
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), drivers)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, row := range testbed.SwitchTable(drivers) {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		return w.Flush()
	}
	return c
}
