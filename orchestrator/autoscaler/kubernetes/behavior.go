package kubernetes

import (
	"math"

	"github.com/smartinco/smartinco/units"
)

// event is a number of replicas at a time: a recommendation, or by how many the number was changed.
type event struct {
	at       units.Time
	replicas int
}

// since drops the events that are older than a span.
func since(events []event, now, span units.Time) []event {
	keep := events[:0]
	for _, e := range events {
		if now-e.at <= span {
			keep = append(keep, e)
		}
	}
	return keep
}

// change is how much the events of the last while add up to. One that is exactly as old counts no more.
func change(events []event, now, period units.Time) (n int) {
	for _, e := range events {
		if now-e.at < period {
			n += e.replicas
		}
	}
	return n
}

// The conditions that the decision log begins its reasons with.
const (
	scaleDownStabilized = "ScaleDownStabilized: up to the highest recommendation of the window"
	scaleUpStabilized   = "ScaleUpStabilized: down to the lowest recommendation of the window"
	readyForNewScale    = "ReadyForNewScale"

	scaleUpLimit       = "ScaleUpLimit: no more than may be added by now"
	scaleDownLimit     = "ScaleDownLimit: no fewer than may be removed by now"
	tooManyReplicas    = "TooManyReplicas: at most the greatest number"
	tooFewReplicas     = "TooFewReplicas: at least the least number"
	desiredWithinRange = "DesiredWithinRange"
)

// stabilizeDown is the older path: no lower than the highest of the recommendations that are at most as old as the
// window.
func stabilizeDown(past []event, now, window units.Time, desired int) (int, string) {
	highest := desired
	for _, r := range past {
		if now-r.at <= window {
			highest = max(highest, r.replicas)
		}
	}
	if highest != desired {
		return highest, scaleDownStabilized
	}
	return desired, readyForNewScale
}

// stabilize is the path with a behavior: no higher than the lowest recommendation of one window, no lower than the
// highest of another, and the current number between them. A recommendation that is exactly as old as a window counts
// no more.
func stabilize(past []event, now, up, down units.Time, current, desired int) (int, string) {
	lowest, highest := desired, desired
	for _, r := range past {
		if now-r.at < up {
			lowest = min(lowest, r.replicas)
		}
		if now-r.at < down {
			highest = max(highest, r.replicas)
		}
	}
	switch n := min(max(current, lowest), highest); {
	case n == desired:
		return n, readyForNewScale
	case desired >= current:
		return n, scaleUpStabilized
	default:
		return n, scaleDownStabilized
	}
}

// limitUp is the older path: from least to most, and at most twice the number, or 4.
func limitUp(current, desired, least, most int) (int, string) {
	limit := max(2*current, 4)
	switch {
	case desired < least:
		return least, tooFewReplicas
	case desired > limit && limit < most:
		return limit, scaleUpLimit
	case desired > most:
		return most, tooManyReplicas
	}
	return desired, desiredWithinRange
}

// changes are how the number of replicas was changed lately.
type changes struct{ ups, downs []event }

// add notes a change that is carried out now.
func (c *changes) add(b *Behavior, now units.Time, from, to int) {
	switch {
	case to > from:
		c.ups = note(c.ups, &b.ScaleUp, now, to-from)
	case to < from:
		c.downs = note(c.downs, &b.ScaleDown, now, from-to)
	}
}

// note puts a change in the place of the last one that is older than the longest period of its direction's policies, or
// behind the others where none is. So a change may be forgotten that a longer period of the other direction still has,
// and it may be remembered where there are several of them. That is what Kubernetes does.
func note(events []event, r *Rules, now units.Time, replicas int) []event {
	var longest units.Time
	for i := range r.Policies {
		longest = max(longest, r.Policies[i].period())
	}
	for i := len(events) - 1; i >= 0; i-- {
		if now-events[i].at > longest {
			events[i] = event{now, replicas}
			return events
		}
	}
	return append(events, event{now, replicas})
}

// limit is the path with a behavior: what the policies of the direction allow, from least to most.
func (c *changes) limit(b *Behavior, now units.Time, current, desired, least, most int) (int, string) {
	switch {
	case desired > current:
		limit := max(current, c.bound(&b.ScaleUp, now, current, 1))
		switch {
		case desired > limit && limit < most:
			return limit, scaleUpLimit
		case desired > most:
			return most, tooManyReplicas
		}
	case desired < current:
		limit := min(current, c.bound(&b.ScaleDown, now, current, -1))
		switch {
		case desired < limit && limit > least:
			return limit, scaleDownLimit
		case desired < least:
			return least, tooFewReplicas
		}
	}
	return desired, desiredWithinRange
}

// bound is how far the number may go, up with sign 1 and down with sign -1.
func (c *changes) bound(r *Rules, now units.Time, current, sign int) int {
	if r.SelectPolicy == "Disabled" {
		return current
	}
	farthest := r.SelectPolicy != "Min"
	bound, first := 0, true
	for i := range r.Policies {
		p := &r.Policies[i]
		began := current - change(c.ups, now, p.period()) + change(c.downs, now, p.period())
		b := began + sign*p.Value
		if p.Type == "Percent" {
			b = percentOf(began, sign*p.Value)
		}
		if first || (sign*b > sign*bound) == farthest {
			bound, first = b, false
		}
	}
	return bound
}

// percentOf changes a number by a percentage: rounded up where it grows, cut off where it shrinks.
func percentOf(n, percent int) int {
	share := float64(percent) / 100
	x := min(float64(n)*(1+share), MostReplicas)
	if percent > 0 {
		return int(math.Ceil(x))
	}
	return int(x)
}
