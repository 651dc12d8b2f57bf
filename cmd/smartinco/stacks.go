package main

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/scenarios"
)

func newScenarioStacks() *cobra.Command {
	names := func() (names []string) {
		for _, s := range scenarios.Stacks() {
			names = append(names, s.Name)
		}
		return names
	}
	c := &cobra.Command{
		Use:   "stacks [NAME]",
		Short: "List the stacks that a scenario can name, or the values of one",
		Long: prose(`
List the stacks: the orchestrators that can surround a policy, as values for keys that a scenario does not give. With
the NAME of one, its values, whether each was measured, published or is assumed, and where it comes from.`),
		Example: `  smartinco scenario stacks
  smartinco scenario stacks kubernetes
  smartinco run mine.yaml --set stack=kubernetes -o out/kubernetes`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return names(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		all := scenarios.Stacks()
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		if len(args) == 1 {
			i := slices.Index(names(), args[0])
			if i < 0 {
				return usagef("no stack %s: want one of %s", quote(args[0]), strings.Join(names(), ", "))
			}
			if *format == "json" {
				return writeJSON(c.OutOrStdout(), all[i])
			}
			fmt.Fprintf(c.OutOrStdout(), "%s: %s\n\n", all[i].Name, all[i].About)
			for _, v := range all[i].Sets {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Key(), v.Value(), v.Evidence, v.Source)
			}
			return w.Flush()
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), all)
		}
		for _, s := range all {
			fmt.Fprintf(w, "%s\t%s\n", s.Name, s.About)
		}
		return w.Flush()
	}
	return c
}
