package plots

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// tail: the delay that 99 % of requests do not exceed over the load, a line for each policy: of all requests, of each
// class, and of each tenant.
func tail(ds []data, o Options) (*chart.Page, []string, error) {
	const mostPanels = 12
	var notes []string
	in := keep(ds, &notes, "it has no requests, or did not reach its end", false,
		func(d data) bool { return d.run.Requests != nil && d.run.Requests.Delay.P99 > 0 && d.run.Complete })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	gs, err := byPolicies(in)
	if err != nil {
		return nil, nil, err
	}
	load, label, note := loadsOf(in)
	var ps []*chart.Panel
	var xs []float64
	lo, hi, runs := math.Inf(1), 0.0, 0
	panel := func(of part) *chart.Panel {
		for _, p := range ps {
			if p.Title == of.title {
				return p
			}
		}
		p := &chart.Panel{Title: of.title}
		if of.slo > 0 {
			p.Marks = []chart.Mark{{Label: spaced(of.slo.String()), At: micro(of.slo), Limit: "objective"}}
		}
		ps = append(ps, p)
		return p
	}
	for _, g := range gs {
		lines := map[*chart.Panel]*merge{}
		for i := range g.runs {
			parts, err := g.runs[i].parts()
			if err != nil {
				return nil, nil, err
			}
			x := load(&g.runs[i])
			xs = append(xs, x)
			for _, of := range parts {
				p := panel(of)
				if lines[p] == nil {
					lines[p] = &merge{grain: 1e-6}
				}
				lines[p].add(x, of.p99)
				lo, hi = min(lo, of.p99), max(hi, of.p99)
			}
		}
		for _, m := range lines {
			runs = max(runs, m.most())
		}
		for _, p := range ps {
			if m := lines[p]; m != nil {
				line := chart.Series{Name: g.name, Look: g.look, Kind: chart.Line}
				p.Series = append(p.Series, m.series(line, m.most()))
			}
		}
	}
	tenants := slices.IndexFunc(ps, func(p *chart.Panel) bool { return strings.HasPrefix(p.Title, ofTenant) })
	if tenants > 0 && len(ps) > mostPanels {
		notes = append(notes, "left out, more than there is room for: "+counted(len(ps)-tenants, "tenant"))
		ps = ps[:tenants]
	}
	if n := len(ps); n > mostPanels {
		notes = append(notes, fmt.Sprintf("left out: the last %d classes", n-mostPanels))
		ps = ps[:mostPanels]
	}
	for _, p := range ps {
		p.X = numberAxis(label, xs)
		p.Y = chart.Axis{Label: "Delay, 99 % (µs)", Log: true, Min: lo / 1.3, Max: hi * 1.3}
		p.Y.Ticks = logTicks(p.Y.Min, p.Y.Max)
		if p.Y.Max < 100*p.Y.Min {
			p.Y.Ticks = halves(p.Y.Min, p.Y.Max)
		}
	}
	height := 110.0
	if len(ps) > 4 {
		height = 80
	}
	pg := inGrids(o, height, seedNote(runs), ps)
	pg.Notes = append(pg.Notes, note)
	return pg, notes, nil
}

// halves are ticks of a logarithmic axis at 1, 2 and 5 times powers of ten.
func halves(lo, hi float64) (ts []chart.Tick) {
	for power := math.Pow10(int(math.Floor(math.Log10(lo)))); power <= hi; power *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			if at := float64(digit * power); at >= lo && at <= hi {
				ts = append(ts, chart.Tick{At: at, Label: chart.Short(at)})
			}
		}
	}
	return ts
}

// ofTenant begins the titles of tenants.
const ofTenant = "Tenant "

// part is the tail of some of the requests of a run.
type part struct {
	title string
	p99   float64 // µs
	slo   units.Time
}

func micro(t units.Time) float64 { return float64(t) / float64(units.Microsecond) }

// parts are all requests, those of each class where there are several, and those of each tenant, unless each tenant has
// one class of its own. What had no reply is left out.
func (d *data) parts() (all []part, err error) {
	rows, err := d.latencies()
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", d.run.Name, err)
	}
	r := d.run.Requests
	all = []part{{title: "All requests", p99: 1e6 * r.Delay.P99}}
	add := func(scope, title string, of []results.RequestGroup) {
		for i := range of {
			at := slices.IndexFunc(rows, func(l results.Latency) bool {
				return l.Scope == scope && l.Number == of[i].Number && l.Kind == "end-to-end"
			})
			if at >= 0 && rows[at].P99 > 0 {
				all = append(all, part{title + of[i].Name, micro(units.Time(rows[at].P99)),
					units.Time(of[i].SLO * float64(units.Second))})
			}
		}
	}
	if len(r.Classes) > 1 {
		add("class", "Class ", r.Classes)
	}
	same := func(c, t results.RequestGroup) bool { return c.Offered == t.Offered }
	if !slices.EqualFunc(r.Classes, r.Tenants, same) {
		add("tenant", ofTenant, r.Tenants)
	}
	return all, nil
}

// loadsOf says what the load of a run is, its name, and what a reader has to know of it: the sum of what its sources
// ask for, as a share of what the instances can serve, where all state that, and else the requests that came in a
// second.
func loadsOf(ds []data) (load func(*data) float64, label, note string) {
	for i := range ds {
		for _, s := range ds[i].scenario.Workload {
			if s.Requests == nil || s.Requests.Load == 0 {
				return func(d *data) float64 { return d.run.Totals.Offered / d.run.Duration / mega },
					"Load (million requests/s)", ""
			}
		}
	}
	return func(d *data) (sum float64) {
		for _, s := range d.scenario.Workload {
			sum += s.Requests.Load
		}
		return sum
	}, "Load", "load: share of what the instances can serve"
}

// byPolicies groups runs that differ in the scheduler's policy, the load and the seed alone. A name says in what
// options a policy differs from others of its name.
func byPolicies(ds []data) (gs []group, err error) {
	var settings []map[string]string
	for _, d := range ds {
		keys := settingsOf(d.scenario)
		maps.DeleteFunc(keys, func(key, _ string) bool { return loadKey.MatchString(key) })
		at := slices.IndexFunc(settings, func(k map[string]string) bool { return maps.Equal(k, keys) })
		if at < 0 {
			at = len(gs)
			gs, settings = append(gs, group{name: d.scheduler}), append(settings, keys)
		}
		gs[at].runs = append(gs[at].runs, d)
	}
	names := make([]string, len(gs))
	for i := range gs {
		names[i] = gs[i].name
		for k := range i {
			if key := unlike(settings[k], settings[i], false); key != "" {
				return nil, chart.Requestf("the records differ in %s, and not in scheduler.policy, the load and seed "+
					"alone", key)
			}
		}
		for k := range gs {
			if k != i && gs[k].runs[0].scheduler == gs[i].runs[0].scheduler {
				names[i] += differing(settings[i], settings[k])
				break
			}
		}
	}
	for i := range gs {
		gs[i].name = names[i]
	}
	slices.SortStableFunc(gs, func(a, b group) int { return inOrder(a.name, b.name) })
	for i := range gs {
		gs[i].look = chart.Look(i)
	}
	return gs, nil
}

// loadKey matches the keys that say how much comes.
var loadKey = regexp.MustCompile(`^workload\.\d+\.requests\.(load|rate|clients)$`)
