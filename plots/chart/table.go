package chart

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tabular reports whether the page is a single row of panels of dots, all with the same rows.
func (pg *Page) tabular() bool {
	if len(pg.Rows) != 1 {
		return false
	}
	for _, p := range pg.Rows[0] {
		if !p.dotted() || p.Series[0].Kind != Dots || p.Series[0].Thin || len(p.Y.Ticks) != len(pg.Rows[0][0].Y.Ticks) {
			return false
		}
	}
	return true
}

// WriteMarkdown writes a page of dots as a table in Markdown: a row for each row of dots, and a column for each panel,
// with the ends of ranges in parentheses. The names of rows in the first series are bold.
func (pg *Page) WriteMarkdown(w io.Writer) error {
	first := pg.Rows[0][0]
	var b strings.Builder
	b.WriteString("| |")
	for i, p := range pg.Rows[0] {
		title := strings.TrimPrefix(p.Title, Letter(i)+" ")
		fmt.Fprintf(&b, " %s (%s) |", strings.ToLower(title), p.X.Label)
	}
	b.WriteString("\n|---" + strings.Repeat("|---:", len(pg.Rows[0])) + "|\n")
	for _, row := range first.Y.Ticks {
		name := row.Label
		if _, bold := first.Series[0].cell(row.At); bold {
			name = "**" + name + "**"
		}
		fmt.Fprintf(&b, "| %s |", name)
		for _, p := range pg.Rows[0] {
			text := ""
			for _, s := range p.Series {
				if cell, ok := s.cell(row.At); ok {
					text = cell
				}
			}
			fmt.Fprintf(&b, " %s |", text)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// cell is the value of a series in a row, with its range, and whether there is one.
func (s *Series) cell(row float64) (text string, ok bool) {
	for i, y := range s.Y {
		if y != row {
			continue
		}
		text = digits(s.X[i])
		if s.Lo != nil && digits(s.Lo[i]) != digits(s.Hi[i]) {
			text += " (" + digits(s.Lo[i]) + " to " + digits(s.Hi[i]) + ")"
		}
		return text, true
	}
	return "", false
}

// digits has four significant digits of a number, and all before the decimal point.
func digits(v float64) string {
	if v >= 1000 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return Short(v)
}
