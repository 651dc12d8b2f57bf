package stats

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Formats are those of Ranking.Write.
var Formats = []string{"text", "markdown", "csv", "latex"}

// Write writes the ranking in one of Formats. what names the settings, such as scheduler.policy. Text, Markdown and
// LaTeX have the effect first and its p-value second, and the notes below; CSV has every number with all its digits.
func (r *Ranking) Write(w io.Writer, format, what string) error {
	switch format {
	case "csv":
		return r.writeCSV(w, what)
	case "markdown":
		return r.writeMarkdown(w, what)
	case "latex":
		return r.writeLaTeX(w, what)
	}
	return r.writeText(w, what)
}

// cells are the table for people to read, the head first.
func (r *Ranking) cells(what string) [][]string {
	head := []string{"", what, "n", r.Metric, "behind the first", "p", ""}
	regret := r.Options.Baseline != ""
	if regret {
		head = append(head, "regret against "+r.Options.Baseline)
	}
	rows := [][]string{head}
	best := r.Rows[0].Mean.Value
	for i := range r.Rows {
		row := &r.Rows[i]
		line := []string{strconv.Itoa(i + 1), row.Name, strconv.Itoa(row.Mean.N), estimate(row.Mean, short), "", "", ""}
		if i > 0 {
			line[4] = effect(row.Behind.Interval, best)
			line[5] = pText(row.Behind.P)
			if row.Exact {
				line[5] = "exact"
			}
			if row.Tie {
				line[6] = "~"
			}
		}
		if regret {
			line = append(line, effect(row.Regret.Interval, row.Mean.Value+r.Options.lack(row.Regret.Value, 0)))
		}
		rows = append(rows, line)
	}
	return rows
}

// short is a number to six digits.
func short(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) }

// estimate is a value and its interval.
func estimate(in Interval, text func(float64) string) string {
	if math.IsNaN(in.Low) {
		return text(in.Value)
	}
	return fmt.Sprintf("%s [%s, %s]", text(in.Value), text(in.Low), text(in.High))
}

// effect is a difference as a share of what it is measured by, or as it is where that is 0.
func effect(in Interval, of float64) string {
	if of == 0 || math.IsNaN(of) {
		return estimate(in, short)
	}
	of = math.Abs(of) / 100
	in.Value, in.Low, in.High = in.Value/of, in.Low/of, in.High/of
	return estimate(in, func(x float64) string { return fmt.Sprintf("%.2f", x+0) }) + " %"
}

// pText is a p-value to two digits.
func pText(p float64) string {
	switch {
	case math.IsNaN(p):
		return ""
	case p < 0.0001:
		return "<0.0001"
	}
	return strconv.FormatFloat(p, 'g', 2, 64)
}

func (r *Ranking) writeText(w io.Writer, what string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.cells(what) {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\n%s\n", Wrap(note, "", 100))
	}
	return nil
}

// Wrap breaks a text into lines of at most width characters, where words are not longer. All lines but the first are
// indented.
func Wrap(s, indent string, width int) string {
	var b strings.Builder
	at := 0
	for i, word := range strings.Fields(s) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteString("\n" + indent)
			at = len(indent)
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}

func (r *Ranking) writeMarkdown(w io.Writer, what string) error {
	for i, row := range r.cells(what) {
		for k := range row {
			row[k] = strings.ReplaceAll(row[k], "|", `\|`)
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(w, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\n%s\n", Wrap(note, "", 120))
	}
	return nil
}

var latex = strings.NewReplacer(`\`, `\textbackslash{}`, "&", `\&`, "%", `\%`, "$", `\$`, "#", `\#`, "_", `\_`, "{",
	`\{`, "}", `\}`, "~", `$\sim$`, "^", `\textasciicircum{}`, "<", "$<$", ">", "$>$", "|", "$|$")

func (r *Ranking) writeLaTeX(w io.Writer, what string) error {
	for i, row := range r.cells(what) {
		if i == 0 {
			fmt.Fprintf(w, "\\begin{tabular}{rlrlll%s}\n\\hline\n", strings.Repeat("l", len(row)-6))
		}
		for k := range row {
			row[k] = latex.Replace(row[k])
			if strings.HasPrefix(row[k], "-") {
				row[k] = "$-$" + row[k][1:]
			}
			row[k] = strings.ReplaceAll(strings.ReplaceAll(row[k], "[-", "[$-$"), ", -", ", $-$")
		}
		fmt.Fprintf(w, "%s \\\\\n", strings.Join(row, " & "))
		if i == 0 {
			fmt.Fprintln(w, `\hline`)
		}
	}
	fmt.Fprint(w, "\\hline\n\\end{tabular}\n")
	for _, note := range r.Notes {
		fmt.Fprintf(w, "%% %s\n", note)
	}
	return nil
}

func (r *Ranking) writeCSV(out io.Writer, what string) error {
	w := csv.NewWriter(out)
	head := []string{"place", what, "n", r.Metric, "low", "high", "behind", "behind_low", "behind_high", "p", "tie"}
	if r.Options.Baseline != "" {
		head = append(head, "regret", "regret_low", "regret_high")
	}
	w.Write(head)
	number := func(x float64) string {
		if math.IsNaN(x) {
			return ""
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		line := []string{strconv.Itoa(i + 1), row.Name, strconv.Itoa(row.Mean.N), number(row.Mean.Value),
			number(row.Mean.Low), number(row.Mean.High)}
		if b := row.Behind; i > 0 {
			line = append(line, number(b.Value), number(b.Low), number(b.High), number(b.P))
		} else {
			line = append(line, "", "", "", "")
		}
		line = append(line, strconv.FormatBool(row.Tie))
		if g := row.Regret; r.Options.Baseline != "" {
			line = append(line, number(g.Value), number(g.Low), number(g.High))
		}
		w.Write(line)
	}
	w.Flush()
	return w.Error()
}
