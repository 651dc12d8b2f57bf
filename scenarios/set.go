package scenarios

import (
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// override is one path=value of the command line.
type override struct {
	path  string
	value *yaml.Node
	from  string // as errors name it
}

func (o *override) pathError(err error) *Error {
	return &Error{File: o.from, Key: o.path, Found: err.Error(), Expected: "the path of a key"}
}

// parseSets reads the overrides. A value is YAML: a scalar, or a list or mapping in flow style. @FILE is a mapping in a
// file, each of whose keys is an override.
func parseSets(sets []string, origin strictyaml.Origins) (os []override, errs []*Error) {
	for _, s := range sets {
		from := "--set " + s
		if file, ok := strings.CutPrefix(s, "@"); ok {
			more, es := setsOf(file, origin)
			os, errs = append(os, more...), append(errs, es...)
			continue
		}
		key, text, ok := strings.Cut(s, "=")
		if !ok || !isPath(key) {
			errs = append(errs, &Error{File: from, Found: strconv.Quote(s),
				Expected: "path=value such as scheduler.limit=12Mpps"})
			continue
		}
		v, es := strictyaml.Parse(from, []byte(text))
		for _, e := range es {
			e.Key, e.Line, e.Column = key, 0, 0
		}
		if len(es) > 0 {
			errs = append(errs, es...)
			continue
		}
		origin.Mark(v, from)
		os = append(os, override{key, v, from})
	}
	return os, errs
}

// isPath reports whether a dotted key can be that of a file.
func isPath(key string) bool {
	parts := strings.Split(key, ".")
	return !slices.Contains(parts, "") && len(parts) <= strictyaml.MaxDepth && len(key) <= strictyaml.MaxKey
}

// setsOf reads a file of overrides.
func setsOf(file string, origin strictyaml.Origins) (os []override, errs []*Error) {
	data, err := strictyaml.ReadFile(file)
	if err != nil {
		return nil, []*Error{{File: file, Found: err.Error(), Err: err,
			Expected: "a YAML file with keys of a scenario"}}
	}
	root, errs := strictyaml.Parse(file, data)
	if len(errs) > 0 {
		return nil, errs
	}
	if root.Kind != yaml.MappingNode {
		return nil, []*Error{{File: file, Line: root.Line, Column: root.Column,
			Found: strictyaml.KindOf(root), Expected: "a mapping with keys of a scenario"}}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		origin.Mark(root.Content[i+1], file)
		os = append(os, override{root.Content[i].Value, root.Content[i+1], file})
	}
	return os, nil
}

// idle reports the overrides of the command line that do nothing in any run: keys of scaling policies that none of them
// has. A file, also one of overrides, may have keys for whichever policy is chosen beside it.
func idle(os []override, study *Study) (errs []*Error) {
	for _, o := range os {
		key, ok := strings.CutPrefix(o.path, "autoscaler.")
		if !ok || !strings.HasPrefix(o.from, "--set ") {
			continue
		}
		var of []string
		if !slices.ContainsFunc(study.Runs, func(r Run) bool {
			policies, has := r.Scenario.Autoscaler.KeyOf(key)
			of = policies
			return has
		}) {
			errs = append(errs, &Error{File: o.from, Key: o.path, Found: strictyaml.KindOf(o.value),
				Expected: "autoscaler.policy: " + strings.Join(of, " or ") + " with this key"})
		}
	}
	return errs
}
