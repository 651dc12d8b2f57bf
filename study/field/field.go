// Package field compares all policies of the field on several traffics, and says who wins where, how sure that is, and
// why.
//
// The comparison is a folder of scenarios. Those without a sweep block are traffics; those with one are parts, each of
// which is laid over each traffic. All parts sweep the same keys, so that all runs together are one study, with the
// traffic as one more coordinate: it is run, resumed, sharded and tabulated as any other (package study). What two
// parts have in common is run once. The folder known has experiments whose outcome is published or follows from theory.
//
// The report is made from the study's table alone. Its sentences come from rules, and each of them names the table that
// it was read from.
package field

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/study"
)

// The keys by which runs are told apart.
const (
	trafficKey   = "traffic" // not a key of scenarios: the name of the traffic's
	stackKey     = "stack"
	schedulerKey = "scheduler.policy"
	scalerKey    = "autoscaler.policy"
)

// Comparison is what a folder of scenarios asks for.
type Comparison struct {
	Dir      string
	Traffics []Traffic        // by name
	Parts    []Part           // by file
	Study    *scenarios.Study // all runs
}

// Traffic is a scenario without a sweep.
type Traffic struct {
	Name     string
	About    string // the comment at the head of its file
	Scenario *scenarios.Scenario
	Random   bool // another one under another seed
}

// Part is a sweep that is laid over each traffic.
type Part struct {
	Name  string // of its file
	About string
}

// Some says which runs of a folder are taken. An empty list is all.
type Some struct {
	Traffics []string
	Stacks   []string
}

// Load reads the comparison in a folder. Errors about the content of a file are scenarios.ErrInvalid; any other about
// what the folder has is study.ErrRefused.
func Load(dir string, some Some) (*Comparison, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, refusal{err}
	}
	c := &Comparison{Dir: dir, Study: &scenarios.Study{Name: "study"}}
	var parts []string
	for _, e := range entries {
		if e.IsDir() || filepath.Ext(e.Name()) != ".yaml" {
			continue
		}
		path := filepath.Join(dir, e.Name())
		data, about, err := read(path)
		if err != nil {
			return nil, err
		}
		if sweeps(data) {
			parts = append(parts, e.Name())
			c.Parts = append(c.Parts, Part{Name: strings.TrimSuffix(e.Name(), ".yaml"), About: about})
			continue
		}
		st, err := scenarios.Load(path, nil)
		if err != nil {
			return nil, err
		}
		c.Traffics = append(c.Traffics, Traffic{Name: st.Name, About: about, Scenario: st.Runs[0].Scenario})
	}
	if len(parts) == 0 || len(c.Traffics) == 0 {
		return nil, refusef("%s: %d scenarios without a sweep block and %d with one: want at least one of each", dir,
			len(c.Traffics), len(parts))
	}
	if err := c.takeTraffics(some.Traffics); err != nil {
		return nil, err
	}
	if err := c.join(parts); err != nil {
		return nil, err
	}
	return c, c.takeStacks(some.Stacks)
}

// read gives a file's text and the comment at its head.
func read(path string) (data []byte, about string, err error) {
	if data, err = strictyaml.ReadFile(path); err != nil {
		return nil, "", err
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		text, is := strings.CutPrefix(strings.TrimSpace(line), "#")
		if !is {
			break
		}
		lines = append(lines, strings.TrimSpace(text))
	}
	return data, strings.Join(lines, " "), nil
}

// sweeps says whether a file has a sweep block. A file that is no YAML has none: whoever decodes it says so.
func sweeps(data []byte) bool {
	var keys map[string]yaml.Node
	return yaml.Unmarshal(data, &keys) == nil && keys["sweep"].Kind != 0
}

// fewSeeds is under how many seeds a traffic is run at most in which nothing is random: they are for the policies that
// draw.
const fewSeeds = 5

// random says whether a traffic is another one under another seed.
func random(sc *scenarios.Scenario) (bool, error) {
	other := *sc
	other.Seed++
	a, err1 := sc.Traffic()
	b, err2 := other.Traffic()
	if err := errors.Join(err1, err2); err != nil {
		return false, refusal{err}
	}
	return !reflect.DeepEqual(a.Flows, b.Flows), nil
}

// join lays each part over each traffic.
func (c *Comparison) join(parts []string) error {
	seen := map[string]bool{}
	var keys []string
	for i := range c.Traffics {
		t := &c.Traffics[i]
		var err error
		if t.Random, err = random(t.Scenario); err != nil {
			return err
		}
		base := t.Scenario.Name + ".yaml"
		if _, err := os.Stat(filepath.Join(c.Dir, base)); err != nil {
			return refusef("%s: a traffic has the name %q: want that of its file", c.Dir, t.Name)
		}
		for _, part := range parts {
			path := filepath.Join(c.Dir, part)
			st, err := scenarios.Load(path, []string{"sweep.base=" + base})
			if err != nil {
				return err
			}
			if st.Replicas != nil {
				return refusef("%s: sweep.replicas: want seeds, as many for all", path)
			}
			c.Study.Keep = st.Keep
			for _, r := range st.Runs {
				if !t.Random && r.Replica >= fewSeeds {
					continue
				}
				r.Coordinates = slices.Insert(slices.Clone(r.Coordinates), 0, scenarios.Coordinate{Key: trafficKey,
					Value: t.Name})
				if keys == nil {
					keys = keysOf(&r)
				}
				if got := keysOf(&r); !slices.Equal(got, keys) {
					return refusef("%s sweeps %s, another part %s: want the same in this order", path,
						strings.Join(got[1:], ", "), strings.Join(keys[1:], ", "))
				}
				if !seen[r.Name] {
					seen[r.Name] = true
					c.Study.Runs = append(c.Study.Runs, r)
				}
			}
		}
	}
	if want := []string{trafficKey, stackKey, schedulerKey, scalerKey, "seed"}; !sameSet(keys, want) {
		return refusef("%s: the parts sweep %s: want %s, and seeds", c.Dir, strings.Join(keys[1:], ", "),
			strings.Join(want[1:4], ", "))
	}
	return nil
}

func keysOf(r *scenarios.Run) (keys []string) {
	for _, c := range r.Coordinates {
		keys = append(keys, c.Key)
	}
	return keys
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// takeTraffics leaves out the traffics that were not asked for.
func (c *Comparison) takeTraffics(names []string) error {
	var have []string
	for _, t := range c.Traffics {
		have = append(have, t.Name)
	}
	if err := known(trafficKey, names, have); err != nil {
		return err
	}
	c.Traffics = slices.DeleteFunc(c.Traffics, func(t Traffic) bool {
		return len(names) > 0 && !slices.Contains(names, t.Name)
	})
	return nil
}

// takeStacks leaves out the stacks that were not asked for.
func (c *Comparison) takeStacks(names []string) error {
	var have []string
	for i := range c.Study.Runs {
		if v := value(&c.Study.Runs[i], stackKey); !slices.Contains(have, v) {
			have = append(have, v)
		}
	}
	if err := known(stackKey, names, have); err != nil {
		return err
	}
	c.Study.Runs = slices.DeleteFunc(c.Study.Runs, func(r scenarios.Run) bool {
		return len(names) > 0 && !slices.Contains(names, value(&r, stackKey))
	})
	return nil
}

// known refuses a name that is not there.
func known(what string, names, have []string) error {
	for _, name := range names {
		if !slices.Contains(have, name) {
			return refusef("%s %q: want one of %s", what, name, strings.Join(have, ", "))
		}
	}
	return nil
}

func value(r *scenarios.Run, key string) string {
	for _, c := range r.Coordinates {
		if c.Key == key {
			return c.Value
		}
	}
	return ""
}

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// refusal is study.ErrRefused.
type refusal struct{ error }

func (refusal) Is(target error) bool { return target == study.ErrRefused }
func (r refusal) Unwrap() error      { return r.error }
