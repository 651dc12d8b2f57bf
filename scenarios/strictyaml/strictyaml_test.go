package strictyaml

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/internal/mistakes"
	"github.com/smartinco/smartinco/units"
)

// garden has a key of every kind.
type garden struct {
	Name    string            `yaml:"name" doc:"what it is called" required:"true"`
	Open    bool              `yaml:"open" doc:"to all" default:"true"`
	Soil    string            `yaml:"soil" doc:"what it is made of" enum:"sand|clay" default:"clay"`
	Gate    string            `yaml:"gate" doc:"who keeps it" default:"mary"`
	Trees   int               `yaml:"trees" doc:"how many" default:"3" min:"0" max:"40"`
	Slope   float64           `yaml:"slope" doc:"of the ground" default:"1" above:"0"`
	Watered units.Time        `yaml:"watered" doc:"how often" default:"1h" above:"0" max:"48h"`
	Rain    units.PPS         `yaml:"rain" doc:"drops" default:"0pps"`
	Shed    *shed             `yaml:"shed" doc:"where the tools are"`
	Beds    []bed             `yaml:"beds" doc:"where things grow"`
	Visits  map[int]units.PPS `yaml:"visits" doc:"by the hour"`
	Owner   owner             `yaml:"owner" doc:"whose it is" default:"nobody"`
}

func (*garden) Names(key string) []string {
	if key == "gate" {
		return []string{"mary", "contrary"}
	}
	return nil
}

type shed struct {
	Doors int `yaml:"doors" doc:"that open" default:"1" min:"1"`
}

type bed struct {
	Row  *row  `yaml:"row" doc:"in a row"`
	Heap []row `yaml:"heap" doc:"in heaps"`

	Sunny bool `yaml:"sunny" doc:"in the light"`
}

func (bed) OneOf() {}

type row struct {
	Length units.Bytes `yaml:"length" doc:"from end to end" default:"8B"`
}

// owner is a first name, or a mapping.
type owner struct {
	First string `yaml:"first" doc:"first name"`
	Last  string `yaml:"last" doc:"last name" default:"Doe"`
}

func (o *owner) ReadYAML(d *Decoder, n *yaml.Node, key string) {
	Defaults(o)
	switch n.Kind {
	case yaml.ScalarNode:
		o.First = n.Value
	case yaml.MappingNode:
		d.Struct(n, o, key)
	default:
		d.Fail(n, key, KindOf(n), o.Expected())
	}
}
func (*owner) Expected() string { return "a first name or a mapping" }
func (o *owner) Schema() Object {
	return Object{{"anyOf", []Object{{{"type", "string"}}, Schema(o)}}}
}
func (*owner) Reference() (value, intro string) {
	return "name or mapping", "A first name, or these keys."
}
func (*owner) Mapping(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text("!!str", "first"), n}}
}

func decode(text string) (*garden, error) {
	g := &garden{}
	return g, Decode("g.yaml", []byte(text), g, func() []Rule {
		tooMany := g.Slope > 1 && g.Trees > 10
		return []Rule{{Keys: []string{"trees", "slope"}, Wrong: tooMany, Want: "at most 10 on a slope"}}
	})
}

func TestAFileIsReadOverTheDefaults(t *testing.T) {
	got, err := decode(`
name: g
trees: 4
shed: {}
beds: [{row: {}}, {heap: [{length: 1KiB}, {}]}]
visits: {8: 1kpps}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := &garden{
		Name: "g", Open: true, Soil: "clay", Gate: "mary", Trees: 4, Slope: 1, Watered: units.Hour, Shed: &shed{1},
		Beds: []bed{{Row: &row{8}}, {Heap: []row{{1024}, {8}}}}, Visits: map[int]units.PPS{8: 1000},
		Owner: owner{"nobody", "Doe"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestEveryMistakeIsNamed(t *testing.T) {
	for _, m := range mistakes.Read(t, "testdata/garden.txt") {
		if _, err := decode(m.Text); !errors.Is(err, ErrInvalid) || err.Error() != m.Want {
			t.Errorf("%s:\n got %v\nwant %s", m.What, err, m.Want)
		}
	}
}

func TestYAMLReadsBack(t *testing.T) {
	g, err := decode(`
name: 'on'
rain: 1234567.8901234pps
beds: [{heap: [{}]}]
visits: {10: 1pps, 9: 2pps}
owner: {last: X}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{YAML(g), JSON(g)} {
		back, err := decode(string(text))
		if err != nil || !reflect.DeepEqual(back, g) {
			t.Errorf("%v\n%s\nreads as %+v, want %+v", err, text, back, g)
		}
	}
}

// Check says of a struct in memory what the decoder says of one in a file.
func TestCheck(t *testing.T) {
	const rate = "a packet rate such as 25Mpps (units pps, kpps, Mpps, Gpps)"
	const size = "a size such as 64B (units B, kB, MB, GB, KiB, MiB, GiB)"
	for _, c := range []struct {
		edit func(*garden)
		want string
	}{
		{func(*garden) {}, ""},
		{func(g *garden) { g.Trees = 41 }, `trees: "41": want a whole number from 0 to 40`},
		{func(g *garden) { g.Soil = "rock" }, `soil: "rock": want one of sand, clay`},
		{func(g *garden) { g.Gate = "" }, `gate: "": want one of mary, contrary`},
		{func(g *garden) { g.Watered = 0 }, `watered: "0s": want a time above 0 and at most 48h`},
		{func(g *garden) { g.Rain = units.PPS(math.Inf(1)) }, `rain: "+Infpps": want a finite number`},
		{func(g *garden) { g.Rain = -1 }, `rain: "-1pps": want ` + rate},
		{func(g *garden) { g.Shed = &shed{} }, `shed.doors: "0": want a whole number not below 1`},
		{func(g *garden) { g.Beds = []bed{{Heap: []row{{1}, {-1}}}} }, `beds.0.heap.1.length: "-1B": want ` + size},
		{func(g *garden) { g.Visits[3] = -1 }, `visits.3: "-1pps": want ` + rate},
		{func(g *garden) { g.Trees, g.Slope = -1, -1 }, `trees: "-1": want a whole number from 0 to 40`},
	} {
		g := &garden{}
		Defaults(g)
		c.edit(g)
		got := ""
		if err := Check(g); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestAnOverrideOpensAShorthand(t *testing.T) {
	root, errs := Parse("g.yaml", []byte("name: g\nowner: jane\nbeds: [{row: {}}]"))
	if len(errs) > 0 {
		t.Fatal(Join(errs))
	}
	for path, value := range map[string]string{"owner.last": "Roe", "beds.0.row.length": "9B", "shed.doors": "2"} {
		v, _ := Parse("--set", []byte(value))
		var err error
		if root, err = (Origins{}).With(&garden{}, root, path, v); err != nil {
			t.Fatal(err)
		}
	}
	g, d := &garden{}, NewDecoder("g.yaml", "", nil)
	Defaults(g)
	d.Struct(root, g, "")
	if len(d.Errs) > 0 || g.Owner != (owner{"jane", "Roe"}) || g.Beds[0].Row.Length != 9 || g.Shed.Doors != 2 {
		t.Errorf("%v: read as %+v", Join(d.Errs), g)
	}
	v, _ := Parse("--set", []byte("1"))
	if _, err := (Origins{}).With(&garden{}, root, "name.x", v); err == nil || err.Error() != `"g" at name` {
		t.Errorf("a key below a text: %v", err)
	}
}

// A mapping that is laid over a shorthand changes what the shorthand stands for; a scalar replaces it.
func TestAMergeOpensAShorthand(t *testing.T) {
	base, _ := Parse("base.yaml", []byte("{name: g, owner: jane}"))
	for over, want := range map[string]owner{
		"owner: {last: Roe}":              {"jane", "Roe"},
		"owner: {first: joe}":             {"joe", "Doe"},
		"owner: john":                     {"john", "Doe"},
		"trees: 1":                        {"jane", "Doe"},
		"owner: {first: joe, last: Bloe}": {"joe", "Bloe"},
	} {
		o, errs := Parse("over.yaml", []byte(over))
		g, d := &garden{}, NewDecoder("", "", nil)
		Defaults(g)
		d.Struct(Origins{}.Merge(g, base, o), g, "")
		if len(errs) > 0 || len(d.Errs) > 0 || g.Owner != want {
			t.Errorf("%s: %v, read as %+v, want %+v", over, Join(d.Errs), g.Owner, want)
		}
	}
}

func TestSchemaAndReferenceSayWhatTheTagsSay(t *testing.T) {
	b, err := json.Marshal(Schema(&garden{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"gate":{"description":"who keeps it","type":"string","enum":["mary","contrary"],"default":"mary"}`,
		`"slope":{"description":"of the ground","type":"number","exclusiveMinimum":0,"default":1}`,
		`"trees":{"description":"how many","type":"integer","minimum":0,"maximum":40,"default":3}`,
		`"oneOf":[{"required":["row"]},{"required":["heap"]}]`,
		`"owner":{"description":"whose it is","anyOf":[{"type":"string"},{"type":"object"`,
		`"required":["name"]`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the schema lacks %s:\n%s", want, b)
		}
	}
	text := string(Describe("Garden", &garden{}))
	for _, want := range []string{
		"| `name` | text | required | what it is called |", "| `gate` | `mary`, `contrary` | `mary` | who keeps it |",
		"| `slope` | number, > 0 | `1` | of the ground |", "| `watered` | time, > 0, ≤ 48h | `1h` | how often |",
		"| `owner` | name or mapping | `nobody` | whose it is |", "## `owner`\n\nA first name, or these keys.\n\n",
		"## `beds[]`\n\nA list; each element has exactly one of these keys, with or without `sunny`.\n\n",
		"## `beds[].heap[]`\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the reference lacks %q:\n%s", want, text)
		}
	}
}

type documented struct {
	A int `yaml:"a" default:"1"`
	B int `yaml:"b" default:"2"`
}

func (documented) Docs() string {
	return `
a: first
b: second,
	and: third
`
}

type lacking struct {
	A int `yaml:"a"`
}

type excessive struct {
	A int `yaml:"a"`
}

func (excessive) Docs() string { return "a: first\nb: second" }

// A key without a text and a text without a key end every program that uses the type.
func TestDocsAndKeysAreTheSame(t *testing.T) {
	want := "| `a` | whole number | `1` | first |\n| `b` | whole number | `2` | second, and: third |\n"
	if got := string(Table(&documented{})); !strings.HasSuffix(got, want) {
		t.Errorf("got %s, want %s", got, want)
	}
	for want, v := range map[string]any{
		"strictyaml.lacking: no doc for a":                             &lacking{},
		"strictyaml.excessive: docs for what is no key: map[b:second]": &excessive{},
	} {
		func() {
			defer func() {
				if got := recover(); got != want {
					t.Errorf("got %v, want %s", got, want)
				}
			}()
			Keys(v)
		}()
	}
}
