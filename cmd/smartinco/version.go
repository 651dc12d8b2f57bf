package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Example: `  smartinco version
  smartinco version --format json`,
		Args: cobra.NoArgs,
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), map[string]string{
				"version": version, "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
			})
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "smartinco %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS,
			runtime.GOARCH)
		return err
	}
	return c
}
