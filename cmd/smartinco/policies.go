package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	contract "github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// policy is a row of any of the tables of policies.
type policy struct {
	Key         string               `json:"key,omitempty"` // of the scenario, where the policy stands alone
	Name        string               `json:"name"`
	Family      string               `json:"family,omitempty"`
	Description string               `json:"description"`
	Unit        string               `json:"unit,omitempty"` // of scheduling: flows, requests or both
	Telemetry   []string             `json:"telemetry"`
	Tuple       bool                 `json:"five_tuple,omitempty"`
	Tenant      bool                 `json:"tenant,omitempty"`
	Source      string               `json:"source"`
	Score       string               `json:"score,omitempty"`
	Best        string               `json:"best,omitempty"` // which score is: highest or lowest
	State       string               `json:"state,omitempty"`
	Cost        string               `json:"cost,omitempty"`
	Deviates    string               `json:"deviates,omitempty"`
	Does        []string             `json:"does,omitempty"` // beside answering for each flow, or with a number
	Reasons     []string             `json:"reasons,omitempty"`
	Counters    []string             `json:"counters,omitempty"`
	Options     []strictyaml.KeyInfo `json:"options,omitempty"` // with their whole paths
	Below       bool                 `json:"-"`                 // the options stand below the policy's name
}

type policyTable struct {
	Key      string   `json:"key"` // of the scenario
	Policies []policy `json:"policies"`
}

func newPolicies() *cobra.Command {
	c := &cobra.Command{
		Use:   "policies [NAME]",
		Short: "List the policies that a scenario can name, or explain one",
		Long: prose(`
List the policies that a scenario can name, by the key that takes them: what each looks at, what it does and where it
comes from. It looks at T0: what is always known; T1: the orchestrator's own books; T2: the switch's counters, as old
as the telemetry window; T3: what agents on the instances report; T5: the true rates of flows and what is to come,
which a simulator alone knows.

With the NAME of a policy, all that is known of it: what it keeps, what a decision costs, where it differs from its
source, its options, the reasons that it gives and what it counts. With any other NAME, such as that of a system, the
policies of that family, and those whose rule or source names it.`),
		Example: `  smartinco policies
  smartinco policies best-fit
  smartinco policies haproxy
  smartinco run fig9-best-fit --set scheduler.policy=worst-fit -o out/worst-fit`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return policyWords(policyTables()), cobra.ShellCompDirectiveNoFileComp
		},
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		tables, out := policyTables(), c.OutOrStdout()
		if len(args) == 0 {
			return writePolicies(out, tables, *format)
		}
		if exact := policiesOf(tables, func(p *policy) bool { return p.Name == args[0] }); len(exact) > 0 {
			return explain(out, exact, *format)
		}
		word := strings.ToLower(args[0])
		alike := policiesOf(tables, func(p *policy) bool {
			return p.Family == word || strings.Contains(strings.ToLower(p.Name+"\n"+p.Description+"\n"+p.Source), word)
		})
		if len(alike) == 0 {
			return usagef("no policy %s, nor one whose family, rule or source has this name: want %s", quote(args[0]),
				nearest(args[0], policyWords(tables)))
		}
		return writePolicies(out, alike, *format)
	}
	return c
}

func quote(word string) string { return fmt.Sprintf("%q", shortened(word)) }

// nearest says which names may be meant.
func nearest(word string, names []string) string {
	if near := strictyaml.Near(word, names); len(near) > 0 {
		return strings.Join(near, " or ") + ", or another name that smartinco policies lists"
	}
	return "a name that smartinco policies lists"
}

// policyWords are the names of all policies and families.
func policyWords(tables []policyTable) (words []string) {
	for _, t := range tables {
		for _, p := range t.Policies {
			for _, word := range []string{p.Name, p.Family} {
				if word != "" && !slices.Contains(words, word) {
					words = append(words, word)
				}
			}
		}
	}
	return words
}

// policiesOf leaves in the tables what is ok.
func policiesOf(tables []policyTable, ok func(*policy) bool) (left []policyTable) {
	for _, t := range tables {
		some := policyTable{Key: t.Key}
		for _, p := range t.Policies {
			if ok(&p) {
				some.Policies = append(some.Policies, p)
			}
		}
		if len(some.Policies) > 0 {
			left = append(left, some)
		}
	}
	return left
}

func policyTables() []policyTable {
	schedulers := policyTable{Key: "scheduler.policy"}
	for _, row := range scheduler.Policies {
		p := described(row.Info)
		p.Family, p.Tuple, p.Tenant = scheduler.Families.Of(row.Name), row.Tuple, row.Tenant
		p.Unit, p.Reasons, p.Counters = row.Units(), row.Reasons, row.Counters
		p.Best = "lowest"
		if row.Highest {
			p.Best = "highest"
		}
		o := scheduler.DefaultOptions()
		o.Policy = scheduler.Named(row.Name)
		p.Does = beside(&row, o)
		p.options(schedulers.Key, o.Policy, o, func(name, key string) bool {
			return scheduler.Options{Policy: strictyaml.Choice{Name: name}}.Unused(key)
		}, scheduler.Policies.Names())
		schedulers.Policies = append(schedulers.Policies, p)
	}
	scalers := policyTable{Key: "autoscaler.policy"}
	for _, row := range autoscaler.Policies {
		p := described(row.Info)
		p.Family, p.Counters = autoscaler.Families.Of(row.Name), row.Counters
		if row.Resizes {
			p.Does = []string{"changes the shares of a core that instances have"}
		}
		o := autoscaler.DefaultOptions()
		o.Policy = autoscaler.Named(row.Name)
		if row.New != nil { // beside a policy that never evaluates, the keys of another are written
			p.options(scalers.Key, o.Policy, o, func(name, key string) bool {
				return autoscaler.Options{Policy: strictyaml.Choice{Name: name}}.Unused(key)
			}, autoscaler.Policies.Names())
		}
		scalers.Policies = append(scalers.Policies, p)
	}
	victims := policyTable{Key: "autoscaler.victim"}
	for _, info := range autoscaler.Victims.Infos() {
		p := described(info)
		p.Best = "lowest"
		victims.Policies = append(victims.Policies, p)
	}
	return []policyTable{schedulers, scalers, victims}
}

func described(i contract.Info) policy {
	return policy{Name: i.Name, Description: i.Rule, Telemetry: strings.Fields(i.Sees.String()), Source: i.Source,
		Score: i.Score, State: i.State, Cost: i.Cost, Deviates: i.Deviates}
}

// beside is what a scheduling policy does beside answering for each flow or request.
func beside(row *contract.Row, o scheduler.Options) (does []string) {
	unit := contract.Flows
	if !row.On(unit) {
		unit = contract.Requests
	}
	p, _, err := scheduler.Make(row, o, unit, 1)
	if err != nil {
		return nil
	}
	if _, ok := p.(contract.Mover); ok {
		does = append(does, "moves flows that have an instance, at times of its own")
	}
	switch row.Dispatch {
	case contract.ByEither:
		does = append(does, "can do without rules: scheduler.rules: none")
	case contract.ByPacket:
		does = append(does, "does without rules")
	}
	if _, ok := p.(contract.Prober); ok {
		does = append(does, "asks instances how they are, with each request")
	}
	if _, ok := p.(contract.Ranker); ok {
		does = append(does, "has held "+unit.String()+" wait in queues of its own")
	}
	if _, ok := p.(contract.Estimator); ok {
		does = append(does, "tells the autoscaler what a held flow would bring")
	}
	return does
}

// options lists those below the policy's name or, where it has none there, those beside it: the keys of the host's
// options that some policy does not use, and this one does.
func (p *policy) options(key string, choice strictyaml.Choice, host any, unused func(policy, key string) bool,
	all []string) {
	if choice.Options != nil {
		p.Below = true
		for _, k := range strictyaml.KeyInfos(choice.Options) {
			k.Name = key + "." + p.Name + "." + k.Name
			p.Options = append(p.Options, k)
		}
		return
	}
	for _, k := range strictyaml.KeyInfos(host) {
		own := func(name string) bool { return unused(name, k.Name) }
		if !own(p.Name) && slices.ContainsFunc(all, own) {
			k.Name = strings.TrimSuffix(key, "policy") + k.Name
			p.Options = append(p.Options, k)
		}
	}
}

func writePolicies(out io.Writer, tables []policyTable, format string) error {
	if format == "json" {
		return writeJSON(out, tables)
	}
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
