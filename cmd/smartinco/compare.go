package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/compare"
)

func newCompare() *cobra.Command {
	c := &cobra.Command{
		Use:   "compare A B",
		Short: "Compare two records: errors, totals, costs, decisions",
		Long: `Compare record B with record A, the reference: the error of each series of windows (MAE, the mean
absolute error; WAPE, its share of A's mean; MAPE, the mean absolute percentage error of the windows in which A is not
0; Pearson's correlation), the totals, what the controllers cost, and the first decisions that differ. Two engines are
compared so, two policies, or a simulation with hardware.

Where windows end at different times, rates are averaged over the longer ones; records of different length are compared
as far as both go. With -o, both are drawn over each other, in the format that the file's ending names: .pdf, .svg, .png
or .tex; what is drawn goes to a .csv beside the figure.`,
		Example: `  smartinco compare out/lab out/simulated -o overlay.pdf
  smartinco compare out/fluid out/packet --format json`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	out := c.Flags().StringP("out", "o", "", "file of the figure that shows both")
	width := c.Flags().Float64("width", 0,
		"width of the figure in inches: 3.5 for a column, the default; 7.16 for a page")
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		var recs [2]*results.Record
		for i, dir := range args {
			var err error
			if recs[i], err = results.OpenContext(c.Context(), dir); err != nil {
				return err
			}
		}
		all, err := compare.Records(recs[0], recs[1])
		if err != nil {
			return err
		}
		if *out != "" {
			if err := drawOverlay(recs, *out, *width); err != nil {
				return err
			}
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), all)
		}
		return all.WriteText(c.OutOrStdout())
	}
	return c
}

func drawOverlay(recs [2]*results.Record, path string, width float64) error {
	var names [2]string
	for i, r := range recs {
		names[i] = fmt.Sprintf("%c: %s", 'A'+i, filepath.Base(filepath.Clean(r.Dir)))
	}
	fig, err := plots.Overlay(recs[0], recs[1], names, plots.Options{Width: width})
	if err != nil {
		return err
	}
	return fig.Save(path)
}
