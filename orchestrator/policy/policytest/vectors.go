package policytest

import (
	"embed"
	"testing"

	"gopkg.in/yaml.v3"
)

// The vectors are facts from the test suites and the sources of the systems that the policies come from: each group
// names its repository, file and commit. Those marked DERIVED follow from the sources where upstream has no such test.
//
//go:embed vectors/*.yaml
var vectors embed.FS

// Vector is one case: what goes in and what comes out. The group's fields say what they are.
type Vector struct {
	ID  string    `yaml:"id"`
	In  yaml.Node `yaml:"in"`
	Out yaml.Node `yaml:"out"`
}

type group struct {
	Policy, What string
	Cases        []Vector
}

// Vectors are the cases of one group of vectors/upstream.yaml. It fails the test where there are none.
func Vectors(t testing.TB, policy, what string) []Vector {
	t.Helper()
	b, err := vectors.ReadFile("vectors/upstream.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var groups []group
	if err := yaml.Unmarshal(b, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.Policy == policy && g.What == what && len(g.Cases) > 0 {
			return g.Cases
		}
	}
	t.Fatalf("no vectors of %s, %s", policy, what)
	return nil
}

// Observed are the cases of one group of vectors/programs.yaml: what a running program did. It fails the test where
// there are none.
func Observed[T any](t testing.TB, policy, what string) []T {
	t.Helper()
	b, err := vectors.ReadFile("vectors/programs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var groups []struct {
		Policy, What string
		Cases        yaml.Node
	}
	if err := yaml.Unmarshal(b, &groups); err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		if g.Policy == policy && g.What == what {
			if all := Decode[[]T](t, &g.Cases); len(all) > 0 {
				return all
			}
		}
	}
	t.Fatalf("no observations of %s, %s", policy, what)
	return nil
}

// Decode reads a side of a case.
func Decode[T any](t testing.TB, n *yaml.Node) (v T) {
	t.Helper()
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}
