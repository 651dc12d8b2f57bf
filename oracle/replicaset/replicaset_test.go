package replicaset

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/kubernetes/pkg/controller"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// The whole order is compared. What decides between pods of one age is random in both: the pods' UIDs are our lots.
func TestOrder(t *testing.T) {
	judge.Cases(t, "replicaset", 50000, func(r *rand.Rand) error {
		now := time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC)
		const at = 100 * units.Hour
		var all []policy.Instance
		seen := map[units.Time]bool{} // two that became ready at once are not compared
		for i := range 1 + r.IntN(12) {
			age := judge.Of(r, r.Int64N(2e9), r.Int64N(60e9), r.Int64N(7200e9), 1<<r.Int64N(42), 1<<r.Int64N(42)-1)
			created := at - units.Time(age)*units.Nanosecond
			ready := at - units.Time(r.Int64N(age+1))*units.Nanosecond
			if seen[created] || seen[ready] {
				continue
			}
			seen[created], seen[ready] = true, true
			x := policy.Instance{ID: flow.Instance(i + 1), Created: created, Ready: units.Never}
			if judge.Chance(r, .7) {
				x.State, x.Ready = policy.Ready, ready
			}
			all = append(all, x)
		}
		scores := make([]float64, len(all))
		autoscaler.Victims.Find("replicaset").New(policy.Env{Rand: r}).Score(at, all, scores)

		theirs := controller.ActivePodsWithRanks{Rank: make([]int, len(all)), Now: metav1.Time{Time: now}}
		timeOf := func(t units.Time) metav1.Time { return metav1.Time{Time: now.Add(judge.Duration(t - at))} }
		for k, i := range all {
			_, lot := math.Modf(scores[k] + 1) // of no age, the logarithm is -1
			p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: strconv.Itoa(k), CreationTimestamp: timeOf(i.Created),
				UID: types.UID(fmt.Sprintf("%.15f", lot))}, Spec: v1.PodSpec{NodeName: "node"}}
			p.Status.Phase = v1.PodPending
			if i.State == policy.Ready {
				p.Status.Phase = v1.PodRunning
				p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue,
					LastTransitionTime: timeOf(i.Ready)}}
			}
			theirs.Pods = append(theirs.Pods, p)
		}
		sort.Sort(theirs)
		var want []int
		for _, p := range theirs.Pods {
			k, _ := strconv.Atoi(p.Name)
			want = append(want, k)
		}
		got := make([]int, len(all))
		for k := range got {
			got[k] = k
		}
		slices.SortFunc(got, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
		if !slices.Equal(got, want) {
			return fmt.Errorf("%v, theirs %v: %+v with scores %v", got, want, all, scores)
		}
		return nil
	})
}
