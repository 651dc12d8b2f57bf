package autoscaler

import "github.com/smartinco/smartinco/orchestrator/policy"

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
}

func scored(f policy.EachScored) func(policy.Env) policy.Victim {
	return func(policy.Env) policy.Victim { return f }
}
