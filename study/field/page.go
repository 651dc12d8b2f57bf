package field

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/smartinco/smartinco/results/stats"
)

// page is a report in Markdown as it grows.
type page struct{ b bytes.Buffer }

func (p *page) heading(level int, text string) {
	fmt.Fprintf(&p.b, "%s %s\n\n", strings.Repeat("#", level), text)
}

// text adds a paragraph, in lines of at most 120 columns.
func (p *page) text(sentences ...string) {
	if s := strings.Join(sentences, " "); s != "" {
		p.b.WriteString(stats.Wrap(s, "", 120) + "\n\n")
	}
}

// list adds a list of items.
func (p *page) list(items []string) {
	for _, item := range items {
		p.b.WriteString(stats.Wrap("- "+item, "  ", 120) + "\n")
	}
	if len(items) > 0 {
		p.b.WriteString("\n")
	}
}

// table adds a table under a heading of its name, by which sentences refer to it. Columns behind the first so many
// texts are numbers.
func (p *page) table(name, caption string, texts int, head []string, rows [][]string) {
	p.heading(4, "Table "+name)
	p.text(caption)
	p.rows(texts, head, rows)
}

func (p *page) rows(texts int, head []string, rows [][]string) {
	fmt.Fprintf(&p.b, "| %s |\n", strings.Join(head, " | "))
	for i := range head {
		if i < texts {
			p.b.WriteString("|---")
		} else {
			p.b.WriteString("|---:")
		}
	}
	p.b.WriteString("|\n")
	for _, row := range rows {
		fmt.Fprintf(&p.b, "| %s |\n", strings.Join(row, " | "))
	}
	p.b.WriteString("\n")
}

// see refers to a table.
func see(name string) string {
	anchor := strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return -1
	}, strings.ToLower("Table "+name))
	return "([" + strings.ReplaceAll(name, " ", " ") + "](#" + anchor + "))"
}
