package autoscaler

import (
	"math"
	"math/bits"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Victims is the table of the policies of choosing a victim.
var Victims = policy.Table[policy.VictimRow]{
	{
		Info: policy.Info{Name: "newest", Rule: "the instance created last",
			Source: "own choice: it undoes the last scale-out", Score: "the number, negative", Sees: policy.T0,
			Cost: "n"},
		New: scored(func(i *policy.Instance) float64 { return -float64(i.ID) }),
	},
	{
		Info: policy.Info{Name: "oldest", Rule: "the instance created first",
			Source: "own choice: it renews the set", Score: "the number", Sees: policy.T0, Cost: "n"},
		New: scored(func(i *policy.Instance) float64 { return float64(i.ID) }),
	},
	{
		Info: policy.Info{Name: "least-loaded", Rule: "the instance with the lowest packet rate",
			Source: "as RSS++ frees a core", Score: "packets a second", Sees: policy.T2, Cost: "n",
			Deviates: "RSS++ goes by the share of useful cycles of a core; what becomes of the flows is `drain`'s, " +
				"and not RSS++'s dealing of buckets"},
		New: scored(func(i *policy.Instance) float64 { return i.Rate.Rx }),
	},
	{
		Info: policy.Info{Name: "fewest-flows", Rule: "the instance with the fewest flows",
			Source: "own choice: fewest rules to move", Score: "flows", Sees: policy.T1, Cost: "n"},
		New: scored(func(i *policy.Instance) float64 { return float64(i.Flows) }),
	},
	{
		Info: policy.Info{Name: "most-loaded", Rule: "the instance with the highest packet rate",
			Source: "own choice: the opposite of least-loaded", Score: "packets a second, negative",
			Sees: policy.T2, Cost: "n"},
		New: scored(func(i *policy.Instance) float64 { return -i.Rate.Rx }),
	},
	{
		Info: policy.Info{Name: "most-flows", Rule: "the instance with the most flows",
			Source: "own choice: the opposite of fewest-flows", Score: "flows, negative", Sees: policy.T1, Cost: "n"},
		New: scored(func(i *policy.Instance) float64 { return -float64(i.Flows) }),
	},
	{
		Info: policy.Info{Name: "random", Rule: "an instance drawn at random, each with the same chance",
			Source: "own choice: what the others are compared with", Score: "a number drawn", Sees: policy.T0,
			Cost: "n"},
		New: func(env policy.Env) policy.Victim {
			return policy.EachScored(func(*policy.Instance) float64 { return numeric.Uniform(env.Rand) })
		},
	},
	{
		Info: policy.Info{Name: "replicaset",
			Rule: "one that starts, or else of those that became ready in the latest power of 2 of the time, any",
			Source: "Kubernetes 1.36.3, pkg/controller/controller_utils.go, ActivePodsWithRanks; " +
				"pkg/controller/replicaset/replica_set.go",
			Score: "1000 if ready, and the whole binary logarithm of the age in nanoseconds, and below 1 the " +
				"instance's lot",
			Sees: policy.T0, State: "a number drawn once, of which each instance has its lot", Cost: "n",
			Deviates: "all instances are on one node, have no cost of deletion and never restart, so that these " +
				"tell none apart; times are exact, not whole seconds; of those that became ready at once, " +
				"Kubernetes goes on to the time of creation, and leaves the order open where that is the same; " +
				"here the lot decides"},
		New: func(env policy.Env) policy.Victim { return replicaSet{env.Rand.Uint64()} },
	},
	{
		Info: policy.Info{Name: "swarm", Rule: "one that starts, or else any",
			Source: "moby/swarmkit 0072dfff, manager/orchestrator/replicated: replicated.go, slot.go",
			Score:  "1 if ready, and below 1 the instance's lot", Sees: policy.T0,
			State: "a number drawn once, of which each instance has its lot", Cost: "n",
			Deviates: "all instances are on one node, where Swarm takes one of the node with the most first; the " +
				"order of those that run is that of a map in Swarm, and a lot here"},
		New: func(env policy.Env) policy.Victim {
			key := env.Rand.Uint64()
			return policy.EachScored(func(i *policy.Instance) float64 {
				if i.State == policy.Starting {
					return lot(key, i)
				}
				return 1 + lot(key, i)
			})
		},
	},
}

// replicaSet is the order in which a ReplicaSet deletes its pods. Its field is what the lots are of.
type replicaSet struct{ key uint64 }

// Score implements policy.Victim.
func (r replicaSet) Score(now units.Time, of []policy.Instance, scores []float64) {
	for k := range of {
		i := &of[k]
		since, rank := i.Created, 0.0
		if i.State == policy.Ready {
			since, rank = i.Ready, 1000
		}
		scores[k] = rank + float64(logarithm(now-since)) + lot(r.key, i)
	}
}

// logarithm is the whole binary logarithm of a time in nanoseconds; -1 of no time.
func logarithm(t units.Time) int {
	if t <= 0 {
		return -1
	}
	return bits.Len64(uint64(t/units.Nanosecond)) - 1
}

// lot is a number from 0 to below 1 that an instance keeps, in the place of the random part of a pod's name. It is the
// output function of SplitMix64: Steele, Lea and Flood, OOPSLA 2014.
func lot(key uint64, i *policy.Instance) float64 {
	z := key + uint64(i.ID)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return math.Ldexp(float64((z^z>>31)>>24), -40)
}

func scored(f policy.EachScored) func(policy.Env) policy.Victim {
	return func(policy.Env) policy.Victim { return f }
}
