package optimize

import (
	"cmp"
	"encoding"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Search is a search as its file describes it.
type Search struct {
	Name        string          `yaml:"name" required:"true"`
	Scenario    string          `yaml:"scenario" required:"true"`
	Vary        Vary            `yaml:"vary"`
	Where       scenarios.Where `yaml:"where"`
	Objectives  []Objective     `yaml:"objectives"`
	Constraints []Constraint    `yaml:"constraints"`
	Budget      int             `yaml:"budget" required:"true" min:"1" max:"1000000"`
	Seeds       int             `yaml:"seeds" default:"1" min:"1" max:"1000"`
	Fresh       int             `yaml:"fresh" default:"5" min:"1" max:"1000"`
	Front       int             `yaml:"front" default:"12" min:"1" max:"1000"`
	Seed        uint64          `yaml:"seed" default:"1"`

	base string   // the scenario, for scenarios.Load
	sets []string // what is laid over it
	root *scenarios.Scenario
	space
}

// Docs implements strictyaml.Documented.
func (Search) Docs() string {
	return `
name: of the search
scenario: what is run, by path from this file or by embedded name
vary: dotted keys, each with a list of values or a range {from, to, log}
where: conditions on the keys that a point must meet, as in a sweep; what does not meet them is not run
objectives: what is to be small or large; of several, the front is looked for
constraints: what a run must keep
budget: the most runs of the search
seeds: the most seeds that a point is run under, counted up from the scenario's
fresh: seeds behind those, under which the best is run again
front: the most points of a front that are run again and written
seed: of the search's own draws
`
}

// MostRuns bounds the budget of a search.
const MostRuns = 1_000_000

// Overrides is what the command line says instead of the file.
type Overrides struct {
	Sets   []string // of keys of the scenario, as in scenarios.Load; a key that is varied cannot be overridden
	Budget int      // 0 for the file's
	Seed   *uint64  // nil for the file's
}

// Load reads a search from a file. Errors about content are scenarios.ErrInvalid.
func Load(path string, o Overrides) (*Search, error) {
	data, err := strictyaml.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parse(path, data, o)
}

func parse(path string, data []byte, o Overrides) (*Search, error) {
	root, errs := strictyaml.Parse(path, data)
	if len(errs) > 0 {
		return nil, strictyaml.Join(errs)
	}
	s := &Search{sets: o.Sets}
	strictyaml.Defaults(s)
	d := strictyaml.NewDecoder(path, filepath.Dir(path), nil)
	d.Struct(root, s, "")
	if root.Kind == yaml.MappingNode {
		s.check(d, root)
	}
	if len(d.Errs) > 0 {
		return nil, strictyaml.Join(d.Errs)
	}
	s.Budget = cmp.Or(o.Budget, s.Budget)
	if o.Seed != nil {
		s.Seed = *o.Seed
	}
	s.space = *newSpace(s.Vary)
	for _, set := range o.Sets {
		key, _, _ := strings.Cut(set, "=")
		if i := slices.IndexFunc(s.Vary, func(a axis) bool { return a.key == key }); i >= 0 {
			return nil, &strictyaml.Error{File: path, Key: "vary." + key, Found: "the same key in --set " + set,
				Expected: "one of the two"}
		}
	}
	if err := s.open(d); err != nil {
		return nil, err
	}
	return s, s.affordable(path)
}

// check reports what the keys do not say by themselves.
func (s *Search) check(d *strictyaml.Decoder, root *yaml.Node) {
	for _, key := range []string{"vary", "objectives"} {
		n, given := d.At[key]
		if !given {
			d.Fail(root, key, "nothing", map[string]string{"vary": s.Vary.Expected(), "objectives": "a list of at " +
				"least one of " + Objective{}.Expected()}[key])
		} else if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			d.Fail(n, key, "an empty list", "at least one of "+Objective{}.Expected())
		}
	}
	if _, given := d.At["name"]; given && !filepath.IsLocal(s.Name) {
		d.Fail(d.At["name"], "name", strconv.Quote(s.Name), "a name that a directory may have")
	}
}

// open finds the scenario: a file beside the search's, or an embedded one.
func (s *Search) open(d *strictyaml.Decoder) error {
	s.base = s.Scenario
	if local := filepath.Join(d.Dir, s.Scenario); !filepath.IsAbs(s.Scenario) {
		if _, err := os.Stat(local); err == nil {
			s.base = local
		}
	}
	st, err := scenarios.Load(s.base, s.sets)
	if errors.Is(err, fs.ErrNotExist) {
		d.Fail(d.At["scenario"], "scenario", strconv.Quote(s.Scenario), "a scenario that can be read: "+err.Error())
		return strictyaml.Join(d.Errs)
	}
	if err != nil {
		return err
	}
	if len(st.Runs) != 1 || st.Replicas != nil {
		d.Fail(d.At["scenario"], "scenario", fmt.Sprintf("%q, a study of %d runs", s.Scenario, len(st.Runs)),
			"a scenario without a sweep")
		return strictyaml.Join(d.Errs)
	}
	s.root = st.Runs[0].Scenario
	return s.root.CheckFiles()
}

// affordable refuses a budget that does not reach for a point of each combination in each round.
func (s *Search) affordable(path string) error {
	n := len(s.combinations())
	bad := func(key, found, expected string) error {
		return &strictyaml.Error{File: path, Key: key, Found: found, Expected: expected}
	}
	if n > mostCombinations {
		return bad("vary", fmt.Sprintf("more than %d combinations", mostCombinations), "shorter lists")
	}
	least := n * min(2, s.Seeds) * roundsFor(n, s.Seeds)
	if len(s.Objectives) > 1 {
		least = leastPopulation * s.Seeds
	}
	if s.Budget < least {
		return bad("budget", strconv.Itoa(s.Budget), fmt.Sprintf("at least %d runs, for %d combinations of lists and "+
			"%d seeds", least, n, s.Seeds))
	}
	return nil
}

// scenario is that of a point.
func (s *Search) scenario(settings []Setting, more ...string) (*scenarios.Scenario, error) {
	sets := slices.Clone(s.sets)
	for _, set := range settings {
		sets = append(sets, set.Key+"="+set.Value)
	}
	st, err := scenarios.Load(s.base, append(sets, more...))
	if err != nil {
		return nil, err
	}
	return st.Runs[0].Scenario, nil
}

// Vary is the keys that are varied, in the order of the file.
type Vary []axis

// ReadYAML reads them. A key that no scenario has is an error.
func (v *Vary) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		d.Fail(n, key, strictyaml.KindOf(n), v.Expected())
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, val := n.Content[i], n.Content[i+1]
		at := strictyaml.Under(key, k.Value)
		t, _ := strictyaml.TypeAt(&scenarios.Scenario{}, k.Value)
		switch j := slices.IndexFunc(*v, func(a axis) bool { return strings.HasPrefix(a.key, k.Value+".") }); {
		case k.Value == "seed" || k.Value == "name" || strings.HasPrefix(k.Value+".", "sweep."):
			d.Fail(k, at, "a key that cannot be varied", "another key; seeds are counted up by themselves")
		case t == nil:
			d.Fail(k, at, "an unknown key", "a dotted key of a scenario, such as scheduler.limit",
				strictyaml.Near(k.Value, scenarios.ScalarKeys())...)
		case j >= 0:
			d.Fail(k, at, "a key that replaces "+(*v)[j].key+", which is varied before it", "it first")
		case val.Kind == yaml.SequenceNode && len(val.Content) > 0:
			a := axis{key: k.Value}
			for _, c := range scenarios.EveryPolicy(k.Value, val.Content) {
				a.values = append(a.values, value{inFlow(c), nameOf(c)})
			}
			if same := repeated(a.values); same != "" {
				d.Fail(val, at, "twice "+same, "different values")
			}
			*v = append(*v, a)
		case val.Kind == yaml.MappingNode:
			if s := readSpan(d, val, at, t); s != nil {
				*v = append(*v, axis{key: k.Value, span: s})
			}
		default:
			d.Fail(val, at, strictyaml.KindOf(val), "a list of at least one value, or a range {from, to, log}")
		}
	}
}

func repeated(values []value) string {
	seen := map[string]bool{}
	for _, v := range values {
		if seen[v.text] {
			return v.text
		}
		seen[v.text] = true
	}
	return ""
}

// Expected says what may stand at the key vary.
func (Vary) Expected() string {
	return "a mapping from dotted keys to lists of values or ranges {from, to, log}"
}

// Schema is its JSON Schema.
func (Vary) Schema() strictyaml.Object { return strictyaml.Object{{Key: "type", Value: "object"}} }

// Reference is what a reference says of it.
func (Vary) Reference() (value, intro string) { return "mapping", "" }

// inFlow is a value on one line, as --set takes it.
func inFlow(n *yaml.Node) string {
	flow := *n
	flow.Style |= yaml.FlowStyle
	flow.HeadComment, flow.LineComment, flow.FootComment = "", "", ""
	b, err := yaml.Marshal(&flow)
	if err != nil {
		panic(err) // a node that was read
	}
	return strings.Join(strings.Fields(string(b)), " ")
}

// nameOf is the name of a policy, whether its options are there or not.
func nameOf(n *yaml.Node) string {
	if n.Kind == yaml.MappingNode && len(n.Content) == 2 {
		return n.Content[0].Value
	}
	return n.Value
}

// interval is a range as it is written.
type interval struct {
	From scenarios.End `yaml:"from" required:"true"`
	To   scenarios.End `yaml:"to" required:"true"`
	Log  bool          `yaml:"log" default:"false"`
}

// Docs implements strictyaml.Documented.
func (interval) Docs() string {
	return `
from: the least value
to: the greatest
log: whether equal ratios count as equal distances
`
}

// readSpan reads the range of a key of a type.
func readSpan(d *strictyaml.Decoder, n *yaml.Node, key string, t reflect.Type) *span {
	var r interval
	had := len(d.Errs)
	if d.Struct(n, &r, key); len(d.Errs) > had {
		return nil
	}
	bad := func(n *yaml.Node, end, expected string) *span {
		d.Fail(n, strictyaml.Under(key, end), strictyaml.KindOf(n), expected)
		return nil
	}
	s := &span{from: r.From.Number, to: r.To.Number, unit: r.From.Unit, log: r.Log}
	quantity := reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	bytes := t == reflect.TypeFor[units.Bytes]()
	s.whole = bytes || !quantity && (t.Kind() == reflect.Int || t.Kind() == reflect.Uint64)
	whole := func(x float64) bool { return x == float64(int64(x)) }
	switch {
	case !quantity && !s.whole && t.Kind() != reflect.Float64:
		d.Fail(n, key, "a range", "a list: "+key[strings.IndexByte(key, '.')+1:]+" is no number")
		return nil
	case r.To.Unit != s.unit:
		return bad(r.To.Node, "to", "the unit of from, which is "+strconv.Quote(s.unit))
	case bytes && s.unit != "B":
		return bad(r.From.Node, "from", "bytes, such as 64B")
	case !quantity && s.unit != "":
		return bad(r.From.Node, "from", "a number without a unit")
	case s.from >= s.to:
		return bad(r.To.Node, "to", "more than from, which is "+r.From.Node.Value)
	case s.log && s.from <= 0:
		return bad(r.From.Node, "from", "more than 0, since log is true")
	case s.whole && !whole(s.from):
		return bad(r.From.Node, "from", "a whole number")
	case s.whole && !whole(s.to):
		return bad(r.To.Node, "to", "a whole number")
	}
	for _, e := range []struct {
		key string
		scenarios.End
	}{{"from", r.From}, {"to", r.To}} {
		if u, is := reflect.New(t).Interface().(encoding.TextUnmarshaler); is && e.Number != 0 &&
			u.UnmarshalText([]byte(e.Node.Value)) != nil {
			return bad(e.Node, e.key, "a value with a unit, as the key has it")
		}
	}
	return s
}
