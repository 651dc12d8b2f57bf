package main

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/report"
	"github.com/smartinco/smartinco/results"
)

func newReport() *cobra.Command {
	c := &cobra.Command{
		Use:   "report DIR...",
		Short: "Write one HTML page from records",
		Long: prose(`
Write one HTML page from records: a table of the runs that sorts and filters, their figures with the values under the
pointer, the decisions of each window with their candidates, where each record comes from and how to repeat it. Each DIR
is a record, or a directory with records below it, as sweep leaves them. The page is a single file that needs no network.`),
		Example: `  smartinco report out/study
  smartinco report out/best-fit out/worst-fit -o schedulers.html --title "Two schedulers"`,
		Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
	}
	out := c.Flags().StringP("out", "o", "report.html", "file of the page")
	title := c.Flags().String("title", "SmartINCO report", "heading of the page")
	c.RunE = func(c *cobra.Command, args []string) error {
		if filepath.Ext(*out) != ".html" {
			return usagef("--out %s: a report is a page, whose name ends in .html", *out)
		}
		recs, err := results.OpenAll(c.Context(), args...)
		if err != nil {
			return err
		}
		err = results.WriteFile(*out, func(w io.Writer) error {
			return report.Write(c.Context(), w, recs, report.Options{Title: *title, Version: version})
		})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(c.OutOrStdout(), *out)
		return err
	}
	return c
}
