package strictyaml

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrInvalid is what every error about the content of a file or of an override is, in the sense of errors.Is.
var ErrInvalid = errors.New("invalid file")

// overridePrefix begins the File of an error about an override of the command line.
const overridePrefix = "--set "

// Error is one thing that is wrong in a file, with its place.
type Error struct {
	File         string   // the file's name, or the text of the override: --set scheduler.limit=10
	Line, Column int      // from 1; 0 where the error has no place in a file
	Key          string   // dotted path such as workload.0.cbr.flows; empty for the file as a whole
	Found        string   // what stands there
	Expected     string   // what may stand there
	Near         []string // names that resemble an unknown one, closest first
	Err          error    // the cause, where there is one
}

// Error is one line: place, key, what was found, what was expected, near misses. Whatever the file holds, the line does
// no harm to a terminal.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(shown(e.File))
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if e.Key != "" {
		b.WriteString(": " + shown(e.Key))
	}
	b.WriteString(": found " + shown(e.Found))
	if e.Expected != "" {
		b.WriteString(", expected " + shown(e.Expected))
	}
	if len(e.Near) > 0 {
		b.WriteString("; did you mean " + strings.Join(e.Near, " or ") + "?")
	}
	return b.String()
}

// mostShown bounds, in bytes, each part of an error. A list of all keys that may stand at a place is shorter.
const mostShown = 1500

// shown is a text from a file as an error shows it: on one line, of a bounded length, with escapes for what cannot be
// printed.
func shown(s string) string {
	if more := len(s) - mostShown; more > 0 {
		s = fmt.Sprintf("%s ... and %d bytes more", strings.ToValidUTF8(s[:mostShown], ""), more)
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }) {
		return s
	}
	q := strconv.Quote(s)
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(q[1 : len(q)-1])
}

// Is reports that every Error is ErrInvalid.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Join sorts errors by position, files before overrides, drops repetitions and joins the rest; nil for none.
func Join(errs []*Error) error {
	override := func(e *Error) int {
		if strings.HasPrefix(e.File, overridePrefix) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(override(a), override(b)), cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	seen := map[string]bool{}
	var all []error
	for _, e := range errs {
		if text := e.Error(); !seen[text] {
			seen[text] = true
			all = append(all, e)
		}
	}
	return errors.Join(all...)
}

// Near lists the names that resemble s, closest first, at most three.
func Near(s string, names []string) []string {
	type match struct {
		name     string
		distance int
	}
	var ms []match
	for _, n := range names {
		if len(s) > 64 {
			break
		}
		if d := distance(strings.ToLower(s), strings.ToLower(n)); d <= max(1, min(len(s), len(n))/3) {
			ms = append(ms, match{n, d})
		}
	}
	slices.SortStableFunc(ms, func(a, b match) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, m := range ms[:min(3, len(ms))] {
		out = append(out, m.name)
	}
	return out
}

// distance is the number of insertions, deletions, replacements and swaps of neighbours that make b of a (optimal
// string alignment distance).
func distance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
