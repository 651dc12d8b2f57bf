// Package plots draws the figures of a study from run records alone. It cannot tell a simulated run from one on
// hardware, and imports neither plant.
//
// A figure sorts the records of a sweep by what their scenarios say: scheduler, packet size, number of instances. It
// takes the runs that differ in the seed alone together, and draws their mean with a band from the least to the
// greatest. Grey reference marks show the values that the thesis on SmartINCO published.
//
//	fig, err := plots.Draw("fig9", records, plots.Options{Published: true})
//	err = fig.Save("fig9.pdf") // and fig9.csv, which holds every number that is drawn
//
// Figures are made for print. They have the widths of IEEE's columns, and 8 pt text whose font, which has the metrics
// of Times, is inside the file. Colour-blind readers can tell the colours apart; dashes, markers and hatches tell
// series apart in greyscale. The same records give the same bytes.
package plots

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// ErrRequest marks, in the sense of errors.Is, an error of the request: an unknown figure or format, a width out of
// range, records that do not suffice. Other errors are those of reading the records and of writing files.
var ErrRequest = chart.ErrRequest

// Widths of a figure in inches: a column of IEEE's two-column layout, and the page.
const (
	OneColumn = 3.5
	TwoColumn = 7.16
)

// Options say how to draw.
type Options struct {
	// Width of the figure in inches, from 2 to 20; OneColumn and TwoColumn are the usual ones. Zero takes the width
	// that suits the figure: one column if its panels stand one above the other, two if they stand side by side.
	Width float64
	// Published adds the thesis' values as grey reference marks.
	Published bool

	// The others are for figures that are drawn from a table, and an error for the rest.

	// Metrics are columns of the table, or A/B for the ratio of two. None takes those that suit the figure.
	Metrics []string
	// Best says of each metric whether Least or Most is the best; of those that it leaves out, what is natural.
	Best []string
	// By are the keys that tell settings apart. The other keys, apart from the seed, give a panel for each combination
	// of their values. None takes all keys. Of a heat map they are two, the first across.
	By []string
	// Where takes the runs with these values of keys alone: KEY=VALUE, and several of one key for any of them.
	Where []string
	// Log gives metrics logarithmic axes.
	Log bool
}

// Info describes a figure that Draw can draw.
type Info struct {
	ID    string // for Draw
	Title string
	Needs string // which records it is drawn from
	Table bool   // it is drawn from a table of a study as well
}

type figure struct {
	Info
	width float64
	draw  func([]data, Options) (*chart.Page, []string, error)

	// Of those with a table: what they show unless they are told, and how they are drawn.
	metrics []string
	several bool // any number of metrics, although they show one
	table   func(*selection, Options) (*chart.Page, []string, error)
}

var figures = []figure{
	recorded("fig6", "Saturation of one VNF alone",
		"runs with a single instance (instances.max: 1) under rising load, in one run or in several", OneColumn, fig6),
	recorded("fig7", "Throughput of VNFs that run at once",
		"runs whose number of instances is fixed (autoscaler.policy: none, or instances.min equal to instances.max), "+
			"for several numbers", OneColumn, fig7),
	recorded("fig8", "Mean flows and throughput of each instance, by scheduler",
		"runs with more than one instance, under one or more schedulers", TwoColumn, fig8),
	recorded("fig9", "Throughput, loss and VNFs over time, by scheduler",
		"runs with more than one instance, under one or more schedulers", OneColumn, fig9),
	recorded("fig10", "Throughput and VNFs over time, by packet size",
		"runs with more than one instance and a workload that states packet_size, "+
			"for one or more sizes", TwoColumn, fig10),
	recorded("slowpath", "What a new flow suffers before its rule is in force",
		"runs whose flows all have one rate (workload[].flows[].rate), "+
			"for one or more rates and values of nic.install_latency", OneColumn, slowPath),
	recorded("delay", "How long packets wait and stay",
		"runs that measure delays (measure.delay, with engine: packet)", TwoColumn, delay),
	recorded("tail", "Tail latency of requests against load, by policy", "runs of requests (engine: request) that "+
		"differ in scheduler.policy, the load and seed alone", OneColumn, tail),
	recorded("compare", "Policies side by side", "runs that differ in "+mayDiffer+", as a sweep over "+
		"scheduler.policy: [all] or autoscaler.policy: [all] leaves them", TwoColumn, sideBySide),
	recorded("scaling", "What autoscalers did over time", "runs whose number of instances is free to change, and that "+
		"differ in "+mayDiffer, OneColumn, scaling),

	tabled("heat", "A metric over two keys", "two keys (by) and one metric", OneColumn, heat, "loss"),
	several(tabled("lines", "Metrics over a key, a line for each setting", "one or more metrics and a key whose "+
		"values are numbers", OneColumn, lines, "loss")),
	tabled("pareto", "One metric against another, with the Pareto front", "two metrics", OneColumn, front,
		"instance_s", "loss"),
	tabled("box", "Quartiles of a metric over the runs of each setting", "one metric", OneColumn, boxes, "loss"),
	tabled("violin", "Density of a metric over the runs of each setting", "one metric", OneColumn, violins, "loss"),
	tabled("cdf", "Distribution of a metric over the runs of each setting", "one metric", OneColumn, distribution,
		"loss"),
	tabled("ccdf", "Complement of the distribution of a metric over the runs", "one metric", OneColumn, complement,
		"loss"),
	tabled("parallel", "Keys and metrics side by side, the best settings coloured", "one or more metrics", TwoColumn,
		parallel, usual...),
}

func recorded(id, title, needs string, width float64,
	draw func([]data, Options) (*chart.Page, []string, error)) figure {
	return figure{Info: Info{ID: id, Title: title, Needs: needs}, width: width, draw: draw}
}

func tabled(id, title, needs string, width float64,
	draw func(*selection, Options) (*chart.Page, []string, error), metrics ...string) figure {
	return figure{Info: Info{ID: id, Title: title, Needs: "runs or the table of a study, with " + needs, Table: true},
		width: width, metrics: metrics, table: draw}
}

func several(f figure) figure {
	f.several = true
	return f
}

// Figures lists what Draw can draw.
func Figures() []Info {
	var is []Info
	for _, f := range figures {
		is = append(is, f.Info)
	}
	return is
}

// Draw draws the figure with this id; the order of the records does not matter. It leaves out the records that the
// figure cannot use, and names them in Figure.Notes. If none is left, the error is ErrRequest.
func Draw(id string, recs []*results.Record, o Options) (*Figure, error) {
	if f, err := find(id); err == nil && f.Table {
		t, err := TableOf(recs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		return DrawTable(id, t, o)
	}
	var ds []data
	for _, r := range recs {
		d, err := read(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		ds = append(ds, d)
	}
	return drawFrom(id, ds, o)
}

// DrawTable draws a figure that is drawn from a table (Info.Table). What the table does not suffice for is ErrRequest.
func DrawTable(id string, t *Table, o Options) (*Figure, error) {
	f, err := find(id)
	if err != nil {
		return nil, err
	}
	if !f.Table {
		return nil, chart.Requestf("%s is drawn from records, not from a table", id)
	}
	if err := f.fit(&o); err != nil {
		return nil, err
	}
	s, left, err := t.choose(o, f.metrics...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	if len(f.metrics) == 1 && len(s.metrics) != 1 && !f.several {
		return nil, chart.Requestf("%s: %d metrics: want one", id, len(s.metrics))
	}
	pg, notes, err := f.table(s, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	return newFigure(f.Info, pg, o, append(left, notes...)), nil
}

// find is the figure with an id.
func find(id string) (*figure, error) {
	var ids []string
	for i := range figures {
		if figures[i].ID == id {
			return &figures[i], nil
		}
		ids = append(ids, figures[i].ID)
	}
	return nil, chart.Requestf("no figure %q: want one of %s", id, strings.Join(ids, ", "))
}

// fit checks the options and chooses the width.
func (f *figure) fit(o *Options) error {
	if o.Width == 0 {
		o.Width = f.width
	}
	if err := o.check(); err != nil {
		return fmt.Errorf("%s: %w", f.ID, err)
	}
	if !f.Table && (len(o.Metrics)+len(o.Best)+len(o.By)+len(o.Where) > 0 || o.Log) {
		var with []string
		for _, g := range figures {
			if g.Table {
				with = append(with, g.ID)
			}
		}
		return chart.Requestf("%s has no choice of metrics, keys and axes: want it of one of %s", f.ID,
			strings.Join(with, ", "))
	}
	return nil
}

func drawFrom(id string, ds []data, o Options) (*Figure, error) {
	f, err := find(id)
	if err != nil {
		return nil, err
	}
	if f.Table {
		t, err := tableOf(ds)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		return DrawTable(id, t, o)
	}
	if err := f.fit(&o); err != nil {
		return nil, err
	}
	sortRuns(ds)
	pg, notes, err := f.draw(ds, o)
	if errors.Is(err, ErrRequest) {
		return nil, chart.Requestf("%s: %w; it needs %s", id, err, f.Needs)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	pg.Notes = append(pg.Notes, scaleNote(ds))
	return newFigure(f.Info, pg, o, notes), nil
}

func (o Options) check() error {
	if !(o.Width >= 2 && o.Width <= 20) {
		return chart.Requestf("width %g in: want 2 to 20 in, such as %g for one column or %g for two",
			o.Width, OneColumn, TwoColumn)
	}
	return nil
}

// Figure is a figure ready to be saved, in any number of formats.
type Figure struct {
	ID    string
	Title string
	// Width and Height of the printed figure, in inches.
	Width, Height float64
	// Notes say which records were left out and why, and what of the published figure is missing.
	Notes []string
	page  *chart.Page
}

func newFigure(i Info, pg *chart.Page, o Options, notes []string) *Figure {
	return &Figure{ID: i.ID, Title: i.Title, Width: o.Width, Height: pg.Height(), Notes: notes, page: pg}
}

// Save writes the figure to path, in the format that the ending names: .pdf, .svg, .png (300 dpi) or .tex (a pgfpicture
// for \input, which takes the document's font). It writes the numbers to a file beside it with the ending .csv, and
// never replaces one that is not a figure's. Each file appears whole or not at all.
func (f *Figure) Save(path string) error {
	return f.page.Save(path, func(path string, write func(io.Writer) error) error {
		if err := results.WriteFile(path, write); err != nil {
			return fmt.Errorf("%s: %s: %w", f.ID, path, err)
		}
		return nil
	})
}

// WriteCSV writes every number that is drawn, one row for each point. Kind is line, step, points, bars or dots for
// measured series, and published or limit for reference marks, whose x or y is empty. Low and high are the ends of the
// band, empty if there is none, and n is the number of runs behind a point.
func (f *Figure) WriteCSV(w io.Writer) error { return f.page.WriteCSV(w) }
