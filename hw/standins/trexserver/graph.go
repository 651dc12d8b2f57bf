package trexserver

import (
	"cmp"
	"slices"
)

// shortBurst is the number of packets below which a burst counts, whatever its rate, as one packet a second of the
// shortest frame there is without padding.
const shortBurst = 1000

// load is traffic: packets a second, and bits a second without and with preamble and gap.
type load struct{ pps, l2, l1 float64 }

func (a load) plus(b load) load { return load{a.pps + b.pps, a.l2 + b.l2, a.l1 + b.l1} }

func (a load) times(f float64) load { return load{a.pps * f, a.l2 * f, a.l1 * f} }

// event is a change of the load at a time in µs.
type event struct {
	at     float64
	change load
	stream uint32
}

// graph is what a profile's streams will do, as far as it is known beforehand.
type graph struct {
	events   []event
	fixed    load    // of latency streams, which no factor scales
	peak     load    // with the fixed load
	duration float64 // µs, -1: endless
}

func (st *stream) load() load {
	pps := st.pps(defaultSpeed)
	l2 := pps * float64(len(st.packet)+fcs) * 8
	return load{pps, l2, l2 + pps*l1Overhead*8}
}

// graph walks the chains of streams that start with the traffic.
func (f *profile) graph() graph {
	var g graph
	for _, id := range f.ids() {
		st := f.streams[id]
		if !st.enabled {
			continue
		}
		if st.latency {
			g.fixed = g.fixed.plus(st.load())
		} else if st.self {
			g.walk(f, st)
		}
	}
	slices.SortStableFunc(g.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	g.peak = g.fixed
	now := g.fixed
	for _, e := range g.events {
		now = now.plus(e.change)
		g.peak.pps, g.peak.l2, g.peak.l1 = max(g.peak.pps, now.pps), max(g.peak.l2, now.l2), max(g.peak.l1, now.l1)
		if g.duration >= 0 {
			g.duration = max(g.duration, e.at)
		}
	}
	return g
}

func (g *graph) walk(f *profile, st *stream) {
	seen := map[uint32]bool{}
	for at := 0.0; ; {
		at += st.gap
		l := st.load()
		if st.continuous() {
			g.events = append(g.events, event{at, l, st.id})
			g.duration = -1
			return
		}
		gap := 0.0
		if l.pps > 0 {
			gap = 1e6 / l.pps
		}
		length := float64(st.total-1) * gap
		if st.mode == "multi_burst" {
			length = float64(st.bursts) * (length + st.between)
		}
		if st.total*st.bursts < shortBurst {
			l = load{1, 14 * 8, (14 + l1Overhead) * 8}
		}
		g.events = append(g.events, event{at, l, st.id})
		at += length
		g.events = append(g.events, event{at, l.times(-1), st.id})
		next := f.streams[uint32(st.next)]
		if st.next < 0 || next == nil || !next.enabled || next.latency {
			return
		}
		if seen[next.id] { // round and round
			g.duration = -1
			return
		}
		seen[next.id] = true
		st = next
	}
}

// report is the result of validate.
func (g graph) report() any {
	events := []dict{}
	for _, e := range g.events[:min(len(g.events), 100)] {
		events = append(events, dict{"time_usec": real(e.at), "stream_id": e.stream, "diff_pps": real(e.change.pps),
			"diff_bps_l2": real(e.change.l2), "diff_bps_l1": real(e.change.l1)})
	}
	// The original adds a ten-thousandth to the line's use.
	util := func(l1 float64) real { return real(l1 / defaultSpeed * 100 * 1.0001) }
	return dict{
		"graph": dict{"events": events, "events_count": len(g.events), "expected_duration": int64(g.duration)},
		"rate": dict{"max_pps": real(g.peak.pps), "max_bps_l2": real(g.peak.l2), "max_bps_l1": real(g.peak.l1),
			"max_line_util": util(g.peak.l1),
			"min_pps":       real(g.fixed.pps), "min_bps_l2": real(g.fixed.l2), "min_bps_l1": real(g.fixed.l1),
			"min_line_util": util(g.fixed.l1)},
	}
}
