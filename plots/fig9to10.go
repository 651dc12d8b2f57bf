package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
)

// autoscaled are the runs of figures 8 and 9: several instances, their number free to change when any run has that, and the
// smallest packet size, which is the hardest to process, when there are several.
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
	for i, k := range known {
		found := false
		for _, g := range gs {
			found = found || g.look == i
		}
		if !found {
			notes = append(notes, "no record with scheduler.policy: "+k.policy)
		}
	}
	return notes
}

// fig9: throughput, loss and VNFs over time, one line a scheduler, with the number of active flows above.
func fig9(ds []data, o Options) (*page, []string, error) {
	in, notes, err := autoscaled(ds)
	if err != nil {
		return nil, nil, err
	}
	gs := bySchedulers(in)
	notes = append(notes, absent(gs)...)
	x := axis{label: "Time (s)", max: longest(in)}
	a := &panel{title: "Throughput", x: x, y: axis{label: "Throughput (Mpps)"}}
	b := &panel{title: "Packet loss at the VNFs", x: x, y: axis{label: "Loss (Mpps)"}}
	c := &panel{title: "VNFs in use", x: x, y: axis{label: "VNFs", count: true}}
	d := &panel{title: "VNFs running", x: x, y: axis{label: "VNFs", count: true}}
	n := 0
	for _, g := range gs {
		n = max(n, len(g.runs))
		a.series = append(a.series, g.over(line, func(_ data, w window) float64 { return w.Processed / mega }))
		b.series = append(b.series, g.over(line, func(_ data, w window) float64 { return w.DroppedInstance / mega }))
		c.series = append(c.series, g.over(step, func(_ data, w window) float64 { return float64(w.Used) }))
		d.series = append(d.series, g.over(step, func(_ data, w window) float64 { return float64(w.Instances) }))
	}
	level([]*panel{c, d})
	a.top, a.topOf = flowTicks(in[0], x.max), "Active flows"
	if a.top == nil {
		a.topOf = ""
	}
	if o.Published {
		a.marks = []mark{{label: "around 42 Mpps", at: fig9Plateau}}
		b.marks = []mark{{label: "22 ± 2.5 Mpps", at: fig9Loss, half: fig9LossRange / 2}}
		if t, ok := onset(in[0], fig9Onset); ok {
			b.marks = append(b.marks, mark{label: "9 flows", at: t, onX: true})
		}
	}
	pg := stack(o, n, 76, a, b, c, d)
	pg.heights[2], pg.heights[3] = 50, 50
	return pg, notes, nil
}

// flowTicks mark on the time axis when how many flows were active; none when their number ever falls before the last window.
func flowTicks(d data, end float64) (ts []tick) {
	most := int32(0)
	for i, w := range d.windows {
		if w.Flows < most && i < len(d.windows)-1 {
			return nil
		}
		most = max(most, w.Flows)
	}
	size := max(1, (most+7)/8)
	for n := size; n <= most; n += size {
		if t, ok := onset(d, n); ok && (len(ts) == 0 || t-ts[len(ts)-1].at > end/20) {
			ts = append(ts, tick{t, strconv.Itoa(int(n))})
		}
	}
	return ts
}

func longest(ds []data) (t float64) {
	for _, d := range ds {
		t = max(t, d.windows[len(d.windows)-1].T)
	}
	return t
}

// fig10: offered and processed bit rate and VNFs over time, one panel a packet size. Bits are those of the frames, without
// preamble and gap, on both lines.
func fig10(ds []data, o Options) (*page, []string, error) {
	var notes []string
	in := keep(ds, &notes, "no single packet size", false, func(d data) bool { return d.size > 0 })
	in = keep(in, &notes, "a single instance", false, func(d data) bool { return d.max > 1 })
	// Of each size, runs like the published ones come first: free to scale, under Round-Robin.
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
	var rates, counts []*panel
	n := 0
	for i, g := range bySize(in) {
		n = max(n, len(g.runs))
		bits := 8 * float64(g.runs[0].size) / giga
		x := axis{label: "Time (s)", max: longest(g.runs)}
		top := x
		top.bare = true
		offered := g.over(line, func(_ data, w window) float64 { return w.Offered * bits })
		offered.name, offered.look, offered.thin = "offered", 6, true
		done := g.over(line, func(_ data, w window) float64 { return w.ProcessedBits / giga })
		done.name = "processed"
		used := g.over(step, func(_ data, w window) float64 { return float64(w.Used) })
		used.name, used.look = "VNFs in use", 2
		running := g.over(step, func(_ data, w window) float64 { return float64(w.Instances) })
		running.name, running.look = "VNFs running", 1
		r := &panel{title: letter(i) + " " + g.name, x: top, series: []series{offered, done}}
		v := &panel{x: x, series: []series{running, used}}
		v.y.count = true
		if i == 0 {
			r.y.label, v.y.label = "Frame bit rate (Gbit/s)", "VNFs"
		}
		if o.Published {
			publish(r, v, g.runs[0])
		}
		rates, counts = append(rates, r), append(counts, v)
	}
	level(rates)
	level(counts)
	return &page{width: inches(o), rows: [][]*panel{rates, counts}, heights: []vg.Length{96, 58}, note: seedNote(n)}, notes, nil
}

// publish adds what the thesis reports for the run's packet size, and the line rate in frame bits.
func publish(rate, vnfs *panel, d data) {
	link, overhead := d.link, d.overhead
	if link == 0 {
		link, overhead = testbedLink, testbedGap
	}
	wire := link * float64(d.size) / (float64(d.size) + overhead) / giga
	at, ok := fig10Published[d.size]
	switch {
	case ok && at.gbps > 0:
		rate.marks = []mark{{label: fmt.Sprintf("%g Gbit/s", at.gbps), at: at.gbps}, {label: "line rate", at: wire, limit: "link's limit"}}
	case ok:
		rate.marks = []mark{{label: "line rate", at: wire}}
	default:
		rate.marks = []mark{{label: "line rate", at: wire, limit: "link's limit"}}
	}
	if ok {
		vnfs.marks = []mark{{label: fmt.Sprintf("%g VNFs", at.instances), at: at.instances}}
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

func letter(i int) string { return "(" + string(rune('a'+i%26)) + ")" }

func inches(o Options) vg.Length { return vg.Length(o.Width) * vg.Inch }

// stack puts panels one above the other, lettered; those with the same x axis share its numbers.
func stack(o Options, n int, height vg.Length, ps ...*panel) *page {
	pg := &page{width: inches(o), note: seedNote(n)}
	for i, p := range ps {
		p.title = letter(i) + " " + p.title
		p.x.bare = i+1 < len(ps)
		pg.rows = append(pg.rows, []*panel{p})
		pg.heights = append(pg.heights, height)
	}
	return pg
}

func seedNote(n int) string {
	if n < 2 {
		return ""
	}
	return fmt.Sprintf("mean and range of n = %d runs", n)
}
