package policy

// Count is how often something happened.
type Count struct {
	Name string `json:"name"`
	N    uint64 `json:"n"`
}

// Named joins names with as many numbers.
func Named(names []string, ns []uint64) []Count {
	all := make([]Count, len(names))
	for i, name := range names {
		all[i] = Count{name, ns[i]}
	}
	return all
}

// ScalingCounts is what a scaling policy did in a run.
type ScalingCounts struct {
	Name        string  `json:"name"`        // of the policy
	Evaluations uint64  `json:"evaluations"` // how often it was asked
	Out         uint64  `json:"scale_outs"`  // of these, how often the number rose
	In          uint64  `json:"scale_ins"`   // and fell
	Counters    []Count `json:"counters"`    // the policy's own
}
