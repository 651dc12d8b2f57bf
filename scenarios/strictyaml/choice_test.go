package strictyaml

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/scenarios/internal/mistakes"
	"github.com/smartinco/smartinco/units"
)

// steering has a policy whose options are its own.
type steering struct {
	Policy Choice `yaml:"policy" doc:"who decides" default:"in-turn"`
	Limit  int    `yaml:"limit" doc:"of all of them" default:"7"`
}

type ringOptions struct {
	Table int        `yaml:"table" doc:"entries" default:"65537" min:"2"`
	Pause units.Time `yaml:"pause" doc:"between two turns" default:"1s" above:"0"`
}

type drawOptions struct {
	Of int `yaml:"of" doc:"how many are drawn" default:"2" min:"1"`
}

func (steering) Choices(key string) []Choice {
	if key == "policy" {
		return []Choice{{"in-turn", nil}, {"ring", ringOptions{}}, {"draw", drawOptions{}}}
	}
	return nil
}

// ship is a file in which the key stands below another.
type ship struct {
	Helm steering `yaml:"helm" doc:"how it is steered"`
}

// steered reads a file with overrides, each a path and a value.
func steered(text string, sets ...string) (*ship, error) {
	root, errs := Parse("s.yaml", []byte(text))
	if len(errs) > 0 {
		return nil, Join(errs)
	}
	origin := Origins{}
	for _, set := range sets {
		path, value, _ := strings.Cut(set, "=")
		v, errs := Parse("--set "+set, []byte(value))
		if len(errs) > 0 {
			return nil, Join(errs)
		}
		origin.Mark(v, "--set "+set)
		var err error
		if root, err = origin.With(&ship{}, root, path, v); err != nil {
			return nil, err
		}
	}
	s, d := &ship{}, NewDecoder("s.yaml", "", origin)
	Defaults(s)
	d.Struct(root, s, "")
	return s, Join(d.Errs)
}

func TestAChoiceIsANameOrAMapping(t *testing.T) {
	for _, c := range []struct {
		text string
		sets []string
		want Choice
	}{
		{text: "{}", want: Choice{"in-turn", nil}},
		{text: "helm: {policy: in-turn}", want: Choice{"in-turn", nil}},
		{text: "helm: {policy: {in-turn: {}}}", want: Choice{"in-turn", nil}},
		{text: "helm: {policy: ring}", want: Choice{"ring", ringOptions{65537, units.Second}}},
		{text: "helm: {policy: {ring: {}}}", want: Choice{"ring", ringOptions{65537, units.Second}}},
		{text: "helm: {policy: {ring: {table: 4093}}}", want: Choice{"ring", ringOptions{4093, units.Second}}},
		// An override of an option keeps the others, chooses where nothing is chosen, and comes after its policy.
		{
			text: "helm: {policy: ring}", sets: []string{"helm.policy.ring.table=5"},
			want: Choice{"ring", ringOptions{5, units.Second}},
		},
		{
			text: "helm: {policy: {ring: {pause: 2s}}}", sets: []string{"helm.policy.ring.table=5"},
			want: Choice{"ring", ringOptions{5, 2 * units.Second}},
		},
		{text: "{}", sets: []string{"helm.policy.draw.of=3"}, want: Choice{"draw", drawOptions{3}}},
		{
			text: "helm: {policy: ring}", sets: []string{"helm.policy=draw", "helm.policy.draw.of=3"},
			want: Choice{"draw", drawOptions{3}},
		},
		{
			text: "helm: {policy: {ring: {table: 5}}}", sets: []string{"helm.policy=ring"},
			want: Choice{"ring", ringOptions{65537, units.Second}},
		},
	} {
		got, err := steered(c.text, c.sets...)
		if err != nil || got.Helm.Policy != c.want || got.Helm.Limit != 7 {
			t.Errorf("%s %v: got %+v, %v, want %+v", c.text, c.sets, got, err, c.want)
		}
	}
}

func TestMistakesInAChoice(t *testing.T) {
	for _, m := range mistakes.Read(t, "testdata/choice.txt") {
		if _, err := steered(m.Text, m.Sets...); err == nil || err.Error() != m.Want {
			t.Errorf("%s:\n got %v\nwant %s", m.What, err, m.Want)
		}
	}
}

// A file laid over another that chooses something else takes none of its options.
func TestMergeOfChoices(t *testing.T) {
	for over, want := range map[string]Choice{
		"helm: {limit: 7}":                    {"ring", ringOptions{5, units.Second}},
		"helm: {policy: {ring: {pause: 3s}}}": {"ring", ringOptions{5, 3 * units.Second}},
		"helm: {policy: {draw: {of: 4}}}":     {"draw", drawOptions{4}},
		"helm: {policy: draw}":                {"draw", drawOptions{2}},
	} {
		base, _ := Parse("base", []byte("helm: {policy: {ring: {table: 5}}}"))
		o, errs := Parse("over", []byte(over))
		if len(errs) > 0 {
			t.Fatal(Join(errs))
		}
		s, d := &ship{}, NewDecoder("", "", nil)
		Defaults(s)
		if d.Struct(Origins{}.Merge(s, base, o), s, ""); len(d.Errs) > 0 || s.Helm.Policy != want {
			t.Errorf("%s: got %+v, %v, want %+v", over, s.Helm.Policy, Join(d.Errs), want)
		}
	}
}

// Only the chosen policy's options are written, so that a new policy changes no file of another.
func TestAChoiceIsWrittenWithItsOptions(t *testing.T) {
	for text, want := range map[string]string{
		"{}":                              `{"helm":{"policy":"in-turn","limit":7}}`,
		"helm: {policy: ring}":            `{"helm":{"policy":{"ring":{"table":65537,"pause":"1s"}},"limit":7}}`,
		"helm: {policy: {draw: {of: 5}}}": `{"helm":{"policy":{"draw":{"of":5}},"limit":7}}`,
		"helm: {policy: {in-turn: {}}, limit: 3}": `{"helm":{"policy":"in-turn","limit":3}}`,
	} {
		s, err := steered(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(JSON(s)); got != want {
			t.Errorf("%s: written as %s, want %s", text, got, want)
		}
		if back, err := steered(string(YAML(s))); err != nil || !reflect.DeepEqual(back, s) {
			t.Errorf("%s reads back as %+v, %v", YAML(s), back, err)
		}
	}
}

func TestCheckOfAChoice(t *testing.T) {
	const another = " with options of type strictyaml.drawOptions: want those of its table"
	table := steering{}.Choices("policy")
	for _, c := range []struct {
		policy Choice
		want   string
	}{
		{Choose(table, "in-turn"), ""},
		{Choose(table, "ring"), ""},
		{Choose(table, "rnig"), `helm.policy: "rnig": want one of in-turn, ring, draw`},
		{Choice{"ring", ringOptions{1, 1}}, `helm.policy.ring.table: "1": want a whole number not below 2`},
		{Choice{"ring", nil}, `helm.policy: "ring" with options of type <nil>: want those of its table`},
		{Choice{"ring", drawOptions{2}}, `helm.policy: "ring"` + another},
		{Choice{"in-turn", drawOptions{2}}, `helm.policy: "in-turn"` + another},
	} {
		got := ""
		if err := Check(&ship{Helm: steering{c.policy, 7}}); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%+v: got %s, want %s", c.policy, got, c.want)
		}
	}
}

func TestSchemaAndReferenceOfAChoice(t *testing.T) {
	b, err := json.Marshal(Schema(&steering{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"policy":{"description":"who decides","anyOf":[{"type":"string","enum":["in-turn","ring","draw"]},` +
			`{"type":"object","properties":{"ring":{"type":"object","properties":{"table":{`,
		`"draw":{"type":"object","properties":{"of":{"description":"how many are drawn","type":"integer",` +
			`"minimum":1,"default":2}},"additionalProperties":false}},` +
			`"additionalProperties":false,"minProperties":1,"maxProperties":1}],"default":"in-turn"}`,
	} {
		if !strings.Contains(string(b), want) {
			t.Errorf("the schema lacks %s:\n%s", want, b)
		}
	}
	text := string(Describe("Ship", &ship{}))
	for _, want := range []string{
		"| `policy` | `in-turn`, `ring`, `draw` | `in-turn` | who decides |",
		"## `helm.policy.ring`\n\n" +
			"The options of `policy: ring`, which is then written `policy: {ring: {KEY: VALUE}}`.\n" +
			"`--set` and a sweep reach them by this path, where `policy` is `ring` or not given.\n\n| key |",
		"| `of` | whole number, ≥ 1 | `2` | how many are drawn |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the reference lacks %q:\n%s", want, text)
		}
	}
}

// plain is a table in which nothing has options: it is an enum.
type plain struct {
	Policy Choice `yaml:"policy" doc:"who decides" default:"b"`
}

func (plain) Choices(string) []Choice { return []Choice{{"a", nil}, {"b", nil}} }

func TestATableWithoutOptionsIsAnEnum(t *testing.T) {
	b, err := json.Marshal(Schema(&plain{}))
	want := `{"policy":{"description":"who decides","type":"string","enum":["a","b"],"default":"b"}}`
	if err != nil || !strings.Contains(string(b), want) {
		t.Errorf("schema %s, want %s", b, want)
	}
	err = Decode("p.yaml", []byte("policy: c"), &plain{}, nil)
	want = `p.yaml:1:9: policy: found "c", expected one of a, b; did you mean a or b?`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
