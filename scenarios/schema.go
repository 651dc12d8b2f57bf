package scenarios

import (
	"bytes"
	"encoding/json"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// Schema is a JSON Schema (draft 2020-12) of scenario files, for editors.
func Schema() []byte {
	sweep := append(strictyaml.Object{{Key: "description", Value: sweepDoc}}, strictyaml.Schema(&Sweep{})...)
	properties := append(strictyaml.Properties(&Scenario{}), strictyaml.Member{Key: "sweep", Value: sweep})
	need := func(key string) strictyaml.Object {
		return strictyaml.Object{{Key: "required", Value: []string{key}}}
	}
	s := strictyaml.Object{
		{Key: "$schema", Value: "https://json-schema.org/draft/2020-12/schema"},
		{Key: "$id", Value: "https://github.com/smartinco/smartinco/scenarios/schema.json"},
		{Key: "title", Value: "SmartINCO scenario"},
		{Key: "type", Value: "object"},
		{Key: "properties", Value: properties},
		{Key: "additionalProperties", Value: false},
		{Key: "anyOf", Value: []strictyaml.Object{need("workload"), need("sweep")}},
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		panic(err) // values of this file, written to memory
	}
	return b.Bytes()
}

const sweepDoc = "makes the file a study: one run for each combination of the matrix and each seed"
