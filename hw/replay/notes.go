package replay

import (
	"fmt"
	"slices"
	"time"
)

// latencies are how long the hardware took for requests.
type latencies struct{ ready, stop, rules []time.Duration }

// notes are what the record says in words: what happened, and how the hardware did.
func (p *plant) notes() []string {
	for _, l := range []struct {
		what string
		took []time.Duration
	}{
		{"instances started, from the request until they took packets", p.latencies.ready},
		{"instances stopped, from the request until they were gone", p.latencies.stop},
		{"rules written, from the request until the switch confirmed", p.latencies.rules},
	} {
		if n := len(l.took); n > 0 {
			slices.Sort(l.took)
			p.note("%d %s: median %v, 99 in 100 within %v, at most %v", n, l.what,
				short(l.took[n/2]), short(l.took[min(n-1, n*99/100)]), short(l.took[n-1]))
		}
	}
	if p.began {
		p.note("switch: %s, counters up to %v old; a packet that has not come through %v after that counts as lost",
			p.caps.Name, p.caps.CounterLag, settle)
	}
	if d := p.sc.Measure.Delay; d != "" && d != "none" {
		p.note("no delays, which the scenario asks for (measure.delay: %s): packets carry no time stamps here, so "+
			"that the costs wait_p50_s, wait_p99_s, wait_p999_s and slo_packets are not known", d)
	}
	if p.flows.foreign > 0 {
		p.note("%d packets came in that are not of the scenario's flows", p.flows.foreign)
	}
	return p.told
}

// note tells the record alone.
func (p *plant) note(format string, args ...any) {
	p.told = append(p.told, fmt.Sprintf(format, args...))
}

// short rounds a duration to about three digits.
func short(d time.Duration) time.Duration {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= 10*unit {
			return d.Round(unit / 10)
		}
	}
	return d
}
