package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/plots/chart"
)

// autoscaled picks the runs of figures 8 and 9: those with several instances and, if there are any, with a number that
// is free to change. Of several packet sizes it picks the smallest, which is the hardest to process.
func autoscaled(ds []data) ([]data, []string, error) {
	var notes []string
	in := keep(ds, &notes, "a single instance", false, func(d data) bool { return d.max > 1 })
	in = keep(in, &notes, "the number of instances is fixed", true, func(d data) bool { return !d.fixed })
	size := int64(math.MaxInt64)
	for _, d := range in {
		size = min(size, d.size)
	}
	in = keep(in, &notes, "larger packets", true, func(d data) bool { return d.size == size })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	return in, notes, nil
}

// absent names the schedulers of the published figure that no record has.
func absent(gs []group) (notes []string) {
	for _, k := range known {
		if !slices.ContainsFunc(gs, func(g group) bool { return g.runs[0].scheduler == k.policy }) {
			notes = append(notes, "no record with scheduler.policy: "+k.policy)
		}
	}
	return notes
}

// fig9: throughput, loss and VNFs over time, with one line for each scheduler and the number of active flows above.
func fig9(ds []data, o Options) (*chart.Page, []string, error) {
	in, notes, err := autoscaled(ds)
	if err != nil {
		return nil, nil, err
	}
	gs := bySchedulers(in)
	notes = append(notes, absent(gs)...)
	ps := overTime(gs,
		trace{"Throughput", "Throughput (Mpps)", chart.Line, func(w window) float64 { return w.Processed / mega }},
		trace{"Packet loss at the VNFs", "Loss (Mpps)", chart.Line,
			func(w window) float64 { return w.DroppedInstance / mega }},
		inUse, running)
	through, lost := ps[0], ps[1]
	chart.Level(ps[2:]...)
	if through.Top = flowTicks(in[0], through.X.Max); through.Top != nil {
		through.TopOf = "Active flows"
	}
	if o.Published {
		through.Marks = []chart.Mark{{Label: "around 42 Mpps", At: fig9Plateau}}
		lost.Marks = []chart.Mark{{Label: "22 ± 2.5 Mpps", At: fig9Loss, Half: fig9LossRange / 2}}
		if t, ok := onset(in[0], fig9Onset); ok {
			lost.Marks = append(lost.Marks, chart.Mark{Label: "9 flows", At: t, OnX: true})
		}
	}
	pg := stack(o, mostRuns(gs), 76, ps...)
	pg.Heights[2], pg.Heights[3] = 50, 50
	return pg, notes, nil
}

// flowTicks mark when the number of active flows reached each value. There are none if the number falls before the last
// window.
func flowTicks(d data, end float64) (ts []chart.Tick) {
	most := int32(0)
	for i, w := range d.windows {
		if w.Flows < most && i < len(d.windows)-1 {
			return nil
		}
		most = max(most, w.Flows)
	}
	size := max(1, (most+7)/8)
	for n := size; n <= most; n += size {
		if t, ok := onset(d, n); ok && (len(ts) == 0 || t-ts[len(ts)-1].At > end/20) {
			ts = append(ts, chart.Tick{At: t, Label: strconv.Itoa(int(n))})
		}
	}
	return ts
}

// fig10: offered and processed bit rate and VNFs over time, with a pair of panels for each packet size. Both lines
// count the bits of the frames, without preamble and gap.
func fig10(ds []data, o Options) (*chart.Page, []string, error) {
	var notes []string
	in := keep(ds, &notes, "no single packet size", false, func(d data) bool { return d.size > 0 })
	in = keep(in, &notes, "a single instance", false, func(d data) bool { return d.max > 1 })
	// For each size, runs like the published ones are preferred: free to scale, under Round-Robin.
	for _, c := range []struct {
		why string
		ok  func(data) bool
	}{
		{"the number of instances is fixed", func(d data) bool { return !d.fixed }},
		{"another scheduler than Round-Robin", func(d data) bool { return rank(d.scheduler) == 0 }},
	} {
		all := in
		in = keep(in, &notes, c.why, true, func(d data) bool {
			return c.ok(d) || !slices.ContainsFunc(all, func(e data) bool { return e.size == d.size && c.ok(e) })
		})
	}
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	var rates, counts []*chart.Panel
	gs := bySize(in)
	for i, g := range gs {
		bits := 8 * float64(g.runs[0].size) / giga
		x := chart.Axis{Label: "Time (s)", Max: longest(g.runs)}
		top := x
		top.Bare = true
		offered := g.over(chart.Line, func(w window) float64 { return w.Offered * bits })
		offered.Name, offered.Look, offered.Thin = "offered", 6, true
		done := g.over(chart.Line, func(w window) float64 { return w.ProcessedBits / giga })
		done.Name = "processed"
		used, there := g.over(inUse.kind, inUse.of), g.over(running.kind, running.of)
		used.Name, used.Look = inUse.title, 2
		there.Name, there.Look = running.title, 1
		r := &chart.Panel{Title: chart.Letter(i) + " " + g.name, X: top, Series: []chart.Series{offered, done}}
		v := &chart.Panel{X: x, Series: []chart.Series{there, used}}
		v.Y.Count = true
		if i == 0 {
			r.Y.Label, v.Y.Label = "Frame bit rate (Gbit/s)", "VNFs"
		}
		if o.Published {
			publish(r, v, g.runs[0])
		}
		rates, counts = append(rates, r), append(counts, v)
	}
	chart.Level(rates...)
	chart.Level(counts...)
	return &chart.Page{Width: o.Width, Rows: [][]*chart.Panel{rates, counts}, Heights: []float64{96, 58},
		Notes: []string{seedNote(mostRuns(gs))}}, notes, nil
}

// publish adds what the thesis reports for the run's packet size, and the line rate in bits of frames.
func publish(rate, vnfs *chart.Panel, d data) {
	link, overhead := float64(d.scenario.NIC.Link), float64(d.scenario.NIC.FrameOverhead)
	if link == 0 {
		link, overhead = testbedLink, testbedGap
	}
	wire := link * float64(d.size) / (float64(d.size) + overhead) / giga
	at, ok := fig10Published[d.size]
	switch {
	case ok && at.gbps > 0:
		rate.Marks = []chart.Mark{{Label: fmt.Sprintf("%g Gbit/s", at.gbps), At: at.gbps},
			{Label: "line rate", At: wire, Limit: "link's limit"}}
	case ok:
		rate.Marks = []chart.Mark{{Label: "line rate", At: wire}}
	default:
		rate.Marks = []chart.Mark{{Label: "line rate", At: wire, Limit: "link's limit"}}
	}
	if ok {
		vnfs.Marks = []chart.Mark{{Label: fmt.Sprintf("%g VNFs", at.instances), At: at.instances}}
	}
}

func bySize(ds []data) (gs []group) {
	for _, d := range ds {
		if n := len(gs); n > 0 && gs[n-1].runs[0].size == d.size {
			gs[n-1].runs = append(gs[n-1].runs, d)
		} else {
			gs = append(gs, group{name: fmt.Sprintf("%d B", d.size), runs: []data{d}})
		}
	}
	return gs
}

// stack puts panels one above the other; n is the greatest number of runs behind a point.
func stack(o Options, n int, height float64, ps ...*chart.Panel) *chart.Page {
	pg := chart.Stack(o.Width, height, ps...)
	pg.Notes = []string{seedNote(n)}
	return pg
}

func seedNote(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf("mean and range of n = %d runs", n)
}
