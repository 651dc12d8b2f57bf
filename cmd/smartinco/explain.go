package main

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// explain writes a page on each policy.
func explain(out io.Writer, tables []policyTable, format string) error {
	var all []policy
	for _, t := range tables {
		for _, p := range t.Policies {
			p.Key = t.Key
			all = append(all, p)
		}
	}
	if format == "json" {
		return writeJSON(out, all)
	}
	for i := range all {
		if i > 0 {
			fmt.Fprintln(out)
		}
		all[i].page(out)
	}
	return nil
}

// classes say what the classes of telemetry are.
var classes = map[string]string{
	"T0": "T0, what is always known",
	"T1": "T1, the flows or requests that the orchestrator assigned",
	"T2": "T2, the switch's counters, as old as the telemetry window",
	"T3": "T3, what an agent on an instance reports, or its reply to a request",
	"T5": "T5, the true rates of flows and what is to come, which a simulator alone knows",
}

// page writes what is known of a policy.
func (p *policy) page(out io.Writer) {
	fmt.Fprintf(out, "%s: %s\n\n", p.Key, p.Name)
	line := func(what, says string) { paragraph(out, fmt.Sprintf("%-9s ", what), says) }
	line("rule", p.Description)
	if p.Family != "" {
		line("family", p.Family)
	}
	if p.Unit != "" {
		line("decides", "on "+strings.ReplaceAll(p.Unit, ", ", " and on "))
	}
	line("source", p.Source)
	line("differs", cmp.Or(p.Deviates, "nowhere that is known"))
	var sees []string
	for _, class := range p.Telemetry {
		sees = append(sees, cmp.Or(classes[class], class))
	}
	if p.Tuple {
		sees = append(sees, "the five-tuple of each flow")
	}
	if p.Tenant {
		sees = append(sees, "whose flow each is")
	}
	line("sees", strings.Join(sees, "; "))
	line("keeps", cmp.Or(p.State, "nothing between decisions"))
	if n := regexp.MustCompile(`\bn\b`); n.MatchString(p.Cost) {
		line("cost", p.Cost+"; n is the number of instances")
	} else if p.Cost != "" {
		line("cost", p.Cost)
	}
	for i, does := range p.Does {
		line([]string{"also", ""}[min(i, 1)], does)
	}
	if p.Score != "" {
		says := p.Score
		if p.Best != "" {
			says += "; the " + p.Best + " is the best"
		}
		line("score", says)
	}
	for i, why := range p.Reasons {
		line([]string{"reasons", ""}[min(i, 1)], why)
	}
	for i, what := range p.Counters {
		line([]string{"counts", ""}[min(i, 1)], what)
	}
	if len(p.Options) == 0 {
		fmt.Fprintln(out, "\nIt has no options.")
		return
	}
	where := "beside the policy"
	if p.Below {
		where = "below the policy's name"
	}
	fmt.Fprintf(out, "\nIts options stand %s:\n", where)
	for _, o := range p.Options {
		value := o.Value
		if o.Among != nil {
			value = strings.Join(o.Among, " | ")
		}
		if o.Default != "" {
			value += "; default " + o.Default
		}
		fmt.Fprintf(out, "\n  %s: %s\n", o.Name, value)
		paragraph(out, "    ", o.Doc)
	}
}

// paragraph writes a text in lines of 100 columns, each of which begins as far in as the first.
func paragraph(out io.Writer, head, text string) {
	const width = 100
	line, in := head, strings.Repeat(" ", len(head))
	for _, word := range strings.Fields(text) {
		if line != head && line != in && len(line)+len(word) > width {
			fmt.Fprintln(out, strings.TrimRight(line, " "))
			line = in
		}
		line += word + " "
	}
	fmt.Fprintln(out, strings.TrimRight(line, " "))
}
