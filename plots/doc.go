// Package plots draws the figures of a study from run records alone. It cannot tell a simulated run from one on hardware, and
// imports neither plant.
//
// A figure takes the records of a sweep, sorts them by what their scenarios say (scheduler, packet size, number of instances),
// takes runs that differ in nothing but the seed together, and draws their mean with a band from the least to the greatest.
// Beside the measured lines stand the values that the thesis on SmartINCO published, as grey reference marks.
//
//	fig, err := plots.Draw("fig9", records, plots.Options{Published: true})
//	err = fig.Save("fig9.pdf") // and fig9.csv, which holds every number that is drawn
//
// Figures are made for print: the widths of IEEE's columns, 8 pt Times-metric text with the font inside the file, the colours
// of Okabe and Ito, and dashes, markers and hatches that tell series apart in greyscale. The same records give the same bytes.
package plots

import (
	"errors"
	"fmt"
	"strings"
)

// ErrRequest is what an error of the request is, in the sense of errors.Is: an unknown figure or format, a width out of
// range, records that do not suffice. Other errors are those of reading the records and of writing files.
var ErrRequest = errors.New("not to be drawn")

func requestf(format string, args ...any) error { return request{fmt.Errorf(format, args...)} }

type request struct{ error }

func (request) Is(target error) bool { return target == ErrRequest }
func (r request) Unwrap() error      { return r.error }

// Widths of a figure in inches: a column of IEEE's two-column layout, and the page.
const (
	OneColumn = 3.5
	TwoColumn = 7.16
)

// Options say how to draw.
type Options struct {
	// Width of the figure in inches, from 2 to 20; OneColumn and TwoColumn are the usual ones. Zero takes the width that suits
	// the figure: one column when its panels stand one above the other, two when they stand side by side.
	Width float64
	// Published adds the thesis' values as grey reference marks.
	Published bool
}

// Info describes a figure that Draw can draw.
type Info struct {
	ID    string // for Draw
	Title string
	Needs string // which records it is drawn from
}

type figure struct {
	Info
	width float64
	draw  func([]data, Options) (*page, []string, error)
}

var figures = []figure{
	{Info{"fig6", "Saturation of one VNF alone", "runs with a single instance (instances.max: 1) under rising load, in one run or in several"}, OneColumn, fig6},
	{Info{"fig7", "Throughput of VNFs that run at once", "runs whose number of instances is fixed (autoscaler.policy: none, or instances.min equal to instances.max), for several numbers"}, OneColumn, fig7},
	{Info{"fig8", "Mean flows and throughput of each instance, by scheduler", "runs with more than one instance, under one or more schedulers"}, TwoColumn, fig8},
	{Info{"fig9", "Throughput, loss and VNFs over time, by scheduler", "runs with more than one instance, under one or more schedulers"}, OneColumn, fig9},
	{Info{"fig10", "Throughput and VNFs over time, by packet size", "runs with more than one instance and a workload that states packet_size, for one or more sizes"}, TwoColumn, fig10},
	{Info{"slowpath", "What a new flow suffers before its rule is in force", "runs whose flows all have one rate (workload[].flows[].rate), for one or more rates and values of nic.install_latency"}, OneColumn, slowPath},
	{Info{"delay", "How long packets wait and stay", "runs that measure delays (measure.delay, with engine: packet)"}, TwoColumn, delay},
}

// Figures lists what Draw can draw.
func Figures() []Info {
	var is []Info
	for _, f := range figures {
		is = append(is, f.Info)
	}
	return is
}

func drawFrom(id string, ds []data, o Options) (*Figure, error) {
	var ids []string
	for _, f := range figures {
		ids = append(ids, f.ID)
		if f.ID != id {
			continue
		}
		if o.Width == 0 {
			o.Width = f.width
		}
		if err := o.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		sortRuns(ds)
		pg, notes, err := f.draw(ds, o)
		if errors.Is(err, ErrRequest) {
			return nil, requestf("%s: %w; it needs %s", id, err, f.Needs)
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		pg.scale = scaleNote(ds)
		return newFigure(f.Info, pg, o, notes), nil
	}
	return nil, requestf("no figure %q: want one of %s", id, strings.Join(ids, ", "))
}

func (o Options) check() error {
	if !(o.Width >= 2 && o.Width <= 20) {
		return requestf("width %g in: want 2 to 20 in, such as %g for one column or %g for two", o.Width, OneColumn, TwoColumn)
	}
	return nil
}
