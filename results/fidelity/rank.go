package fidelity

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/results"
)

// Ranked is a reading with what it explains and what that costs.
//
// The score is the number of entries that agree, fitted ones included, less one for each parameter that was fitted to
// an entry, less one for each answer that departs from the thesis' text. So a parameter that makes one entry agree
// earns nothing, as in Akaike's criterion, where a parameter has to improve the logarithm of the likelihood by more
// than one. An answer to a question on which the text is silent costs nothing, since every reading has to give one.
// Equal scores are ordered by the misfit, then by the order of the questions.
type Ranked struct {
	Reading    Reading
	Rows       []Row   // as Compare gives them
	Agree      int     // entries
	Predicted  int     // entries that agree and to which nothing was fitted
	Leniently  int     // entries that agree as this project read them before it compared any readings
	Parameters int     // fitted to entries
	Departures int     // answers other than the thesis' text
	Changed    int     // answers other than those that this project gave before it compared any others
	Misfit     float64 // sum of the relative residuals of the entries that are numbers
}

// Score is what the readings are ranked by.
func (r *Ranked) Score() int { return r.Agree - r.Parameters - r.Departures }

// Strict is a stricter score: entries that anything was fitted to earn nothing, however few parameters that took.
func (r *Ranked) Strict() int { return r.Predicted - r.Departures }

// Wary is the most suspicious score: an answer that was changed after the entries were compared costs one, like a
// parameter, whether or not the thesis speaks of it.
func (r *Ranked) Wary() int { return r.Agree - r.Parameters - r.Changed }

// Lenient is the score with the entries read as this project read them before it compared any readings: the plateau and
// the loss agree in the mean of the schedulers, the gain by the lesser of the two, the instances at 512 B alone; a tie
// is the most stable loss, and Best-Fit's instances need not be near their limit.
func (r *Ranked) Lenient() int { return r.Leniently - r.Parameters - r.Departures }

// assess runs a reading and counts.
func (r Reading) assess(ctx context.Context, run Runner) (*Ranked, error) {
	recs := Records{}
	for _, study := range Studies {
		var err error
		if recs[study], err = run(ctx, study, r.Sets(study)); err != nil {
			return nil, err
		}
	}
	out := &Ranked{Reading: r}
	var err error
	if out.Rows, err = Compare(recs); err != nil {
		return nil, err
	}
	out.count()
	return out, nil
}

func (r *Ranked) count() {
	fitted := map[string]bool{}
	for i, a := range r.Reading.answers() {
		r.Parameters += len(a.Fits)
		for _, f := range a.Fits {
			for _, id := range f.Entries {
				fitted[id] = true
			}
		}
		if a.Departs != "" {
			r.Departures++
		}
		if r.Reading[i] != 0 {
			r.Changed++
		}
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Verdict == "agrees" || row.lenient {
			r.Leniently++
		}
		if row.Verdict == "agrees" {
			r.Agree++
			if !fitted[row.ID] {
				r.Predicted++
			}
		}
		if relative := math.Abs(row.Residual() / row.Published); !math.IsNaN(relative) {
			r.Misfit += relative
		}
	}
	r.Misfit = math.Round(r.Misfit*1e6) / 1e6 // so that what is equal but for rounding stays in order
}

// Rank assesses readings, jobs at a time, and puts them in order, the best first. Progress is called with the number of
// those that are done, from any goroutine; it may be nil.
func Rank(ctx context.Context, readings []Reading, run Runner, jobs int, progress func(done float64)) (
	[]Ranked, error,
) {
	run = remembered(run)
	ranked := make([]Ranked, len(readings))
	var done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(jobs)
	for i, r := range readings {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			got, err := r.assess(ctx, run)
			if err != nil {
				return fmt.Errorf("reading %s: %w", r, err)
			}
			for k := range got.Rows {
				got.Rows[k].Sentence = "" // there are thousands of readings
			}
			ranked[i] = *got
			if n := done.Add(1); progress != nil {
				progress(float64(n))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(ranked, func(a, b Ranked) int {
		return cmp.Or(cmp.Compare(b.Score(), a.Score()), cmp.Compare(a.Misfit, b.Misfit),
			slices.Compare(a.Reading, b.Reading))
	})
	return ranked, nil
}

// remembered runs what is asked for again and again once: a study to which some question does not apply, with the same
// overrides.
func remembered(run Runner) Runner {
	var known sync.Map
	return func(ctx context.Context, study string, sets []string) ([]*results.Record, error) {
		if !slices.ContainsFunc(Questions, func(q Question) bool {
			return q.Studies != nil && !slices.Contains(q.Studies, study)
		}) {
			return run(ctx, study, sets)
		}
		once, _ := known.LoadOrStore(study+"\n"+strings.Join(sets, "\n"),
			sync.OnceValues(func() ([]*results.Record, error) { return run(ctx, study, sets) }))
		return once.(func() ([]*results.Record, error))()
	}
}

// String names the answers of a reading.
func (r Reading) String() string {
	var parts []string
	for i, a := range r.answers() {
		parts = append(parts, Questions[i].Name+": "+a.Name)
	}
	return strings.Join(parts, "; ")
}

// WriteRankingCSV writes all readings as a table, the best first.
func WriteRankingCSV(w io.Writer, ranked []Ranked) error {
	c := csv.NewWriter(w)
	head := []string{"rank"}
	for _, q := range Questions {
		head = append(head, q.Name)
	}
	head = append(head, "score", "agree", "parameters", "departures", "misfit", "strict", "wary", "lenient")
	for i := range ranked[0].Rows {
		head = append(head, ranked[0].Rows[i].ID)
	}
	for i := range ranked[0].Rows {
		head = append(head, ranked[0].Rows[i].ID+"_value")
	}
	c.Write(head)
	for i := range ranked {
		r := &ranked[i]
		line := []string{strconv.Itoa(i + 1)}
		for _, a := range r.Reading.answers() {
			line = append(line, a.Name)
		}
		for _, n := range []int{r.Score(), r.Agree, r.Parameters, r.Departures} {
			line = append(line, strconv.Itoa(n))
		}
		line = append(line, decimal(r.Misfit, 6), strconv.Itoa(r.Strict()), strconv.Itoa(r.Wary()),
			strconv.Itoa(r.Lenient()))
		for k := range r.Rows {
			line = append(line, r.Rows[k].Verdict)
		}
		for k := range r.Rows {
			value := ""
			if v := r.Rows[k].Value; !math.IsNaN(v) {
				value = decimal(v, 6)
			}
			line = append(line, value)
		}
		c.Write(line)
	}
	c.Flush()
	return c.Error()
}

// alike are readings that give the same numbers for every entry.
type alike struct {
	rank    int // of the first
	first   *Ranked
	answers []map[int]bool // of each question: which the readings give
	n       int
}

// fold brings readings together that give the same in every entry, to the digits shown, in the order of the first of
// each.
func fold(ranked []Ranked) (groups []*alike) {
	by := map[string]*alike{}
	for i := range ranked {
		r := &ranked[i]
		var b strings.Builder
		fmt.Fprint(&b, r.Score(), r.Parameters, r.Departures, r.Leniently)
		for k := range r.Rows {
			fmt.Fprint(&b, "|", r.Rows[k].Verdict, r.Rows[k].Ours, decimal(r.Rows[k].Value, 2))
		}
		g := by[b.String()]
		if g == nil {
			g = &alike{rank: i + 1, first: r, answers: make([]map[int]bool, len(Questions))}
			for q := range g.answers {
				g.answers[q] = map[int]bool{}
			}
			by[b.String()] = g
			groups = append(groups, g)
		}
		for q, k := range r.Reading {
			g.answers[q][k] = true
		}
		g.n++
	}
	return groups
}

// answer names what the readings of a group answer.
func (g *alike) answer(q int) string {
	all := Questions[q].Answers
	if len(g.answers[q]) == len(all) {
		return "any"
	}
	var names []string
	for k := range all {
		if g.answers[q][k] {
			names = append(names, all[k].Name)
		}
	}
	return strings.Join(names, " or ")
}
