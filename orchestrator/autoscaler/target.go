package autoscaler

import (
	"strconv"

	"github.com/smartinco/smartinco/numeric"
)

// targetUtilization asks for ceil(load / (limit · target)) instances. The thesis calls its rule an internal heuristic;
// this is its equation 2.1, ceil(current · utilisation / target), with utilisation = load / (current · limit), in which
// the current number cancels out. Within the tolerance the current number stands, as in Kubernetes.
type targetUtilization struct{}

func (targetUtilization) Recommend(o *Options, in *Input) (int, string) {
	share := float64(o.Target * in.Limit) // packets a second that one instance shall carry
	if in.Current > 0 {
		target := float64(float64(in.Current) * share)
		if off := float64(target * o.Tolerance); !numeric.Exceeds(in.Load, target+off) && !numeric.Exceeds(target, in.Load+off) {
			return in.Current, "within the tolerance of the target"
		}
	}
	reason := mpps(in.Load) + " at " + mpps(share) + " each"
	if in.Held > 0 {
		reason += ", held flows included: " + strconv.Itoa(in.Held)
	}
	return numeric.Ceil(in.Load/share, most), reason
}

// most is the largest number of instances that is ever recommended.
const most = 1e9

func mpps(rate float64) string { return strconv.FormatFloat(rate/1e6, 'g', 6, 64) + " Mpps" }
