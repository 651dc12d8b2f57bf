package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/results"
)

// page is what the columns of a system's table go along.
type page struct {
	along string // key of the study; empty for a single column
	name  string // in the heads of the columns
	at    []string
}

var pages = map[string]page{
	"horus":      {"workload.0.requests.load", "load", []string{"0.5", "0.8", "0.9", "0.95", "0.99"}},
	"horus-rack": {"workload.0.requests.load", "load", []string{"0.5", "0.7", "0.8", "0.9", "0.95"}},
	"maestro":    {"", "ours", []string{""}},
	"ringleader": {"workload.1.requests.load", "batch", []string{"0.3", "0.7", "1", "1.5"}},
	"inreal":     {"", "ours", []string{""}},
	"ipipe":      {"workload.0.requests.load", "short", []string{"0.04", "0.08", "0.12", "0.16", "0.2"}},
	"smartinco":  {"", "ours", []string{""}},
	"prequal":    {"workload.0.requests.load", "load", []string{"0.2", "0.3", "0.5", "0.7", "0.9"}},
}

const (
	policy     = "scheduler.policy="
	autoscaler = "autoscaler.policy="
	dispatcher = "nodes.dispatcher.policy="

	horusSays = "lower; a number could not be found (Yassini et al., NSDI 2024, abstract)"
	twiceSays = "fewer than all: only where the decision is affected (thesis 2.5)"
	noNumber  = "none could be found"
)

// The ends of spans. A ratio has none of 0.
const (
	none = 0
)

// The runs that several claims are about.
var (
	horus      = where{policy + "horus"}
	maestro    = where{policy + "maestro:training:5s"}
	ringleader = where{policy + "ringleader"}
	byHash     = where{policy + "ringleader:choose:rss"}
	unranked   = where{policy + "ringleader:pree:5"}
	shortest   = where{policy + "least-connections"}
	bounded    = where{policy + "jbsq:n:4"}
	inReal     = where{autoscaler + "in-real"}
	prequal    = where{policy + "prequal"}
	ipipe      = where{policy + "ipipe"}
	bestFit    = where{policy + "best-fit"}
	roundRobin = where{policy + "round-robin"}

	// of two levels
	horus2 = where{dispatcher + "horus-spine", policy + "horus"}
	rsH    = where{dispatcher + "racksched", policy + "racksched"}
	rsR    = where{dispatcher + "random", policy + "racksched"}
)

// claims are in the order of the tables.
var claims = slices.Concat(ofHorus(), []claim{
	{"horus-rack", "99 % delay over that of `rs-h`, RackSched at both levels", horusSays, "horus-rack", tail, horus2,
		rsH, none, 1},
	{"horus-rack", "over that of `rs-r`, any leaf and RackSched in it", horusSays, "horus-rack", tail, horus2, rsR,
		none, 1},
	{"horus-rack", "over that of Horus' leaves under RackSched, which hears of each reply", noNumber, "horus-rack",
		tail, horus2, where{dispatcher + "racksched", policy + "horus"}, none, 1},
	{"horus-rack", "over that of Horus' leaves, any of which is drawn", noNumber, "horus-rack", tail, horus2,
		where{dispatcher + "random", policy + "horus"}, none, 1},
	{"horus-rack", "messages of load to the spine for each request, over those of `rs-h`",
		"fewer: a load once in as many replies as a leaf has workers (its simulator)", "horus-rack", signals, horus2,
		rsH, none, 1},
	{"horus-rack", "requests that pass twice at the leaf, of those that found no idle worker", twiceSays,
		"horus-rack", again, horus2, nil, none, 1},
	{"horus-rack", "requests that pass twice at the leaf, of all", noNumber, "horus-rack", twice, horus2, nil, 0, 0},

	{"maestro", "a table that is balanced once loses less than one that is not: loss of `maestro` over that of `rss`",
		"less; a number could not be found (Pereira et al., NSDI 2024)", "maestro", loss, maestro,
		where{policy + "rss"}, none, 1},
	{"maestro", "moving buckets loses less than balancing once: loss of `rss++` over that of `maestro`",
		"less; a number could not be found (Barbette et al., CoNEXT 2019)", "maestro", loss, where{policy + "rss++"},
		maestro, none, 1},

	{"ringleader", "the urgent tenant's 99 % delay over that under `least-connections`", ringleaderSays, "ringleader",
		tailOf("urgent"), ringleader, shortest, none, 1},
	{"ringleader", "over that under `jbsq` with as many requests a core, which knows no priorities", ringleaderSays,
		"ringleader", tailOf("urgent"), ringleader, bounded, none, 1},
	{"ringleader", "over that under its own baseline, `choose: rss`", ringleaderSays, "ringleader", tailOf("urgent"),
		ringleader, byHash, none, 1},
	{"ringleader", "urgent requests that are lost or take more than 100 µs: over those under `choose: rss`",
		ringleaderSays, "ringleader", missed("urgent"), ringleader, byHash, none, 1},
	{"ringleader", "ranks: the urgent tenant's 99 % delay with λ = 0.2 over that with λ = 1", noNumber, "ringleader",
		tailOf("urgent"), ringleader, unranked, none, 1},
	{"ringleader", "the same on cores that serve what is urgent first", noNumber, "ringleader-cores",
		tailOf("urgent"), ringleader, unranked, none, 1},
	{"ringleader", "on such cores, the urgent tenant's 99 % delay over that under `least-connections`", ringleaderSays,
		"ringleader-cores", tailOf("urgent"), ringleader, shortest, none, 1},

	{"inreal", "SmartINCO's highest throughput at 64 B, with Best-Fit, over In-ReAl's", inrealSays, "inreal", peak,
		bestFit, inReal, 1.15, 1.25},
	{"inreal", "the same with Round-Robin", inrealSays, "inreal", peak, roundRobin, inReal, 1.15, 1.25},

	{"prequal", "99 % delay over that under `round-robin`", prequalSays, "prequal", tail, prequal, roundRobin, none, 1},
	{"prequal", "over that of two choices by requests that this dispatcher has sent, `power-of-d`", noNumber, "prequal",
		tail, prequal, where{policy + "power-of-d"}, none, 1},
	{"prequal", "over that of the fewest requests of all, `least-connections`", noNumber, "prequal", tail, prequal,
		shortest, none, 1},

	{"ipipe", "cores of the host that are busy, over those under `least-connections`",
		"fewer: up to 3.1 cores are saved (Liu et al., SIGCOMM 2019, abstract)", "ipipe", hosts, ipipe, shortest, none,
		1},
	{"ipipe", "mean delay over that under `round-robin`, which knows no kinds of cores", noNumber, "ipipe", mean, ipipe,
		roundRobin, none, 1},
	{"ipipe", "mean delay over that under `least-connections`", noNumber, "ipipe", mean, ipipe, shortest, none, 1},

	{"smartinco", "Best-Fit's throughput at the end over Round-Robin's",
		"1.036: 1.5 Mpps more than about 42 (thesis 4.4)", "fig9", plateau, bestFit, roundRobin, 1.024, 1.048},
	{"smartinco", "VNFs in use under Best-Fit over those under Worst-Fit", "fewer (thesis 4.4)", "fig9", used, bestFit,
		where{policy + "worst-fit"}, none, 0.999},
})

const (
	ringleaderSays = "lower; a number could not be found (Lin et al., NSDI 2023)"
	prequalSays    = "lower; a number could not be found (Wydrowski et al., NSDI 2024, abstract)"
	inrealSays     = "about 1.2 (thesis 4.6)"
)

// ofHorus are the claims on Horus, each for three distributions of service times.
func ofHorus() (cs []claim) {
	for _, s := range []struct{ study, service string }{{"horus", "exponential"}, {"horus-bimodal", "bimodal"},
		{"horus-trimodal", "trimodal"}} {
		cs = append(cs,
			claim{"horus", s.service + ": 99 % delay over that of `racksched`", horusSays, s.study, tail, horus,
				where{policy + "racksched"}, none, 1},
			claim{"horus", s.service + ": 99 % delay over that of one central queue, `jbsq` with `n: 1`", noNumber,
				s.study, tail, horus, where{policy + "jbsq:n:1"}, none, 1},
			claim{"horus", s.service + ": requests that pass twice, of those that found no idle worker", twiceSays,
				s.study, again, horus, nil, none, 1},
			claim{"horus", s.service + ": requests that pass twice, of all", noNumber, s.study, twice, horus, nil, 0,
				0})
	}
	return cs
}

var tail = measure{"99 % delay", func(r *results.Record) (float64, error) { return r.Run.Requests.Delay.P99, nil }}

var loss = measure{"loss", func(r *results.Record) (float64, error) {
	return r.Run.Totals.Dropped.Sum() / r.Run.Totals.Offered, nil
}}

// again is the share of the requests that pass the pipeline more than once, of those that found no worker idle.
var again = measure{"second passes", func(r *results.Record) (float64, error) {
	idle := int64(0)
	for _, why := range r.Run.Policy.Reasons {
		if why.Name == "known to be idle" {
			idle = int64(why.N)
		}
	}
	busy := r.Run.Requests.Placed - idle
	return float64(r.Run.Requests.Resubmissions) / float64(max(1, busy)), nil
}}

// twice is the share of all requests that pass the pipeline more than once.
var twice = measure{"further passes", func(r *results.Record) (float64, error) {
	return r.Run.Requests.PassesPer, nil
}}

// signals is the messages by which the dispatcher was told of load, for each request that it sent.
var signals = measure{"signals", func(r *results.Record) (float64, error) {
	return r.Run.Requests.Dispatcher.SignalsPer, nil
}}

// peak is the highest throughput of a window.
var peak = measure{"highest throughput", func(r *results.Record) (most float64, err error) {
	err = r.EachWindow(func(w *results.Window) error { most = max(most, w.Processed); return nil })
	return most, err
}}

// plateau is the throughput of the last tenth of the windows, in their mean.
var plateau = measure{"throughput at the end", func(r *results.Record) (float64, error) {
	ws, err := r.Windows()
	last := ws[len(ws)-max(1, len(ws)/10):]
	sum := 0.0
	for i := range last {
		sum += last[i].Processed
	}
	return sum / float64(len(last)), err
}}

// mean is the mean delay of all requests.
var mean = measure{"mean delay", func(r *results.Record) (float64, error) { return r.Run.Requests.Delay.Mean, nil }}

// hosts is how many cores of the host are busy, in the mean: the instances behind the fourth.
var hosts = measure{"busy cores of the host", func(r *results.Record) (busy float64, err error) {
	err = r.EachInstance(func(in *results.Instance) error {
		if in.Instance > 4 {
			busy += in.Utilization
		}
		return nil
	})
	ws, werr := r.Windows()
	return busy / float64(max(1, len(ws))), errors.Join(err, werr)
}}

// used is how many instances had flows, in the mean of the windows.
var used = measure{"instances in use", func(r *results.Record) (mean float64, err error) {
	n := 0
	err = r.EachWindow(func(w *results.Window) error { mean, n = mean+float64(w.Used), n+1; return nil })
	return mean / float64(max(1, n)), err
}}

// group finds a class of requests.
func group(r *results.Record, class string) (*results.RequestGroup, error) {
	for i := range r.Run.Requests.Classes {
		if c := &r.Run.Requests.Classes[i]; c.Name == class {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s: no class %s", r.Dir, class)
}

// tailOf is the delay that 99 % of a class's requests do not exceed.
func tailOf(class string) measure {
	return measure{"99 % delay of " + class, func(r *results.Record) (float64, error) {
		c, err := group(r, class)
		if err != nil {
			return 0, err
		}
		all, err := r.Latencies()
		for _, l := range all {
			if l.Scope == "class" && l.Number == c.Number && l.Kind == "end-to-end" {
				return float64(l.P99), nil
			}
		}
		if err == nil {
			err = fmt.Errorf("%s: no delays of class %s", r.Dir, class)
		}
		return 0, err
	}}
}

// missed is the share of a class's requests that were lost or took longer than their objective.
func missed(class string) measure {
	return measure{"missed of " + class, func(r *results.Record) (float64, error) {
		c, err := group(r, class)
		if err != nil {
			return 0, err
		}
		return float64(c.Dropped+c.Late) / float64(c.Offered), nil
	}}
}
