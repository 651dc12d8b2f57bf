package kubernetes

import (
	"errors"
	"math"
	"math/bits"

	"github.com/smartinco/smartinco/units"
)

// Class is what the grouping makes of a pod.
type Class uint8

// The classes.
const (
	Ready   Class = iota // its metric counts
	Unready              // it is there, and what it uses says nothing yet
	Missing              // it is there, and has no metric
	Ignored              // it is on its way out
)

// Pod is what the replica calculator knows of one.
type Pod struct {
	Class   Class
	Usage   int64 // of a Ready one, in thousandths of the metric's unit, 0 or more
	Request int64 // what its utilisation is measured against, in the same unit, 0 or more
}

// Status is what the grouping looks at.
type Status struct {
	Gone     bool // it is being deleted, or has failed
	Pending  bool // it has not started
	Measured bool // it has a metric

	// For CPU alone:
	Started   units.Time // Never before it did
	Condition Condition  // its condition Ready
	Since     units.Time // when that condition last changed
	Sampled   units.Time // end of the time that the metric describes
	Window    units.Time // length of that time
}

// Condition is the state of a pod's condition Ready.
type Condition uint8

// The states.
const (
	Unknown Condition = iota // the pod has no such condition
	False
	True
)

// Delays say how long the metric of a young pod is not trusted.
type Delays struct {
	Initialization units.Time // after its start, CPU counts only of a pod that is ready, a window after it became so
	Readiness      units.Time // a pod that turned unready within this time of its start was never ready
}

// Class groups a pod. Its readiness counts for CPU alone.
func (t *Status) Class(now units.Time, cpu bool, d Delays) Class {
	switch {
	case t.Gone:
		return Ignored
	case t.Pending:
		return Unready
	case !t.Measured:
		return Missing
	case cpu && t.unready(now, d):
		return Unready
	}
	return Ready
}

func (t *Status) unready(now units.Time, d Delays) bool {
	switch {
	case t.Condition == Unknown || t.Started == units.Never:
		return true
	case now-t.Started < d.Initialization:
		return t.Condition == False || t.Sampled-t.Since < t.Window
	}
	return t.Condition == False && t.Since-t.Started < d.Readiness
}

// Tolerances are the relative distances from the target within which nothing changes.
type Tolerances struct{ Down, Up float64 }

func (t Tolerances) within(ratio float64) bool { return 1-t.Down <= ratio && ratio <= 1+t.Up }

// ErrNoMetrics says that no pod has a metric that counts.
var ErrNoMetrics = errors.New("no metric of any pod that counts")

// MostReplicas is the largest number that is ever proposed.
const MostReplicas = math.MaxInt32

// tally is the sum over the pods that count.
type tally struct {
	pods           int
	usage, request int64
}

func (t *tally) add(usage, request int64) {
	t.pods++
	t.usage, t.request = plus(t.usage, usage), plus(t.request, request)
}

// plus adds numbers of 0 or more, and stops at the largest that there is.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// percent is the utilisation, cut off to a whole number.
func (t *tally) percent() int64 {
	hi, lo := bits.Mul64(uint64(t.usage), 100)
	if hi >= uint64(t.request) {
		return math.MaxInt32
	}
	q, _ := bits.Div64(hi, lo, uint64(t.request))
	return int64(min(q, math.MaxInt32))
}

// Utilization proposes a number of replicas for a target in percent of the requests, above 0, and gives the
// utilisation.
func Utilization(current int, target int64, tol Tolerances, pods []Pod) (replicas int, percent int64, err error) {
	return perPod(current, target, tol, pods, true)
}

// Average proposes a number of replicas for a target of the usage of a pod, in thousandths, above 0, and gives the
// average, cut off to a whole thousandth.
func Average(current int, target int64, tol Tolerances, pods []Pod) (replicas int, usage int64, err error) {
	return perPod(current, target, tol, pods, false)
}

// perPod is the rule of both.
func perPod(current int, target int64, tol Tolerances, pods []Pod, relative bool) (n int, found int64, err error) {
	var t tally
	unready, missing := 0, 0
	for i := range pods {
		switch p := &pods[i]; p.Class {
		case Ready:
			t.add(p.Usage, p.Request)
		case Unready:
			unready++
		case Missing:
			missing++
		}
	}
	if t.pods == 0 || relative && t.request == 0 {
		return 0, 0, ErrNoMetrics
	}
	level := func() int64 {
		if relative {
			return t.percent()
		}
		return t.usage / int64(t.pods)
	}
	found = level()
	ratio := float64(found) / float64(target)
	if missing == 0 && (unready == 0 || ratio <= 1) {
		if tol.within(ratio) {
			return current, found, nil
		}
		return ceil(ratio * float64(t.pods)), found, nil
	}
	// What is unknown is taken to speak against the change that the known asks for.
	for i := range pods {
		switch p := &pods[i]; {
		case ratio > 1 && (p.Class == Missing || p.Class == Unready):
			t.add(0, p.Request)
		case ratio < 1 && p.Class == Missing && relative:
			t.add(p.Request*max(100, target)/100, p.Request)
		case ratio < 1 && p.Class == Missing:
			t.add(target, p.Request)
		}
	}
	again := float64(level()) / float64(target)
	if tol.within(again) || ratio < 1 && again > 1 || ratio > 1 && again < 1 {
		return current, found, nil
	}
	n = ceil(again * float64(t.pods))
	if again < 1 && n > current || again > 1 && n < current {
		return current, found, nil
	}
	return n, found, nil
}

// Value proposes a number of replicas for a target of a metric that belongs to no pod, both in thousandths. ready are
// those of the pods that run and are ready. Where there is no pod, no change can be reckoned.
func Value(current, pods, ready int, target, usage int64, tol Tolerances) (replicas int, err error) {
	ratio := float64(usage) / float64(target)
	switch {
	case current == 0:
		return ceil(ratio), nil
	case tol.within(ratio):
		return current, nil
	case pods == 0:
		return 0, ErrNoMetrics
	}
	return ceil(ratio * float64(ready)), nil
}

// AverageValue proposes a number of replicas for a target of such a metric for each pod, and gives the average over the
// pods that there are, rounded up.
func AverageValue(pods int, target, usage int64, tol Tolerances) (replicas int, average int64) {
	replicas = pods
	if !tol.within(float64(usage) / (float64(target) * float64(pods))) {
		replicas = ceil(float64(usage) / float64(target))
	}
	switch {
	case float64(usage) >= math.MaxInt64, pods == 0 && usage > 0:
		return replicas, math.MaxInt64
	case pods == 0:
		return replicas, 0
	}
	return replicas, int64(math.Ceil(float64(usage) / float64(pods)))
}

// ceil rounds a number of replicas up.
func ceil(x float64) int { return int(math.Ceil(min(x, MostReplicas))) }
