package scenarios

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
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
	b.WriteString("\n## Units\n\n| what | units | example |\n|---|---|---|\n")
	for _, t := range quantityOrder() {
		q := quantities[t]
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", q.noun, strings.Join(q.units, ", "), q.example)
	}
	b.WriteString("\nA bare `0` is read as well. No quantity is negative.\n")
	section(&b, "Scenario", "", reflect.TypeFor[Scenario]())
	fmt.Fprintf(&b, "\n## `sweep`\n\nThis block %s. A run is named by the scenario's name and its coordinates.\n\n", sweepDoc)
	table(&b, reflect.TypeFor[Sweep]())
	b.WriteString(referenceSweep)
	return b.Bytes()
}

const referenceHead = `<!-- Generated from the struct tags of package scenarios: go test ./scenarios -update -->
# Scenario reference

A scenario is a YAML file, one document without anchors. Unknown keys, wrong units and impossible values are errors, all
reported at once with their line. Paths are relative to the file. ` + "`--set path=value`" + ` overrides a key: the path is dotted,
elements of lists are numbered from 0 (` + "`--set workload.0.cbr.flows=16`" + `), the value is YAML. ` + "`--set @FILE`" + ` does so for each
key of a YAML file, as ` + "`smartinco lab calibrate`" + ` writes one.

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

The last key of the matrix varies faster than the first, the seed fastest. ` + "`--set`" + ` on a swept key fixes it.
`

func quantityOrder() []reflect.Type {
	var ts []reflect.Type
	for t := range quantities {
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b reflect.Type) int { return strings.Compare(quantities[a].noun, quantities[b].noun) })
	return ts
}

// section writes the keys of t and then a section for each key that is a mapping.
func section(b *bytes.Buffer, title, path string, t reflect.Type) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if t == reflect.TypeFor[NIC]() {
		fmt.Fprintf(b, "A profile's name (%s), the path of a `.yaml` file that gives every key, or a mapping with these keys. Keys without a default have the profile's value.\n\n", "`"+strings.Join(Profiles(), "`, `")+"`")
	}
	if t == reflect.TypeFor[Source]() {
		b.WriteString("A list; each element has exactly one of these keys.\n\n")
	}
	table(b, t)
	for _, f := range fieldsOf(t) {
		e, key := f.typ, under(path, f.name)
		if e.Kind() == reflect.Slice {
			e, key = e.Elem(), key+"[]"
		}
		if e.Kind() == reflect.Pointer {
			e = e.Elem()
		}
		if e.Kind() == reflect.Struct {
			section(b, "`"+key+"`", key, e)
		}
	}
}

func table(b *bytes.Buffer, t reflect.Type) {
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, f := range fieldsOf(t) {
		value := strings.TrimPrefix(strings.TrimPrefix(noun(f.typ), "a "), "an ")
		if f.typ == reflect.TypeFor[NIC]() {
			value = "profile or mapping"
		}
		if f.enum != nil {
			value = "`" + strings.Join(f.enum, "`, `") + "`"
		}
		q := quantities[f.typ]
		if f.min != "" && q.noun == "" {
			value += ", ≥ " + f.min
		}
		if f.max != "" && f.max != q.max {
			value += ", ≤ " + f.max
		}
		def := ""
		switch {
		case f.required:
			def = "required"
		case f.def != "":
			def = "`" + f.def + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.name, value, def, f.doc)
	}
}
