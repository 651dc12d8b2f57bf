package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
)

func newPlot() *cobra.Command {
	var list strings.Builder
	var ids []string
	for _, f := range plots.Figures() {
		ids = append(ids, f.ID)
		fmt.Fprintf(&list, "\n  %-8s %s\n           from %s", f.ID, f.Title, f.Needs)
	}
	c := &cobra.Command{
		Use:   "plot FIGURE|all DIR...",
		Short: "Draw a figure from records",
		Long: prose(`
Draw a figure from records. Each DIR is a record, or a directory with records below it, as sweep leaves them. The ending
of FILE chooses the format: .pdf, .svg, .png (300 dpi) or .tex (TikZ). What is drawn goes to a .csv beside the figure.
The ending .md writes the figure compare as a table in Markdown. With all, every figure that the records suffice for is
drawn into the directory named by -o.

Figures:` + list.String()),
		Example: `  smartinco plot fig9 out/round-robin out/best-fit out/worst-fit -o fig9.pdf
  smartinco plot fig9 out/study -o fig9.svg --width 7.16 --published=false
  smartinco plot compare out/study -o compare.md
  smartinco plot scaling out/hpa out/kpa -o scaling.pdf
  smartinco plot all out/study -o figures --ending .png`,
		Args: cobra.MinimumNArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return append(ids, "all"), cobra.ShellCompDirectiveNoFileComp
		},
	}
	out := c.Flags().StringP("out", "o", "", "file of the figure (FIGURE.pdf); with all, directory of the figures (.)")
	ending := c.Flags().String("ending", ".pdf", "with all: .pdf, .svg, .png or .tex")
	width := c.Flags().Float64("width", 0,
		"width in inches: 3.5 for a column, 7.16 for a page; 0 for what suits the figure")
	published := c.Flags().Bool("published", true, "mark the published values")
	c.RunE = func(c *cobra.Command, args []string) error {
		recs, err := results.OpenAll(c.Context(), args[1:]...)
		if err != nil {
			return err
		}
		o := plots.Options{Width: *width, Published: *published}
		if args[0] != "all" {
			if *out == "" {
				*out = args[0] + ".pdf"
			}
			return draw(c, args[0], recs, o, *out)
		}
		if err := os.MkdirAll(filepath.Clean(*out), 0o777); err != nil {
			return err
		}
		drawn := 0
		for _, id := range ids {
			if err := draw(c, id, recs, o, filepath.Join(*out, id+*ending)); errors.Is(err, plots.ErrRequest) {
				fmt.Fprintf(c.ErrOrStderr(), "left out: %v\n", err)
			} else if err != nil {
				return err
			} else {
				drawn++
			}
		}
		if drawn == 0 {
			return usagef("the records suffice for none of %s", strings.Join(ids, ", "))
		}
		return nil
	}
	return c
}

func draw(c *cobra.Command, id string, recs []*results.Record, o plots.Options, path string) error {
	fig, err := plots.Draw(id, recs, o)
	if err != nil {
		return err
	}
	for _, n := range fig.Notes {
		fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", id, n)
	}
	if err := fig.Save(path); err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.OutOrStdout(), path)
	return err
}
