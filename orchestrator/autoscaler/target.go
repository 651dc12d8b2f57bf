package autoscaler

import (
	"math"
	"strconv"
)

// targetUtilization asks for ceil(load / (limit · target)) instances. The thesis calls its rule an internal heuristic;
// this is its equation 2.1, ceil(current · utilisation / target), with utilisation = load / (current · limit), in which
// the current number cancels out. Within the tolerance the current number stands, as in Kubernetes.
type targetUtilization struct{}

func (targetUtilization) Recommend(o *Options, in *Input) (int, string) {
	share := float64(o.Target * in.Limit) // packets a second that one instance shall carry
	if in.Current > 0 {
		off := in.Load/(float64(in.Current)*share) - 1
		if math.Abs(off) <= o.Tolerance {
			return in.Current, "within the tolerance of the target"
		}
	}
	return ceil(in.Load / share), mpps(in.Load) + " at " + mpps(share) + " each"
}

func mpps(rate float64) string { return strconv.FormatFloat(rate/1e6, 'g', 6, 64) + " Mpps" }

// ceil rounds up to a number of instances, but takes a value that exceeds a whole number by less than a billionth of
// itself for that number: rates that add up to the boundary exactly do not ask for one instance more. Values beyond
// a billion instances count as a billion.
func ceil(x float64) int {
	if !(x > 0) {
		return 0
	}
	return int(math.Ceil(min(x*(1-1e-9), 1e9)))
}
