package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	contract "github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
)

// policy is a row of any of the tables of policies.
type policy struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Telemetry   []string `json:"telemetry"`
	Source      string   `json:"source"`
	Score       string   `json:"score,omitempty"`
}

type policyTable struct {
	Key      string   `json:"key"` // of the scenario
	Policies []policy `json:"policies"`
}

func newPolicies() *cobra.Command {
	c := &cobra.Command{
		Use:   "policies",
		Short: "List the policies that a scenario can name",
		Long: prose(`
List the policies that a scenario can name, by the key that takes them: what each does, what it looks at and
where it comes from. It looks at T0: what is always known; T1: the orchestrator's own books; T2: the switch's counters,
as old as the telemetry window.`),
		Example: `  smartinco policies
  smartinco policies --format json
  smartinco run fig9-best-fit --set scheduler.policy=worst-fit -o out/worst-fit`,
		Args: cobra.NoArgs,
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		tables := policyTables()
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), tables)
		}
		return printPolicies(c.OutOrStdout(), tables)
	}
	return c
}

func policyTables() []policyTable {
	schedulers := policyTable{Key: "scheduler.policy"}
	for _, p := range scheduler.Policies.Infos() {
		schedulers.Policies = append(schedulers.Policies,
			policy{p.Name, p.Rule, strings.Fields(p.Sees.String()), p.Source, p.Score})
	}
	scaling := func(key string, infos []contract.Info) policyTable {
		t := policyTable{Key: key}
		for _, p := range infos {
			t.Policies = append(t.Policies, policy{p.Name, p.Rule, strings.Fields(p.Sees.String()), p.Source, p.Score})
		}
		return t
	}
	return []policyTable{
		schedulers,
		scaling("autoscaler.policy", autoscaler.Policies.Infos()),
		scaling("autoscaler.victim", autoscaler.Victims.Infos()),
	}
}

func printPolicies(out io.Writer, tables []policyTable) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for i, t := range tables {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%s\n", t.Key)
		for _, p := range t.Policies {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", p.Name, strings.Join(p.Telemetry, " "), p.Description, p.Source)
		}
	}
	return w.Flush()
}
