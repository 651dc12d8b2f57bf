package scenarios

import (
	"embed"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"gopkg.in/yaml.v3"
)

//go:embed nics/*.yaml
var nicFiles embed.FS

// Profiles lists the names of the built-in NIC profiles.
func Profiles() []string { return yamlNames(nicFiles, "nics") }

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

// nic reads the value of the key nic: a profile's name, the path of a profile, or a mapping whose key profile is either
// and whose other keys override it. A path needs no file where every key is overridden, so that a resolved scenario reads
// anywhere.
func (d *decoder) nic(n *yaml.Node, nic *NIC, key string) {
	t := reflect.TypeFor[NIC]()
	if n.Kind == yaml.ScalarNode {
		d.profile(n, nic, key)
		return
	}
	if n.Kind != yaml.MappingNode {
		f := field{typ: t}
		d.fail(n, key, kindOf(n), f.expected())
		return
	}
	given := map[string]bool{}
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: fieldNamed(t, "profile").def}
	for i := 0; i+1 < len(n.Content); i += 2 {
		given[n.Content[i].Value] = true
		if n.Content[i].Value == "profile" {
			name = n.Content[i+1]
		}
	}
	complete := !slices.ContainsFunc(keysOf(t), func(k string) bool { return !given[k] })
	if !complete || !strings.HasSuffix(name.Value, ".yaml") {
		d.profile(name, nic, under(key, "profile"))
	}
	d.structure(n, reflect.ValueOf(nic).Elem(), key)
	nic.Profile = name.Value
}

// profile fills nic from the profile that n names.
func (d *decoder) profile(n *yaml.Node, nic *NIC, key string) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		d.fail(n, key, kindOf(n), "a profile: one of "+strings.Join(Profiles(), ", ")+", or the path of a .yaml file")
		return
	}
	var data []byte
	var err error
	file := n.Value
	if strings.HasSuffix(file, ".yaml") {
		if !filepath.IsAbs(file) {
			file = filepath.Join(d.dir, file)
		}
		if data, err = ReadFile(file); err != nil {
			d.fail(n, key, kindOf(n), "a profile that can be read: "+err.Error())
			return
		}
	} else {
		if !slices.Contains(Profiles(), n.Value) {
			d.fail(n, key, kindOf(n), "a profile: one of "+strings.Join(Profiles(), ", ")+", or the path of a .yaml file", near(n.Value, Profiles())...)
			return
		}
		file = path.Join("nics", n.Value+".yaml")
		if data, err = nicFiles.ReadFile(file); err != nil {
			panic(err) // listed by Profiles
		}
	}
	root, errs := parseNode(file, data)
	if len(errs) > 0 {
		d.errs = append(d.errs, errs...)
		return
	}
	p := &decoder{file: file, at: map[string]*yaml.Node{}}
	p.structure(root, reflect.ValueOf(nic).Elem(), "")
	for _, f := range fieldsOf(reflect.TypeFor[NIC]()) {
		_, given := p.at[f.name]
		switch {
		case f.name == "profile" && given:
			p.fail(p.at[f.name], f.name, "a profile in a profile", "every key with its own value")
		case f.name != "profile" && !given && root.Kind == yaml.MappingNode:
			p.fail(root, f.name, "nothing", f.expected()+": "+f.doc)
		}
	}
	d.errs = append(d.errs, p.errs...)
	nic.Profile = n.Value
}

// ReadFile reads a file of at most MaxSize bytes, and one that is longer, or endless, up to the byte that shows it. A pipe
// that something writes is read as a file is, so that a shell can give one. What would not end, a pipe into which nobody
// writes or a device, is an error that is ErrInvalid.
func ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // to open a pipe without a writer would wait for one
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	unfit := func(what string) error { return &Error{File: name, Found: what, Expected: "a file"} }
	pipe := info.Mode()&fs.ModeNamedPipe != 0
	if !pipe && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, unfit("a device")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && pipe && len(data) == 0 {
		err = unfit("a pipe into which nobody writes")
	}
	return data, err
}
