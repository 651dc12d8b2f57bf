package scenarios

import (
	"embed"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

//go:embed nics/*.yaml
var nicFiles embed.FS

// Profiles lists the names of the built-in NIC profiles.
func Profiles() []string { return yamlNames(nicFiles, "nics") }

// builtinNICs are the built-in NIC profiles by their names.
var builtinNICs = sync.OnceValue(func() map[string]NIC {
	nics := map[string]NIC{}
	for _, name := range Profiles() {
		var nic NIC
		d := strictyaml.NewDecoder("", "", nil)
		nic.readProfile(d, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, "nic")
		if len(d.Errs) > 0 {
			panic(d.Errs) // embedded: right or the program does not build
		}
		nics[name] = nic
	}
	return nics
})

func yamlNames(files embed.FS, dir string) []string {
	entries, err := files.ReadDir(dir)
	if err != nil {
		panic(err) // embedded: present or the program does not build
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// ReadYAML reads the value of the key nic: the name or the path of a profile, or a mapping. The mapping's key profile
// is such a name or path, and its other keys override the profile. Where all of them are given, a path needs no file,
// so that a resolved scenario can be read anywhere.
func (nic *NIC) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	strictyaml.Defaults(nic)
	if n.Kind == yaml.ScalarNode {
		nic.readProfile(d, n, key)
		return
	}
	if n.Kind != yaml.MappingNode {
		d.Fail(n, key, strictyaml.KindOf(n), nic.Expected())
		return
	}
	given := map[string]bool{}
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: strictyaml.Default(nic, "profile")}
	for i := 0; i+1 < len(n.Content); i += 2 {
		given[n.Content[i].Value] = true
		if n.Content[i].Value == "profile" {
			name = n.Content[i+1]
		}
	}
	complete := !slices.ContainsFunc(strictyaml.Keys(nic), func(k string) bool {
		return !given[k] && strictyaml.Default(nic, k) == ""
	})
	if !complete || !strings.HasSuffix(name.Value, ".yaml") {
		nic.readProfile(d, name, key+".profile")
	}
	d.Struct(n, nic, key)
	nic.Profile = name.Value
}

// Mapping is that of a profile's name, so that its keys can be overridden.
func (nic *NIC) Mapping(name *yaml.Node) *yaml.Node {
	key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "profile", Line: name.Line, Column: name.Column}
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{key, name}}
}

// Expected says what the value of the key nic may be.
func (nic *NIC) Expected() string {
	return "a profile's name or a mapping with the keys " + strings.Join(strictyaml.Keys(nic), ", ")
}

// Schema is its JSON Schema.
func (nic *NIC) Schema() strictyaml.Object {
	return strictyaml.Object{{Key: "anyOf", Value: []strictyaml.Object{
		{{Key: "enum", Value: Profiles()}},
		{{Key: "type", Value: "string"}, {Key: "pattern", Value: `\.yaml$`}},
		strictyaml.Schema(nic),
	}}}
}

// Reference is what the reference says of it.
func (nic *NIC) Reference() (value, intro string) {
	const text = "A profile's name (`%s`),\n" +
		"the path of a `.yaml` file that gives every key, or a mapping with these keys.\n" +
		"Keys without a default have the profile's value."
	return "profile or mapping", fmt.Sprintf(text, strings.Join(Profiles(), "`, `"))
}

// readProfile fills nic from the profile that n names.
func (nic *NIC) readProfile(d *strictyaml.Decoder, n *yaml.Node, key string) {
	expected := "a profile: one of " + strings.Join(Profiles(), ", ") + ", or the path of a .yaml file"
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		d.Fail(n, key, strictyaml.KindOf(n), expected)
		return
	}
	var data []byte
	var err error
	file := n.Value
	if strings.HasSuffix(file, ".yaml") {
		if !filepath.IsAbs(file) {
			file = filepath.Join(d.Dir, file)
		}
		if data, err = strictyaml.ReadFile(file); err != nil {
			d.Fail(n, key, strictyaml.KindOf(n), "a profile that can be read: "+err.Error())
			return
		}
	} else {
		if !slices.Contains(Profiles(), n.Value) {
			d.Fail(n, key, strictyaml.KindOf(n), expected, strictyaml.Near(n.Value, Profiles())...)
			return
		}
		file = path.Join("nics", n.Value+".yaml")
		if data, err = nicFiles.ReadFile(file); err != nil {
			panic(err) // listed by Profiles
		}
	}
	root, errs := strictyaml.Parse(file, data)
	if len(errs) > 0 {
		d.Errs = append(d.Errs, errs...)
		return
	}
	p := strictyaml.NewDecoder(file, "", nil)
	p.Struct(root, nic, "")
	if n, given := p.At["profile"]; given {
		p.Fail(n, "profile", "a profile in a profile", "every key with its own value")
	}
	p.Complete(root, nic, "profile")
	d.Errs = append(d.Errs, p.Errs...)
	nic.Profile = n.Value
}
