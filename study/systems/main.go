// Command systems holds what is said of systems against runs of the scenarios in scenarios/systems, and writes the
// tables of docs/systems.md:
//
//	go run ./study/systems DIR PAGE
//
// DIR has the studies, each in a folder of its scenario's name, as sweep leaves them. In PAGE, what stands between
// "<!-- systems NAME: ... -->" and "<!-- end -->" becomes the table of the claims on a system.
//
// A claim is a span in which a number lies, or the ratio of two. The number is known with the interval of its mean over
// the seeds. The verdict follows from the two alone; see verdict.
package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/smartinco/smartinco/results"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run ./study/systems DIR PAGE")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "systems:", err)
		os.Exit(1)
	}
}

// write brings a page up to date.
func write(dir, page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	done, err := filled(string(text), func(system string) (string, error) { return table(dir, system) })
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return results.WriteFile(page, func(w io.Writer) error {
		_, err := io.WriteString(w, done)
		return err
	})
}

// filled is a text with its tables replaced.
func filled(text string, table func(system string) (string, error)) (string, error) {
	const begin, end = "<!-- systems ", "<!-- end -->"
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, begin)
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		head, rest, _ := strings.Cut(rest, "\n")
		_, text, found = strings.Cut(rest, end)
		if !found {
			return "", fmt.Errorf("%s%s: no %s after it", begin, head, end)
		}
		system, _, _ := strings.Cut(head, ":")
		rows, err := table(system)
		if err != nil {
			return "", err
		}
		b.WriteString(begin + head + "\n" + rows + end)
	}
}
