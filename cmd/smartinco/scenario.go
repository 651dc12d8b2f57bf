package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

func newScenario() *cobra.Command {
	return group(&cobra.Command{
		Use:   "scenario",
		Short: "Show scenarios, stacks, the schema and the reference",
		Example: `  smartinco scenario list
  smartinco scenario show fig9-best-fit > mine.yaml
  smartinco scenario schema > scenario.schema.json`,
	}, newScenarioList(), newScenarioShow(), newScenarioStacks(), newScenarioSchema(),
		newScenarioReference())
}

func newScenarioList() *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the scenarios that are built in",
		Example: `  smartinco scenario list
  smartinco scenario list --format json`,
		Args: cobra.NoArgs,
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		type entry struct {
			Name string `json:"name"`
			Runs int    `json:"runs"`
			Doc  string `json:"doc"` // the file's first comment
		}
		var entries []entry
		for _, name := range scenarios.Names() {
			st, err := scenarios.Load(name, nil)
			if err != nil {
				return err
			}
			text, err := scenarios.Text(name)
			if err != nil {
				return err
			}
			first, _, _ := bytes.Cut(text, []byte("\n"))
			entries = append(entries, entry{name, len(st.Runs), strings.TrimLeft(string(first), "# ")})
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), entries)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		for _, e := range entries {
			fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, plural(e.Runs, "run"), e.Doc)
		}
		return w.Flush()
	}
	return c
}

func newScenarioShow() *cobra.Command {
	c := &cobra.Command{
		Use:   "show SCENARIO",
		Short: "Print a scenario as it is written, or resolved",
		Long: prose(`
Print the text of a scenario. With --resolved, print each of its runs with every key and its value, defaults and
NIC profile included.`),
		Example: `  smartinco scenario show fig9-best-fit > mine.yaml
  smartinco scenario show fig9-best-fit --resolved --set nic.rules=64`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	resolved := c.Flags().Bool("resolved", false, "print every key with its value")
	sets := setFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(*sets) > 0 && !*resolved {
			return usagef("--set needs --resolved: the text of a scenario is printed as it is written")
		}
		if !*resolved {
			text, err := strictyaml.ReadFile(args[0])
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.EISDIR): // as lab is, where that is also a name
				text, err = scenarios.Text(args[0])
			case len(text) > strictyaml.MaxSize:
				err = usagef("%s: more than %d bytes, which is no scenario", args[0], strictyaml.MaxSize)
			}
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		}
		st, err := scenarios.Load(args[0], *sets)
		if err != nil {
			return err
		}
		for i, r := range st.Runs {
			if i > 0 {
				fmt.Fprintln(c.OutOrStdout(), "---")
			}
			if _, err := c.OutOrStdout().Write(r.Scenario.YAML()); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func newScenarioSchema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Print the JSON Schema of scenarios, for editors",
		Example: `  smartinco scenario schema > scenario.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(scenarios.Schema())
			return err
		},
	}
}

func newScenarioReference() *cobra.Command {
	return &cobra.Command{
		Use:     "reference",
		Short:   "Print the description of every key, in Markdown",
		Example: `  smartinco scenario reference > docs/scenarios.md`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := c.OutOrStdout().Write(scenarios.Reference())
			return err
		},
	}
}
