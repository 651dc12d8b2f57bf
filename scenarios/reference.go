package scenarios

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// Reference is the description of every key, in Markdown: docs/scenarios.md.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			panic(err) // listed by Names
		}
		first, _, _ := strings.Cut(string(text), "\n")
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, strings.TrimPrefix(first, "# "))
	}
	b.WriteString("\n## Units\n\n")
	b.Write(strictyaml.Units())
	b.Write(strictyaml.Describe("Scenario", &Scenario{}))
	fmt.Fprintf(&b, "\n## `sweep`\n\nThis block %s.\n", sweepDoc)
	b.WriteString("A run is named by the scenario's name and its coordinates.\n\n")
	b.Write(strictyaml.Table(&Sweep{}))
	b.WriteString("\n### `sweep.replicas`\n\n")
	b.Write(strictyaml.Table(&Replicas{}))
	b.WriteString("\n### `sweep.replicas.until`\n\n")
	b.Write(strictyaml.Table(&Until{}))
	b.WriteString(referenceSweep)
	b.WriteString(referenceStacks)
	for _, s := range Stacks() {
		fmt.Fprintf(&b, "\n### `%s`\n\n%s%s.\n\n| key | value | how it is known | source |\n|---|---|---|---|\n",
			s.Name, strings.ToUpper(s.About[:1]), s.About[1:])
		for _, v := range s.Sets {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", v.Key(), v.Value(), v.Evidence, v.Source)
		}
	}
	return b.Bytes()
}

const referenceHead = `<!-- Generated from the struct tags of package scenarios: go test ./scenarios -update -->
# Scenario reference

A scenario is a YAML file, one document without anchors. Unknown keys, wrong units and impossible values are errors, all
reported at once with their line. Paths are relative to the file.

` + "`--set path=value`" + ` overrides a key: the path is dotted, elements of lists are numbered from 0
(` + "`--set workload.0.cbr.flows=16`" + `), the value is YAML. ` + "`--set @FILE`" + ` does so for each key
of a YAML file, as ` + "`smartinco lab calibrate`" + ` writes one.

## Embedded scenarios

| name | what it is |
|---|---|
`

const referenceSweep = `
` + "```yaml" + `
name: knee
duration: 60s
workload:
  - cbr: {flows: 32, total: 100Gbps}
sweep:
  matrix:
    scheduler.policy: [best-fit, worst-fit]
    scheduler.limit: [8Mpps, 10Mpps, 12Mpps]
  seeds: 5
` + "```" + `

The last key of the matrix varies faster than the first, the lists of ` + "`zip`" + ` faster than the matrix, the seed
fastest. ` + "`--set`" + ` on a swept key fixes it. ` + "`scheduler.policy: [all]`" + ` runs every policy in turn, but not
those that go by delays, which only some scenarios measure.
[studies.md](studies.md) says how a study is planned, run, resumed, put on a cluster and ranked, with the rest of the
notation in an example.
`

const referenceStacks = `
## Stacks

A policy is not alone: how old its figures are, how often it is asked, how soon an instance works and what forwards the
packets are the orchestrator's around it. ` + "`stack: NAME`" + ` sets these keys as the tables below say. What the
scenario or ` + "`--set`" + ` gives wins, key by key, and the record holds all values and the stack's name. So the same
policy can be compared across stacks (` + "`stack: [smartnic, kubernetes]`" + ` in a matrix), and a stack of your own is
a file of overrides (` + "`--set @FILE`" + `). Each value is *measured* by whoever its source names, *published* as a
default or a figure of the thing itself, or *assumed*. ` + "`smartinco scenario stacks`" + ` prints the same.

Stacks without offload have a ` + "`nic`" + ` that stands for the host's processor. Its cores are not taken from the
instances, which would process less on a real host, and so the comparison flatters them.
`
