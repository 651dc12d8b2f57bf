package fidelity

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results/stats"
)

// The prose of the page that no number of a run enters.
var (
	// contradictions says where the published numbers exclude each other.
	//
	//go:embed contradictions.md
	contradictions string
	//go:embed experiments.md
	experiments string
	//go:embed readings.md
	readings string
	//go:embed independent.md
	independent string
	//go:embed independent.csv
	independentModel string
	//go:embed span.md
	span string
	//go:embed rule.md
	rule string
	//go:embed unranked.md
	unranked string
)

// Page is what there is to say of how close the runs come to the published results.
type Page struct {
	Comparisons []Comparison // at least one
	Outcomes    []Outcome    // as Outcomes gives them; nil leaves the sections on readings out
	Span        []SpanPoint  // as Span gives them; with Outcomes
	Ranking     []Ranked     // as Rank gives them; nil leaves the ranking out
}

// WriteMarkdown writes the page: the table first, then what was fitted and what would prove it wrong.
func (p *Page) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	p.entries(&b)
	if p.Outcomes != nil {
		p.fitted(&b)
		p.experiments(&b)
	}
	p.sentences(&b)
	b.WriteString(contradictions)
	if p.Outcomes != nil {
		p.readings(&b)
		p.independent(&b)
		p.span(&b)
	}
	if p.Ranking != nil {
		p.ranking(&b)
	} else if p.Outcomes != nil {
		b.WriteString(unranked)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Page) entries(b *strings.Builder) {
	cs := p.Comparisons
	var engines []string
	head, rule := "| entry | § | what | use | published |", "|---|---|---|---|---|"
	for _, c := range cs {
		engines = append(engines, c.Engine)
		ours := "ours"
		if len(cs) > 1 {
			ours = c.Engine
		}
		head += fmt.Sprintf(" %s | residual | verdict |", ours)
		rule += "---|---|---|"
	}
	fmt.Fprintf(b, "# Fidelity: the published results beside ours (%s)\n\n", strings.Join(engines, ", "))
	all := 0
	var counts []string
	for _, c := range cs {
		agree, predicted := 0, 0
		all = 0
		for i := range c.Rows {
			r := &c.Rows[i]
			if r.Verdict != "not predicted" {
				all++
			}
			if r.Verdict == "agrees" {
				agree++
				if len(r.Fitted) == 0 && (r.known || r.Use == "predict") {
					predicted++
				}
			}
		}
		of := ""
		if len(cs) > 1 {
			of = " with *" + c.Engine + "*"
		}
		counts = append(counts, fmt.Sprintf("%d agree%s, %d of them predicted", agree, of, predicted))
	}
	wrap(b, fmt.Sprintf("Of %d published results that can be compared, %s. *Fitted* ones were used to choose the "+
		"model's parameters and say nothing about it; the parameter stands behind the word. *Predicted* ones were "+
		"not: they are the test. One calibration serves all figures. The residual is ours minus the published value.",
		all, strings.Join(counts, "; ")))
	for _, c := range cs {
		if len(c.Other) > 0 {
			wrap(b, fmt.Sprintf("The runs with *%s* are not the figures as they are built in, which the sections on "+
				"readings describe. Theirs is another reading of the thesis: %s.", c.Engine,
				strings.Join(c.Other, "; ")))
		}
	}
	if slices.Contains(engines, "fluid") && slices.Contains(engines, "packet") {
		wrap(b, "The engines have the same packets below the eSwitch's limit, to those in flight. Beyond it, the "+
			"phases of constant-rate flows decide whose packets pass "+
			"([validation.md](validation.md#packet-against-fluid)): where the columns differ, it is by this.")
	}
	fmt.Fprintf(b, "%s\n%s\n", head, rule)
	for i := range cs[0].Rows {
		r := &cs[0].Rows[i]
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |", r.ID, r.Section, r.Quantity, r.role(), r.Entry.Value)
		for _, c := range cs {
			r := &c.Rows[i]
			fmt.Fprintf(b, " %s | %s | %s |", r.Ours, number(r.Residual(), r.Unit), r.Verdict)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}

func (p *Page) fitted(b *strings.Builder) {
	b.WriteString("## What was fitted\n\n")
	wrap(b, "The thesis leaves questions open. These answers were chosen by comparing all combinations with the "+
		"published results ([below](#all-readings-ranked)), so what agrees under them agrees *after a selection*: "+
		"only the experiments of the next section can confirm it.")
	b.WriteString("| question | answer of figures 6 to 10 | other answers | the thesis says instead |\n" +
		"|---|---|---|---|\n")
	for i, a := range Default.answers() {
		var others []string
		for k, o := range Questions[i].Answers {
			if k != Default[i] {
				others = append(others, o.Name)
			}
		}
		fmt.Fprintf(b, "| %s: %s | %s: %s | %s | %s |\n", Questions[i].Name, Questions[i].Asks, a.Name, a.Says,
			strings.Join(others, "; "), a.Departs)
	}
	b.WriteString("\nThese parameters have values that make published entries come out:\n\n")
	b.WriteString("| parameter | value | of | chosen so that these agree |\n|---|---|---|---|\n")
	for i, a := range Default.answers() {
		for _, f := range a.Fits {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", f.Parameter, f.Value, Questions[i].Name,
				strings.Join(f.Entries, ", "))
		}
	}
	b.WriteString("\n")
	untouched := map[string][]string{}
	for _, r := range p.outcome("default").Score.Rows {
		if len(r.Fitted) == 0 {
			untouched[r.Verdict] = append(untouched[r.Verdict], r.ID)
		}
	}
	wrap(b, fmt.Sprintf("Nothing was fitted to these, and they agree: %s. These differ: %s.", join(untouched["agrees"]),
		join(untouched["differs"])))
}

// outcome is that of a name.
func (p *Page) outcome(name string) *Outcome {
	return &p.Outcomes[slices.IndexFunc(p.Outcomes, func(o Outcome) bool { return o.Name == name })]
}

// experiments says what a measurement would show under each answer.
func (p *Page) experiments(b *strings.Builder) {
	b.WriteString(experiments)
	wrap(b, "[hardware.md](hardware.md#the-experiment-that-decides) says how to run them. The other open questions "+
		"are about the thesis' program and not about the card: its source would answer them. Each row is a law that "+
		"the published points admit:")
	const idle = 2 // Mpps, what the fifth instance gets
	b.WriteString("| what n saturated instances process, Mpps each | 2 | 3 | 4 | 5 | 6 | 7 | 8 | four saturated " +
		"beside one at 2 Mpps, shares reserved | the same, pooled |\n|---|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range []string{"default", "law-10.5", "lines", "constant-sum", "49-mpps"} {
		o := p.outcome(name)
		capacity := indexOf("capacity")
		fmt.Fprintf(b, "| %s |", Questions[capacity].Answers[o.Score.Reading[capacity]].Name)
		for n := 2; n <= 8; n++ {
			fmt.Fprintf(b, " %.2f |", o.Together[n-1]/float64(n))
		}
		five := o.Together[4]
		fmt.Fprintf(b, " 4 × %.2f | 4 × %.2f |\n", five/5, min((five-idle)/4, o.Together[0]))
	}
	o := p.outcome("default")
	five, eight := o.Together[4], o.Together[7]
	b.WriteString("\n")
	wrap(b, fmt.Sprintf("Best-Fit's gain is what five instances process together beyond eight: %.2f − %.2f = %.2f "+
		"Mpps, and %s over Round-Robin and %s over Worst-Fit in the run once the eSwitch is saturated. If five and "+
		"eight process the same, the gain has another cause, and the law through C(4) = 10.7 is wrong. If four "+
		"process no more each beside one at 2 Mpps than beside a fifth that is saturated, shares are reserved, and "+
		"the default is wrong in the onset of loss and in where Best-Fit puts its flows.", five, eight, five-eight,
		decimal(o.Saturated[1]-o.Saturated[0], 2),
		decimal(o.Saturated[1]-o.Saturated[2], 2)))
}

func (p *Page) sentences(b *strings.Builder) {
	b.WriteString("## Entry by entry\n\n")
	cs := p.Comparisons
	for i := range cs[0].Rows {
		r := &cs[0].Rows[i]
		wrap(b, fmt.Sprintf("**%s** — %s", r.ID, r.Sentence))
		for _, c := range cs[1:] {
			if s := c.Rows[i].Sentence; s != r.Sentence {
				wrap(b, fmt.Sprintf("With *%s*: %s", c.Engine, s))
			}
		}
	}
}

func (p *Page) readings(b *strings.Builder) {
	b.WriteString(readings)
	for i := range p.Outcomes {
		o := &p.Outcomes[i]
		var sets []string
		for _, s := range o.Sets {
			sets = append(sets, "`"+s+"`")
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %d, %d | %d |\n", o.Why,
			strings.Join(sets, " "), slashed(1, o.Throughput...), gain(o.Throughput), gain(o.Saturated),
			slashed(1, o.Loss...), slashed(2, o.Deviation...), slashed(0, o.Onset...), slashed(1, o.Used...),
			slashed(1, o.Rates...), slashed(0, o.Instances...), o.Score.Agree, o.Score.Parameters, o.Score.Score())
	}
}

// gain is what Best-Fit has beyond Round-Robin and Worst-Fit.
func gain(v []float64) string { return slashed(2, v[1]-v[0], v[1]-v[2]) }

// tolerance is how far ours may be from the independent model's numbers, which are rounded to a tenth.
const tolerance = 0.1

func (p *Page) independent(b *strings.Builder) {
	b.WriteString(independent)
	lines, err := csv.NewReader(strings.NewReader(independentModel)).ReadAll()
	if err != nil {
		panic(err) // embedded: right or the tests fail
	}
	apart := 0
	for _, line := range lines[1:] {
		o := p.outcome(line[0])
		ours := o.beside()
		cells, most := make([]string, len(ours)), 0.0
		for i, mine := range ours {
			theirs, err := strconv.ParseFloat(line[i+1], 64)
			if err != nil {
				cells[i] = decimal(mine, 2)
				continue
			}
			most = max(most, math.Abs(mine-theirs))
			cells[i] = fmt.Sprintf("%s (%s)", decimal(mine, 2), line[i+1])
		}
		if most > tolerance {
			apart++
		}
		fmt.Fprintf(b, "| %s |", o.Why)
		for _, part := range [][]string{cells[:3], cells[3:5], cells[5:7], cells[7:10], cells[10:13], cells[13:]} {
			fmt.Fprintf(b, " %s |", strings.Join(part, " / "))
		}
		fmt.Fprintf(b, " %s |\n", decimal(most, 2))
	}
	b.WriteString("\n")
	wrap(b, fmt.Sprintf("%d of %d rows differ by more than %g somewhere.", apart, len(lines)-1, tolerance))
}

// beside are the numbers that the independent model has too, in its order.
func (o *Outcome) beside() []float64 {
	return slices.Concat(o.Throughput, []float64{o.Throughput[1] - o.Throughput[0], o.Throughput[1] - o.Throughput[2],
		o.Saturated[1] - o.Saturated[0], o.Saturated[1] - o.Saturated[2]}, o.Onset, o.Loss,
		[]float64{float64(len(o.Rates))})
}

func (p *Page) span(b *strings.Builder) {
	b.WriteString(span)
	for _, s := range p.Span {
		fmt.Fprintf(b, "| %.1f | %.2f | %s | %s |\n", s.C4, s.Five, slashed(2, s.Pooled...), slashed(2, s.Reserved...))
	}
}

// best is how many groups of readings the page lists.
const best = 20

func (p *Page) ranking(b *strings.Builder) {
	b.WriteString(rule)
	groups := fold(p.Ranking)
	fmt.Fprintf(b, "There are %d readings, which give %d different sets of numbers. The first %d:\n\n", len(p.Ranking),
		len(groups), min(best, len(groups)))
	head, line := "| rank | readings |", "|---|---|"
	for _, q := range Questions {
		head += " " + q.Name + " |"
		line += "---|"
	}
	fmt.Fprintf(b, "%s agree | fitted | departs | score | misfit | strict | wary | lenient | does not agree |\n%s%s\n",
		head, line, strings.Repeat("---|", 9))
	for _, g := range groups[:min(best, len(groups))] {
		r := g.first
		fmt.Fprintf(b, "| %d | %d |", g.rank, g.n)
		for q := range Questions {
			fmt.Fprintf(b, " %s |", g.answer(q))
		}
		var differs []string
		for i := range r.Rows {
			if r.Rows[i].Verdict == "differs" {
				differs = append(differs, r.Rows[i].ID)
			}
		}
		fmt.Fprintf(b, " %d | %d | %d | %d | %.2f | %d | %d | %d | %s |\n", r.Agree, r.Parameters, r.Departures,
			r.Score(), r.Misfit, r.Strict(), r.Wary(), r.Lenient(), strings.Join(differs, ", "))
	}
	p.sensitivity(b)
	p.marginal(b)
	p.hard(b)
}

// sensitivity says who is first under the other scores.
func (p *Page) sensitivity(b *strings.Builder) {
	b.WriteString("\n### Under other rules\n\n")
	b.WriteString("| rule | best value | readings with it | the first of them | the default's value | readings above " +
		"the default |\n|---|---|---|---|---|---|\n")
	rank := slices.IndexFunc(p.Ranking, func(r Ranked) bool { return slices.Equal(r.Reading, Default) })
	own := &p.Ranking[rank]
	var higher []string
	for _, rule := range []struct {
		name  string
		value func(*Ranked) int
	}{
		{"score", (*Ranked).Score}, {"entries that agree, at no cost", func(r *Ranked) int { return r.Agree }},
		{"strict", (*Ranked).Strict}, {"wary", (*Ranked).Wary}, {"lenient", (*Ranked).Lenient},
	} {
		top, n, above := 0, 0, 0
		for i := range p.Ranking {
			v, best := rule.value(&p.Ranking[i]), rule.value(&p.Ranking[top])
			if v > best {
				top, n = i, 0
			}
			if v == rule.value(&p.Ranking[top]) {
				n++
			}
			if v > rule.value(own) {
				above++
			}
		}
		fmt.Fprintf(b, "| %s | %d | %d | %s | %d | %d |\n", rule.name, rule.value(&p.Ranking[top]), n,
			p.Ranking[top].Reading, rule.value(own), above)
		higher = append(higher, fmt.Sprintf("%d under *%s*", above, rule.name))
	}
	same, tied := 0, 0
	for i := range p.Ranking {
		if p.Ranking[i].Score() >= own.Score() {
			same++
		}
		if p.Ranking[i].Score() == own.Score() && p.Ranking[i].Misfit == own.Misfit {
			tied++
		}
	}
	b.WriteString("\n")
	wrap(b, fmt.Sprintf("The default is number %d of %d. It is one of %d readings with its score or a better one, and "+
		"the misfit decides among equals; it is one of %d with the same score and misfit, among which only the order "+
		"of the answers decides. Above it are %s. The published results are too few to settle the open questions: the "+
		"experiments on a card can.", rank+1, len(p.Ranking), same, tied, join(higher)))
}

// marginal says what each answer is worth.
func (p *Page) marginal(b *strings.Builder) {
	top := p.Ranking[0].Score()
	near := slices.IndexFunc(p.Ranking, func(r Ranked) bool { return r.Score() < top-1 })
	if near < 0 {
		near = len(p.Ranking)
	}
	b.WriteString("### What each answer is worth\n\n")
	wrap(b, fmt.Sprintf("%d readings have the best score or one less. Of each answer: how many of them give it, and "+
		"the best score with and without it, with the least misfit at that score and the most entries that agree "+
		"at any.", near))
	b.WriteString("| question | answer | of these | best with it: score, misfit, agree | without it |\n" +
		"|---|---|---|---|---|\n")
	for q := range Questions {
		for k, a := range Questions[q].Answers {
			among := 0
			for i := range p.Ranking[:near] {
				if p.Ranking[i].Reading[q] == k {
					among++
				}
			}
			with := p.bestOf(func(r Reading) bool { return r[q] == k })
			without := p.bestOf(func(r Reading) bool { return r[q] != k })
			fmt.Fprintf(b, "| %s | %s | %d | %s | %s |\n", Questions[q].Name, a.Name, among, with, without)
		}
	}
}

// bestOf is the first of some readings, and how many entries agree at most under any of them.
func (p *Page) bestOf(is func(Reading) bool) string {
	first, agree := "none", 0
	for i := range p.Ranking {
		r := &p.Ranking[i]
		if !is(r.Reading) {
			continue
		}
		if first == "none" {
			first = fmt.Sprintf("%d, %.2f", r.Score(), r.Misfit)
		}
		agree = max(agree, r.Agree)
	}
	return fmt.Sprintf("%s, %d", first, agree)
}

// hard says which entries few readings give, and which none.
func (p *Page) hard(b *strings.Builder) {
	b.WriteString("\n### What each entry asks\n\n")
	var always []string
	table := "| entry | readings in which it agrees | rank of the best of them |\n|---|---|---|\n"
	for k := range p.Ranking[0].Rows {
		if p.Ranking[0].Rows[k].Verdict == "not predicted" {
			continue
		}
		n, first := 0, "none"
		for i := range p.Ranking {
			if p.Ranking[i].Rows[k].Verdict == "agrees" {
				if n++; n == 1 {
					first = strconv.Itoa(i + 1)
				}
			}
		}
		table += fmt.Sprintf("| %s | %d | %s |\n", p.Ranking[0].Rows[k].ID, n, first)
		if n == len(p.Ranking) {
			always = append(always, p.Ranking[0].Rows[k].ID)
		}
	}
	if len(always) > 0 {
		wrap(b, fmt.Sprintf("What agrees under every reading speaks for none: %s.", join(always)))
	}
	b.WriteString(table)
}

func slashed(digits int, v ...float64) string {
	var parts []string
	for _, x := range v {
		parts = append(parts, decimal(x, digits))
	}
	return strings.Join(parts, " / ")
}

// columns is how long a line of prose may be.
const columns = 120

// wrap writes a paragraph in lines of that length.
func wrap(b *strings.Builder, text string) { b.WriteString(stats.Wrap(text, "", columns) + "\n\n") }
