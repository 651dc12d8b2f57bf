package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestVisible(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"25 Mpps, µs, Kraków\tand\n", "25 Mpps, µs, Kraków\tand\n"},
		{"\x1b[2J\x1b]0;owned\a", `\x1b[2J\x1b]0;owned\a`},
		{"a\rb\x00\x7f", `a\rb\x00\x7f`},
		{"\u009b31m", `\u009b31m`},
		{"evil\u202etxt.exe", `evil\u202etxt.exe`},
		{"\xff\xfe", `\xff\xfe`},
	} {
		for split := range len(c.in) {
			var b bytes.Buffer
			v := &visible{w: &b}
			for _, part := range []string{c.in[:split], c.in[split:]} {
				if n, err := v.Write([]byte(part)); n != len(part) || err != nil {
					t.Fatalf("%q: %d, %v", part, n, err)
				}
			}
			if b.String() != c.want {
				t.Errorf("%q, in two at %d, comes out as %q, want %q", c.in, split, b.String(), c.want)
			}
		}
	}
}

// Whoever writes at the same time, lines stay whole.
func TestVisibleFromSeveralGoroutines(t *testing.T) {
	const line = "µs of Kraków\n"
	var b bytes.Buffer
	v := &visible{w: &b}
	var g sync.WaitGroup
	for range 4 {
		g.Go(func() {
			for range 100 {
				fmt.Fprint(v, line)
			}
		})
	}
	g.Wait()
	if b.String() != strings.Repeat(line, 400) {
		t.Errorf("400 lines %q come out as %.200q", line, b.String())
	}
}

// What is said of a mistake is short, however long the mistake, and moves no cursor.
func TestErrorsAreFitForATerminal(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("9", 1<<20)
	write(t, filepath.Join(dir, "value.yaml"),
		"duration: 1s\nvnf: {buffer: "+long+"}\nworkload: [{cbr: {flows: 1, rate: 1Mpps}}]\n")
	write(t, filepath.Join(dir, "text.yaml"), "duration: "+long+"s\nworkload: [{cbr: {flows: 1, rate: 1Mpps}}]\n")
	write(t, filepath.Join(dir, "keys.yaml"), strings.Repeat("a: 1\n", 100_000))
	write(t, filepath.Join(dir, "escape.yaml"), "\"\\e[2J\": 1\nduration: \"\\e]0;x\\a\"\n")
	write(t, filepath.Join(dir, "raw.yaml"), "name: \x1b[2J\n")
	for _, args := range [][]string{
		{"validate", "value.yaml"}, {"validate", "text.yaml"}, {"validate", "keys.yaml"}, {"validate", "escape.yaml"},
		{"validate", "raw.yaml"},
		{"validate", "fig9", "--set", "duration=" + long}, {"validate", "fig9", "--set", long},
		{"validate", "fig9", "--set", "name=\x1b[2J\u0007="},
		{"validate", "\x1b[2J"}, {"run", strings.Repeat("x", 100)}, {"\x1b[2J"},
		{"hw", "doctor", "--testbed", "value.yaml"},
		{"validate", "value.yaml", "--format", "json"},
		{"validate", "fig9", "--set", "duration=" + long, "--format", "json"},
	} {
		for i, a := range args {
			if strings.HasSuffix(a, ".yaml") {
				args[i] = filepath.Join(dir, a)
			}
		}
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), args, strings.NewReader(""), &stdout, &stderr)
		said := stdout.String() + stderr.String()
		if code != 2 || len(said) > 250_000 || strings.ContainsAny(said, "\x1b\x07\r") {
			t.Errorf("%.80q: exit code %d, %d bytes: %.300q", args, code, len(said), said)
		}
		for line := range strings.Lines(said) {
			if len(line) > 2*mostOfLine {
				t.Errorf("%.80q: a line of %d bytes: %.300q", args, len(line), line)
			}
		}
	}
}

func TestBrief(t *testing.T) {
	many := brief(errors.New(strings.Repeat("x\n", 1000) + "x"))
	if !strings.HasSuffix(many, "\n... and 901 lines more") || strings.Count(many, "\n") != mostLines {
		t.Errorf("1001 lines become %q", many)
	}
	if got := brief(errors.New("one\ntwo")); got != "one\ntwo" {
		t.Errorf("a short text becomes %q", got)
	}
	if terminal(&visible{w: &bytes.Buffer{}}) != nil || terminal(os.NewFile(^uintptr(0), "none")) != nil {
		t.Error("what is no terminal is taken for one")
	}
}
