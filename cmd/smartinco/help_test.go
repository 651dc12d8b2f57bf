package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every verb explains itself: one line for the list, and an example that begins with the program's name and the verb.
func TestEveryVerbHasExamples(t *testing.T) {
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: Short is %q: want one line without a full stop", c.CommandPath(), c.Short)
		}
		verb := strings.TrimPrefix(strings.TrimPrefix(c.CommandPath(), "smartinco"), " ")
		if !strings.Contains(c.Example, "smartinco "+verb) {
			t.Errorf("%s: no example of it: %q", c.CommandPath(), c.Example)
		}
	}
	walk(newRoot())
}
