package plots

import (
	"fmt"
	"math"
	"strconv"
)

// scale is what a run's rates and times are of those of the experiment that it stands for (key scale of its scenario).
type scale struct{ rate, time float64 }

func scaleOf(scenario any) scale {
	s := scale{1, 1}
	if r, _ := key(scenario, "scale", "rate").(float64); r > 0 {
		s.rate = r
	}
	if t, _ := key(scenario, "scale", "time").(float64); t > 0 {
		s.time = t
	}
	return s
}

// enlarge brings a run to the size of the experiment that it stands for, so that both share axes. What each packet or
// flow met stays as it was.
func (d *data) enlarge() {
	s := d.scale
	if s == (scale{1, 1}) {
		return
	}
	for i := range d.windows {
		w := &d.windows[i]
		w.T /= s.time
		for _, rate := range []*float64{&w.Offered, &w.Ingress, &w.Processed, &w.Dropped, &w.SlowPath, &w.ProcessedBits,
			&w.DroppedInstance, &w.DroppedESwitch, &w.DroppedSlowPath, &w.DroppedLink, &w.DroppedRejected} {
			*rate /= s.rate
		}
	}
	for i := range d.instances {
		r := &d.instances[i]
		r.T /= s.time
		for _, rate := range []*float64{&r.Offered, &r.Processed, &r.Dropped} {
			*rate /= s.rate
		}
	}
	for i := range d.flows {
		f := &d.flows[i]
		f.Start, f.End = f.Start/s.time, f.End/s.time
	}
	d.limit /= s.rate
}

// scaleNote says for the legend how much smaller the runs were than what the axes show.
func scaleNote(ds []data) string {
	for _, d := range ds {
		if d.scale != (scale{1, 1}) {
			note := "ran at " + fraction(d.scale.rate) + " of these rates"
			if d.scale.time != 1 {
				note += ", " + fraction(d.scale.time) + " of these times"
			}
			for _, e := range ds {
				if e.scale != d.scale {
					return "runs of several scales"
				}
			}
			return note
		}
	}
	return ""
}

// fraction writes a factor as people say it: 1/7500, 0.3 or 2.
func fraction(x float64) string {
	if n := math.Round(1 / x); n > 1 && math.Abs(n*x-1) < 0.005 {
		return fmt.Sprintf("1/%.0f", n)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
