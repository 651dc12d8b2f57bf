// Package mistakes reads the texts, for tests of a decoder, that are wrong in the ways that they say.
//
// A case is its name after ==, a file, overrides after --set, and messages after =>:
//
//	== unknown key
//	seed: 1
//	polcy: best-fit
//	--set seed=2
//	=> t.yaml:2:1: polcy: found an unknown key, expected one of policy, seed; did you mean policy?
package mistakes

import (
	"os"
	"strings"
	"testing"
)

// Mistake is one case: a text, with overrides, that is wrong in the ways that the messages say, and in no other.
type Mistake struct {
	What string
	Text string
	Sets []string
	Want string // the messages, one a line
}

// Read gives the cases of a file.
func Read(t testing.TB, file string) (all []Mistake) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split("\n"+string(b), "\n== ")[1:] {
		lines := strings.Split(strings.TrimRight(block, "\n"), "\n")
		m := Mistake{What: lines[0]}
		var text, want []string
		for _, line := range lines[1:] {
			if set, ok := strings.CutPrefix(line, "--set "); ok {
				m.Sets = append(m.Sets, set)
			} else if message, ok := strings.CutPrefix(line, "=> "); ok {
				want = append(want, message)
			} else {
				text = append(text, line)
			}
		}
		m.Text, m.Want = strings.Join(text, "\n"), strings.Join(want, "\n")
		all = append(all, m)
	}
	if len(all) == 0 {
		t.Fatalf("%s: no mistakes", file)
	}
	return all
}
