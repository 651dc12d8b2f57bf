package traces

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/smartinco/smartinco/units"
)

// RowCount as LoadOptions.Column reads a file with a row for each event, such as a log of requests. The load of a step
// is its number of events per second.
const RowCount = "#rows"

// LoadOptions says how a load curve becomes traffic.
type LoadOptions struct {
	Column string // column with the load, or RowCount
	// column with the time: decimal seconds, RFC 3339 or 2006-01-02 15:04:05; if empty, rows are Step apart
	Time     string
	Step     units.Time // between two rows without Time, of the last row, and of RowCount; 0 is 1 s
	Scale    float64    // packets per second for one unit of the column; 0 is 1
	Speedup  float64    // divides all times; rates stay, so packets get fewer; 0 is 1
	Flows    int        // equal flows that carry the load; 0 is 1
	Size     float64    // frame bytes
	From, To units.Time // cut in the file's time since its first row, From included, To not; To 0 is the end
	Lifetime units.Time // of each flow, after which another takes its place; 0 for as long as the load
	Offset   int        // index of the first flow among all synthetic flows of the run, for its address

	Context context.Context // reading is given up, with its error, when it is done; nil is never
}

func (o LoadOptions) normal() (LoadOptions, error) {
	for _, x := range []*float64{&o.Scale, &o.Speedup} {
		if *x == 0 {
			*x = 1
		}
	}
	if o.Flows == 0 {
		o.Flows = 1
	}
	if o.Step == 0 {
		o.Step = units.Second
	}
	switch {
	case !(o.Speedup > 0) || math.IsInf(o.Speedup, 1):
		return o, fmt.Errorf("speedup is %g, want a positive number", o.Speedup)
	case !(o.Scale > 0) || math.IsInf(o.Scale, 1):
		return o, fmt.Errorf("scale is %g, want a positive number", o.Scale)
	case !(o.Size >= 0) || math.IsInf(o.Size, 1):
		return o, fmt.Errorf("size is %g, want frame bytes", o.Size)
	case o.Flows < 0:
		return o, fmt.Errorf("flows is %d, want 1 or more", o.Flows)
	case o.Step < 0 || o.Step > maxSpan:
		return o, fmt.Errorf("step is %v, want more than 0 and at most %v", o.Step, maxSpan)
	case o.Column == "":
		return o, errors.New("no column named that holds the load")
	case o.Column == RowCount && o.Time == "":
		return o, fmt.Errorf("column %s needs a time column", RowCount)
	}
	if o.Lifetime < 0 {
		return o, fmt.Errorf("lifetime is %v, want 0 or more", o.Lifetime)
	}
	return o, checkCut(o.From, o.To)
}

// ReadLoad reads a load curve in CSV, compressed or not, with a line of column names. The load of a row holds until the
// time of the next row; that of the last row holds as long as the one before it (or Step). Load times Scale is the
// packet rate of all flows together. Each of the equal flows carries its share, and where the load is 0 they are
// silent. With Lifetime, there are as many at once. A load that is not a number, negative or infinite, and a time that
// does not grow, are errors that name the line. Flows share their segments, which must not be changed.
func ReadLoad(path string, o LoadOptions) (*Workload, error) {
	o, err := o.normal()
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	src, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	defer src.Close()
	src.ctx = o.Context
	return readLoad(src, path, o)
}

func readLoad(src *source, path string, o LoadOptions) (*Workload, error) {
	o, err := o.normal()
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	c := curve{o: o}
	l := newLines(src)
	rows, err := c.read(l)
	if fault := l.fault(); fault != nil {
		err = fault
	}
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	if len(c.segments) == 0 {
		return nil, fmt.Errorf("traces: %s: no load in column %s%s", path, o.Column, cutText(o.From, o.To))
	}
	if end := float64(c.segments[len(c.segments)-1].End) / o.Speedup; !(end < float64(maxSpan)) {
		return nil, fmt.Errorf("traces: %s: longer than %v at speedup %g", path, maxSpan, o.Speedup)
	}
	if o.Speedup != 1 {
		speed(c.segments, o.Speedup)
	}
	for i := range c.segments {
		s := &c.segments[i]
		s.Packets *= (s.End - s.Start).Seconds() / float64(o.Flows)
		s.Bytes = s.Packets * o.Size
	}
	w := &Workload{Skipped: l.notes(c.log.skipped)}
	if err := w.carry(c.segments, o.Flows, o.Lifetime, o.Offset); err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	w.sort()
	packets, bytes := w.Totals()
	w.Provenance = []string{fmt.Sprintf("load %s: column %s of %d rows%s, times %g, %g times as fast: %.0f packets, "+
		"%.0f bytes in %d flows",
		filepath.Base(path), o.Column, rows, cutText(o.From, o.To), o.Scale, o.Speedup, packets, bytes, len(w.Flows))}
	return w, nil
}

// curve collects segments. Until the end of readLoad their Packets hold the packet rate of all flows.
type curve struct {
	o        LoadOptions
	log      logged // its notes
	segments []Segment
}

// hold adds a rate from start to end, in the file's time since its first row.
func (c *curve) hold(start, end instant, rate float64) error {
	from, to := instant{}.add(c.o.From), instant{}.add(c.o.To)
	if c.o.To > 0 && to.before(end) {
		end = to
	}
	if start.before(from) {
		start = from
	}
	if rate == 0 || !start.before(end) {
		return nil
	}
	s := Segment{Start: start.minus(from).time(), End: end.minus(from).time(), Packets: rate}
	if s.End > maxSpan {
		return fmt.Errorf("the rows last longer than %v: want from and to", maxSpan)
	}
	if n := len(c.segments); n > 0 && c.segments[n-1].End == s.Start && c.segments[n-1].Packets == rate {
		c.segments[n-1].End = s.End
		return nil
	}
	c.segments = append(c.segments, s)
	return nil
}

// read reads the rows; errors name the line.
func (c *curve) read(l *lines) (rows int, err error) {
	defer func() {
		if err != nil && l.n > 0 {
			err = fmt.Errorf("line %d: %w", l.n, err)
		}
	}()
	o := c.o
	t := table{lines: l, log: &c.log, columns: []column{{names: []string{o.Column}}, {names: []string{o.Time}}}}
	switch {
	case o.Column == RowCount:
		t.columns = t.columns[1:]
	case o.Time == "":
		t.columns = t.columns[:1]
	}
	if err := t.head(); err != nil {
		return 0, err
	}
	var first, start, before instant // times of the first row, and of the row before since then
	var rate float64
	step := instant{}.add(o.Step)
	gap := step
	for {
		ok, err := t.row()
		if err != nil {
			return rows, err
		}
		if !ok {
			break
		}
		now := start.plus(step)
		if rows == 0 {
			now = start
		}
		if o.Time != "" {
			i := len(t.columns) - 1
			at, err := parseInstant(t.cell(i))
			if err == nil {
				err = at.plausible()
			}
			if err != nil {
				return rows, t.fail(i, err)
			}
			if rows == 0 {
				first = at
				if o.Column == RowCount { // steps begin with whole seconds, minutes, ... of the clock
					first = instant{sec: at.sec - at.sec%max(1, int64(o.Step/units.Second))}
				}
			} else if at.before(before) || at == before && o.Column != RowCount {
				return rows, t.fail(i, fmt.Errorf("%q is not later than the row before", clip(t.cell(i))))
			}
			before, now = at, at.minus(first)
		}
		if o.Column == RowCount {
			now = now.floor(o.Step)
		}
		next := o.Scale / o.Step.Seconds()
		if o.Column != RowCount {
			v, err := parseLoad(t.cell(0))
			if err != nil {
				return rows, t.fail(0, err)
			}
			next = v * o.Scale
		}
		switch {
		case rows == 0:
		case start.before(now):
			if gap = now.minus(start); o.Column == RowCount {
				gap = step
			}
			if err := c.hold(start, start.plus(gap), rate); err != nil {
				return rows, err
			}
		default: // another event of a step
			next += rate
		}
		if !(next <= MostRate) {
			return rows, fmt.Errorf("a load of %g packets a second, want at most %g, one packet a picosecond", next,
				float64(MostRate))
		}
		start, rate = now, next
		rows++
	}
	return rows, c.hold(start, start.plus(gap), rate)
}

func parseLoad(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= 0) {
		return 0, fmt.Errorf("%q is not a load: want a number that is not negative", clip(s))
	}
	return v, nil
}

// splitCSV splits a line by RFC 4180; a quoted value ends on its line.
func splitCSV(line string) ([]string, error) {
	if !strings.Contains(line, `"`) {
		cells := strings.Split(line, ",")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		return cells, nil
	}
	var cells []string
	for {
		line = strings.TrimLeft(line, " \t")
		if !strings.HasPrefix(line, `"`) {
			cell, rest, more := strings.Cut(line, ",")
			cells = append(cells, strings.TrimSpace(cell))
			if !more {
				return cells, nil
			}
			line = rest
			continue
		}
		var cell strings.Builder
		for line = line[1:]; ; {
			part, rest, ok := strings.Cut(line, `"`)
			if !ok {
				return nil, errors.New("a quote is not closed on its line")
			}
			cell.WriteString(part)
			if line = rest; !strings.HasPrefix(line, `"`) {
				break
			}
			cell.WriteByte('"')
			line = line[1:]
		}
		cells = append(cells, cell.String())
		rest, more := strings.CutPrefix(strings.TrimLeft(line, " \t"), ",")
		if !more {
			if rest != "" {
				return nil, fmt.Errorf("%q after a closing quote, want a comma", clip(rest))
			}
			return cells, nil
		}
		line = rest
	}
}

var timeLayouts = []string{time.RFC3339Nano, time.DateTime}

// parseInstant reads decimal seconds or a date with a time of day, UTC unless it says otherwise.
func parseInstant(s string) (instant, error) {
	if t, err := parseSeconds(s); err == nil {
		return t, nil
	}
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return instant{t.Unix(), int64(t.Nanosecond()) * 1000}, nil
		}
	}
	return instant{}, fmt.Errorf("%q is not a time: want decimal seconds, RFC 3339 or 2006-01-02 15:04:05", clip(s))
}
