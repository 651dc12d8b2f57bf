// Package scenarios reads, checks and explains experiments.
//
// A scenario is a YAML file with the keys of type Scenario. It is read strictly (package strictyaml): every unknown
// key, wrong unit and impossible value is reported, all at once, with its line and with what would be right. A file
// with a sweep block is a study: one scenario for each combination of its matrix and each seed. Paths in a file are
// relative to the file.
//
//	study, err := scenarios.Load("fig9-best-fit", []string{"scheduler.limit=12Mpps"})
//	for _, run := range study.Runs { ... run.Scenario ... }
//
// The decoder, Schema and Reference are all made from the tags and the Docs of the types.
package scenarios

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

//go:embed *.yaml lab/*.yaml
var files embed.FS

// Names lists the embedded scenarios, those of the lab last.
func Names() []string {
	names := yamlNames(files, ".")
	for _, name := range yamlNames(files, "lab") {
		names = append(names, "lab/"+name)
	}
	return names
}

// Text is the source of an embedded scenario, comments included.
func Text(name string) ([]byte, error) {
	data, err := files.ReadFile(strings.TrimSuffix(name, ".yaml") + ".yaml")
	if err != nil {
		return nil, &Error{File: name, Found: "no embedded scenario of this name", Err: err,
			Expected: "one of " + strings.Join(Names(), ", "), Near: strictyaml.Near(name, Names())}
	}
	return data, nil
}

// ErrInvalid is what every error about the content of a scenario, a profile or an override is, in the sense of
// errors.Is.
var ErrInvalid = strictyaml.ErrInvalid

// Error is one thing that is wrong in a scenario, with its place.
type Error = strictyaml.Error

// Study is what a file asks for: one run, or a sweep of them.
type Study struct {
	Name string // of the file's scenario, without coordinates
	// Runs are in order: the matrix' last key varies faster than its first, the lists of zip faster than it, and seeds
	// fastest. With Replicas they are the most that may be needed.
	Runs     []Run
	Replicas *Replicas // nil where the number of seeds is fixed
	Keep     string    // of the records: KeepAll, KeepFailed or KeepNone
}

// Run is one scenario of a study.
type Run struct {
	Name        string       // unique in the study and fit for a directory
	Coordinates []Coordinate // in the order of the matrix and of zip, the seed last; empty without a sweep
	Replica     int          // from 0: how many runs before it in the study differ from it in the seed alone
	Scenario    *Scenario    // its Name is the run's
}

// Coordinate is one value of a swept key.
type Coordinate struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// MaxRuns bounds the runs of one study, and maxValues the values in all of them, so that no small file asks for hours.
const (
	MaxRuns   = 100_000
	maxValues = 50_000_000
)

// Load reads the scenario file at path. Where there is no such file, path may be the name of an embedded scenario. Each
// of sets is a path=value that overrides a key, or @FILE, a mapping of them. Errors about content are ErrInvalid,
// joined, in order of position.
func Load(path string, sets []string) (*Study, error) {
	data, dir, err := open(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, dir, sets)
}

// open finds the text of a scenario and the directory that paths in it are relative to.
func open(path string) (data []byte, dir string, err error) {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		data, err = strictyaml.ReadFile(path)
		return data, filepath.Dir(path), err
	}
	if data, err := Text(path); err == nil {
		return data, ".", nil
	}
	if err == nil {
		return nil, "", &Error{File: path, Found: "a directory", Expected: "a scenario file"}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, "", err
	}
	name := strings.TrimSuffix(filepath.Base(path), ".yaml")
	return nil, "", &Error{File: path, Found: "no such file", Err: err,
		Expected: "a scenario file or one of " + strings.Join(Names(), ", "), Near: strictyaml.Near(name, Names())}
}

// Parse reads a scenario from memory. Errors call it name; paths in it are relative to dir.
func Parse(name string, data []byte, dir string, sets []string) (*Study, error) {
	origin := strictyaml.Origins{}
	root, errs := strictyaml.Parse(name, data)
	os, setErrs := parseSets(sets, origin)
	if errs = append(errs, setErrs...); len(errs) > 0 {
		return nil, strictyaml.Join(errs)
	}
	d := strictyaml.NewDecoder(name, dir, origin)
	// The sweep block's own overrides come first, since it may name a base, and then those of what is swept.
	slices.SortStableFunc(os, func(a, b override) int { return cmp.Compare(rank(a.path), rank(b.path)) })
	var sweep *Sweep
	var later []override // below a swept key, and laid over each of its values
	for i := 0; i <= len(os); i++ {
		if sweep == nil && (i == len(os) || rank(os[i].path) > 0) {
			sweep = &Sweep{}
			strictyaml.Defaults(sweep)
			root = overBase(d, root, sweep)
			if len(d.Errs) > 0 {
				return nil, strictyaml.Join(d.Errs)
			}
		}
		if i == len(os) {
			break
		}
		o := os[i]
		sweep.fix(o.path, o.value)
		if slices.ContainsFunc(sweep.keys(), func(key string) bool { return strings.HasPrefix(o.path, key+".") }) {
			later = append(later, o)
			continue
		}
		n, err := origin.With(&Scenario{}, root, o.path, o.value)
		if err != nil {
			d.Errs = append(d.Errs, o.pathError(err))
			continue
		}
		root = n
	}
	if len(d.Errs) > 0 {
		return nil, strictyaml.Join(d.Errs)
	}
	study, err := expand(d, root, sweep, later)
	if err == nil {
		err = strictyaml.Join(idle(os, study))
	}
	if err != nil {
		return nil, err
	}
	return study, nil
}

func rank(path string) int {
	if path == "sweep" || strings.HasPrefix(path, "sweep.") {
		return 0
	}
	return 1
}

// overBase takes the sweep block out of the tree and lays the tree over the sweep's base.
func overBase(d *strictyaml.Decoder, root *yaml.Node, sweep *Sweep) *yaml.Node {
	at := strictyaml.KeyIndex(root, "sweep")
	if at < 0 {
		return root
	}
	d.At["sweep"] = root.Content[at+1]
	d.Struct(root.Content[at+1], sweep, "sweep")
	sweep.check(d)
	rest := *root
	rest.Content = slices.Delete(slices.Clone(root.Content), at, at+2)
	if sweep.Base == "" {
		return &rest
	}
	key := d.At["sweep.base"]
	path := sweep.Base
	if local := filepath.Join(d.Dir, path); !filepath.IsAbs(path) {
		if _, err := os.Stat(local); err == nil {
			path = local
		}
	}
	data, dir, err := open(path)
	if err != nil {
		d.Fail(key, "sweep.base", strconv.Quote(sweep.Base), "a scenario that can be read: "+err.Error())
		return root
	}
	base, errs := strictyaml.Parse(path, data)
	if len(errs) > 0 {
		d.Errs = append(d.Errs, errs...)
		return root
	}
	if strictyaml.KeyIndex(base, "sweep") >= 0 {
		d.Fail(key, "sweep.base", strconv.Quote(sweep.Base)+", which is a sweep itself", "a scenario without a sweep")
		return root
	}
	d.Dir = dir
	d.Origin.Mark(base, path)
	return d.Origin.Merge(&Scenario{}, base, &rest)
}

// expand decodes every run of the study.
func expand(d *strictyaml.Decoder, root *yaml.Node, sweep *Sweep, later []override) (*Study, error) {
	dims := sweep.dimensions()
	seeds := sweep.mostSeeds()
	n := seeds
	for _, dim := range dims {
		if n *= len(dim[0].values); n > MaxRuns {
			break
		}
	}
	if n > MaxRuns {
		d.Fail(d.At["sweep"], "sweep", "more than "+strconv.Itoa(MaxRuns)+" runs", "a smaller study, or several files")
		return nil, strictyaml.Join(d.Errs)
	}
	if n > 1 && n*values(root) > maxValues {
		d.Fail(d.At["sweep"], "sweep", fmt.Sprintf("%d runs of %d values", n, values(root)),
			fmt.Sprintf("at most %d values in all", maxValues))
		return nil, strictyaml.Join(d.Errs)
	}
	study := &Study{Replicas: sweep.Replicas, Keep: sweep.Keep}
	names := map[string]bool{}
	for i := range n {
		run, s, tree := Run{Replica: i % seeds}, &Scenario{dir: d.Dir}, root
		r := strictyaml.NewDecoder(d.File, d.Dir, d.Origin)
		left := n
		for _, dim := range dims {
			left /= len(dim[0].values)
			for _, a := range dim {
				v := a.values[i/left%len(a.values)]
				t, err := d.Origin.With(s, tree, a.key, v)
				if err != nil {
					r.Fail(a.node, a.key, err.Error(), "the path of a key")
					continue
				}
				tree = t
				run.Coordinates = append(run.Coordinates, Coordinate{a.key, flat(v)})
			}
		}
		for _, o := range later {
			if t, err := d.Origin.With(s, tree, o.path, o.value); err == nil {
				tree = t
			} else {
				r.Errs = append(r.Errs, o.pathError(err))
			}
		}
		s.read(r, tree)
		study.Name = s.Name
		if !sweep.Where.Holds(s) {
			continue // whatever else is wrong with it
		}
		if seeds > 1 {
			if s.Seed += uint64(i % seeds); sweep.Pair == PairNone {
				s.Seed += uint64(i - i%seeds)
			}
			run.Coordinates = append(run.Coordinates, Coordinate{"seed", strconv.FormatUint(s.Seed, 10)})
		}
		if run.Name = runName(s.Name, run.Coordinates); len(run.Coordinates) > 0 {
			s.Name = run.Name
		}
		if names[run.Name] {
			r.Fail(d.At["sweep"], "sweep", "two runs of the name "+run.Name, "different values for each key")
		}
		names[run.Name] = true
		run.Scenario = s
		study.Runs = append(study.Runs, run)
		// The same mistake comes back in every run: a few runs show it.
		if d.Errs = append(d.Errs, r.Errs...); len(d.Errs) > 1000 {
			break
		}
	}
	if len(study.Runs) == 0 && len(d.Errs) == 0 {
		d.Fail(d.At["sweep.where"], "sweep.where", "conditions that no run meets", "at least one run")
	}
	if len(d.Errs) > 0 {
		return nil, strictyaml.Join(d.Errs)
	}
	return study, nil
}

// values counts the nodes of a tree.
func values(n *yaml.Node) int {
	count := 1
	for _, c := range n.Content {
		count += values(c)
	}
	return count
}

// read decodes and checks one scenario.
func (s *Scenario) read(d *strictyaml.Decoder, n *yaml.Node) {
	strictyaml.Defaults(s)
	n = overStack(d, n)
	d.Struct(n, s, "")
	s.Telemetry.stacked, s.NIC.requests = s.Stack != "", s.Engine == "request"
	s.NIC.bursts = s.Scheduler.ByBurst()
	if n.Kind == yaml.MappingNode {
		s.check(d)
	}
}

// runName joins a scenario's name and its coordinates to something that every file system takes. A key is named by its
// last part where that is enough.
func runName(name string, cs []Coordinate) string {
	last := func(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }
	count := map[string]int{}
	for _, c := range cs {
		count[last(c.Key)]++
	}
	for _, c := range cs {
		key := c.Key
		if count[last(key)] == 1 {
			key = last(key)
		}
		name += fmt.Sprintf("-%s=%s", key, c.Value)
	}
	name = strings.Map(func(r rune) rune {
		letter, digit := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z', r >= '0' && r <= '9'
		if letter || digit || strings.ContainsRune("._=+-", r) {
			return r
		}
		return '_'
	}, name)
	if name == "" || name[0] == '.' || name[0] == '-' {
		name = "_" + name
	}
	return name[:min(200, len(name))]
}

// flat is a value on one line without spaces: a scalar as it stands, {a: 1, b: 2} as a:1,b:2.
func flat(n *yaml.Node) string {
	var parts []string
	switch n.Kind {
	case yaml.SequenceNode:
		for _, c := range n.Content {
			parts = append(parts, flat(c))
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			parts = append(parts, flat(n.Content[i])+":"+flat(n.Content[i+1]))
		}
	default:
		return n.Value
	}
	return strings.Join(parts, ",")
}
