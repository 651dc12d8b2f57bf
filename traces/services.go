package traces

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/units"
)

// ServicesOptions says how the load curves of many services become traffic.
type ServicesOptions struct {
	LoadOptions // of which Column and Time are empty for a file of Azure Functions

	Group        []string // columns whose values together name the service; nil for the functions of Azure Functions
	Milliseconds bool     // times that are numbers count these, and not seconds
	Where        string   // COLUMN=VALUE: other rows are left out; empty for none
	Most         int      // only so many services, those with the most load; 0 is all
}

// ReadServices reads load curves of many services from one CSV file, compressed or not, with a line of column names. A
// row is the load of one service in the Step in which its time lies. Rows may be in any order; those of the same
// service and step, such as its instances, add up; a step without a row is silence. Two other layouts are known by
// their column names: the invocations of Azure Functions of 2019, a row for each function with a column for each minute
// of the day, and of 2021, a row for each invocation, which counts when it began.
//
// Each service has o.Flows equal flows of its own. The services are in order of their load, the most first. Errors name
// the line.
func ReadServices(path string, o ServicesOptions) (*Workload, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	defer src.Close()
	src.ctx = o.Context
	return readServices(src, path, o)
}

func readServices(src *source, path string, o ServicesOptions) (*Workload, error) {
	s := services{ServicesOptions: o, lines: newLines(src), curves: map[string]*serviceCurve{}}
	err := s.read()
	if err != nil && s.n > 0 {
		err = fmt.Errorf("line %d: %w", s.n, err)
	}
	if fault := s.fault(); fault != nil {
		err = fault
	}
	var w *Workload
	if err == nil {
		w, err = s.workload(filepath.Base(path))
	}
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	w.Skipped = s.notes(s.log.skipped)
	return w, nil
}

// services are the curves of a file while it is read.
type services struct {
	ServicesOptions
	*lines
	log    logged
	curves map[string]*serviceCurve
	rows   int
	cells  int
	name   strings.Builder
	latest int64 // the last step, and the first line that has it
	lineOf int
}

// serviceCurve is what one service has in some steps. Until they are put in order they are as in the file.
type serviceCurve struct {
	name  string
	cells []serviceLoad
	total float64 // in the cut
}

type serviceLoad struct {
	step int64   // of the file's clock
	load float64 // in the column's unit; with RowCount, events
}

// Columns of the invocations of Azure Functions (github.com/Azure/AzurePublicDataset, AzureFunctionsDataset2019.md and
// AzureFunctionsInvocationTrace2021.md).
var (
	azure2019 = []string{"HashOwner", "HashApp", "HashFunction"} // and the minutes of the day, from 1
	azure2021 = []string{"app", "func", "end_timestamp", "duration"}
)

func holds(names, wanted []string) bool {
	return !slices.ContainsFunc(wanted, func(name string) bool { return !slices.Contains(names, name) })
}

// read reads the rows.
func (s *services) read() error {
	t := table{lines: s.lines, log: &s.log}
	if err := t.head(); err != nil {
		return err
	}
	each := s.row
	var extra []string // columns beside those of the group
	switch {
	case s.Column == "" && holds(t.names, append([]string{"1"}, azure2019...)):
		if s.Group == nil {
			s.Group = azure2019
		}
		s.Column, s.Time, s.Step, each = RowCount, "1", units.Minute, s.minutes
	case s.Column == "" && holds(t.names, azure2021):
		if s.Group == nil {
			s.Group = azure2021[:2]
		}
		s.Column, s.Time, each = RowCount, azure2021[2], s.invocation
		extra = azure2021[2:]
	case s.Column == "":
		return fmt.Errorf("found %q: want the columns of Azure Functions, or the name of the column with the load",
			clip(strings.Join(t.names, ", ")))
	case s.Time == "" || len(s.Group) == 0:
		return errors.New("want the names of the column with the time and of those that name the service")
	default:
		if extra = []string{s.Time}; s.Column != RowCount {
			extra = append(extra, s.Column)
		}
	}
	var err error
	if s.LoadOptions, err = s.LoadOptions.normal(); err != nil {
		return err
	}
	if s.Step < leastStep {
		return fmt.Errorf("step is %v, want %v or more", s.Step, leastStep)
	}
	key, want, filtered := strings.Cut(s.Where, "=")
	if s.Where != "" {
		if !filtered {
			return fmt.Errorf("where is %q, want COLUMN=VALUE", clip(s.Where))
		}
		extra = append(extra, key)
	}
	for _, name := range append(slices.Clone(s.Group), extra...) {
		t.columns = append(t.columns, column{names: []string{name}})
	}
	if err := t.name(t.names); err != nil {
		return err
	}
	for {
		ok, err := t.row()
		if !ok || err != nil {
			return err
		}
		if filtered && t.cell(len(t.columns)-1) != want {
			s.log.skip("rows with another value of " + key)
			continue
		}
		s.rows++
		if err := each(&t, s.curve(&t)); err != nil {
			return err
		}
		if s.cells > maxSegments {
			return fmt.Errorf("more than %d steps of services, want fewer or longer ones", maxSegments)
		}
	}
}

// curve is that of the service which the row names.
func (s *services) curve(t *table) *serviceCurve {
	s.name.Reset()
	for i := range s.Group {
		if i > 0 {
			s.name.WriteByte('/')
		}
		s.name.WriteString(t.cell(i))
	}
	c := s.curves[s.name.String()]
	if c == nil {
		name := strings.Clone(s.name.String()) // not the line in which it stands
		c = &serviceCurve{name: name}
		s.curves[name] = c
	}
	return c
}

// add counts a load in a step.
func (s *services) add(c *serviceCurve, step int64, load float64) {
	if load == 0 {
		return
	}
	if n := len(c.cells); n > 0 && c.cells[n-1].step == step {
		c.cells[n-1].load += load
		return
	}
	c.cells = append(c.cells, serviceLoad{step, load})
	if s.cells++; step > s.latest {
		s.latest, s.lineOf = step, s.n
	}
}

// row reads a row with a time and a load, or one that is an event.
func (s *services) row(t *table, c *serviceCurve) (err error) {
	i := len(s.Group)
	at, err := s.instant(t.cell(i))
	if err != nil {
		return t.fail(i, err)
	}
	load := 1.0
	if s.Column != RowCount {
		if load, err = parseLoad(t.cell(i + 1)); err != nil {
			return t.fail(i+1, err)
		}
	}
	s.add(c, s.step(at), load)
	return nil
}

// minutes reads a function of 2019.
func (s *services) minutes(t *table, c *serviceCurve) error {
	for i, name := range t.names {
		minute, err := strconv.Atoi(name)
		if err != nil || minute < 1 || minute > 1440 {
			continue
		}
		n, err := parseCount(t.cells[i])
		if err != nil {
			return fmt.Errorf("column %s: %w", name, err)
		}
		s.add(c, int64(minute-1), float64(n))
	}
	return nil
}

// invocation reads one of 2021. Its end and its duration are known.
func (s *services) invocation(t *table, c *serviceCurve) error {
	i := len(s.Group)
	at, err := parseSeconds(t.cell(i))
	if err == nil {
		err = at.plausible()
	}
	if err != nil {
		return t.fail(i, err)
	}
	took, err := parseSeconds(t.cell(i + 1))
	if err != nil {
		return t.fail(i+1, err)
	}
	if at.before(took) {
		at = took
		s.log.skip("invocations that began before the trace, counted at its beginning")
	}
	s.add(c, s.step(at.minus(took)), 1)
	return nil
}

// instant reads a time.
func (s *services) instant(text string) (instant, error) {
	at, err := parseInstant(text)
	if err != nil {
		return at, err
	}
	if _, err := parseSeconds(text); err == nil && s.Milliseconds {
		at = instant{at.sec / 1000, at.sec%1000*int64(units.Millisecond) + at.ps/1000}
	}
	return at, at.plausible()
}

// leastStep of services, so that the number of a step fits an integer.
const leastStep = units.Millisecond

// step is the number of a time's step since the beginning of the file's clock.
func (s *services) step(at instant) int64 {
	hi, lo := bits.Mul64(uint64(at.sec), picos)
	lo, carry := bits.Add64(lo, uint64(at.ps), 0)
	n, _ := bits.Div64(hi+carry, lo, uint64(s.Step))
	return int64(n)
}

// workload makes the flows of the services with the most load.
func (s *services) workload(base string) (*Workload, error) {
	first := int64(-1)
	var all []*serviceCurve
	for _, name := range slices.Sorted(maps.Keys(s.curves)) {
		c := s.curves[name]
		c.order()
		if len(c.cells) > 0 {
			all = append(all, c)
			if first < 0 || c.cells[0].step < first {
				first = c.cells[0].step
			}
		}
	}
	over := 1.0 // the seconds for which a load is
	if s.Column == RowCount {
		over = s.Step.Seconds()
	}
	segments := map[*serviceCurve][]Segment{}
	for _, c := range all {
		held := curve{o: s.LoadOptions}
		for _, cell := range c.cells {
			load := cell.load * s.Scale
			if rate := load / over; !(rate <= MostRate) {
				return nil, fmt.Errorf("service %s: a load of %g packets a second, want at most %g, one packet a "+
					"picosecond", clip(c.name), rate, float64(MostRate))
			}
			hi, lo := bits.Mul64(uint64(cell.step-first), uint64(s.Step))
			sec, ps := bits.Div64(hi, lo, picos)
			start := instant{int64(sec), int64(ps)}
			if err := held.hold(start, start.add(s.Step), load); err != nil {
				return nil, fmt.Errorf("line %d: %w", s.lineOf, err)
			}
		}
		for _, x := range held.segments {
			c.total += float64(x.Packets * (x.End - x.Start).Seconds())
		}
		if c.total > 0 {
			segments[c] = held.segments
		}
	}
	all = slices.DeleteFunc(all, func(c *serviceCurve) bool { return c.total == 0 })
	slices.SortStableFunc(all, func(a, b *serviceCurve) int { return cmp.Compare(b.total, a.total) })
	silent, known := len(s.curves)-len(all), len(all)
	if s.Most > 0 && s.Most < len(all) {
		all = all[:s.Most]
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no load in any service%s", cutText(s.From, s.To))
	}
	w := &Workload{}
	for _, c := range all {
		ss := segments[c]
		if end := float64(ss[len(ss)-1].End) / s.Speedup; !(end < float64(maxSpan)) {
			return nil, fmt.Errorf("longer than %v at speedup %g", maxSpan, s.Speedup)
		}
		if s.Speedup != 1 {
			speed(ss, s.Speedup)
		}
		for i := range ss {
			x := &ss[i]
			x.Packets *= (x.End - x.Start).Seconds() / over / float64(s.Flows)
			x.Bytes = x.Packets * s.Size
		}
		if err := w.carry(ss, s.Flows, s.Lifetime, s.Offset+len(w.Flows)); err != nil {
			return nil, err
		}
	}
	packets, bytes := w.Totals()
	w.sort()
	w.Provenance = []string{fmt.Sprintf("services %s: %d rows%s, the %d with the most load of %d services, "+
		"and %d without: times %g, %g times as fast: %.0f packets, %.0f bytes in %d flows",
		base, s.rows, cutText(s.From, s.To), len(all), known, silent, s.Scale, s.Speedup, packets, bytes, len(w.Flows))}
	return w, nil
}

// order puts the steps in order, each once.
func (c *serviceCurve) order() {
	slices.SortStableFunc(c.cells, func(a, b serviceLoad) int { return cmp.Compare(a.step, b.step) })
	n := 0
	for _, x := range c.cells {
		if n > 0 && c.cells[n-1].step == x.step {
			c.cells[n-1].load += x.load
			continue
		}
		c.cells[n] = x
		n++
	}
	c.cells = c.cells[:n]
}
