package keda

import "math"

// fallback is what is reported of a trigger that fails.
type fallback struct {
	Threshold int    `yaml:"failure_threshold" default:"3" min:"0"`
	Replicas  int    `yaml:"replicas" required:"true" min:"0" max:"1000000"`
	Behavior  string `yaml:"behavior" default:"static"`
}

// Names implements strictyaml.Tabled.
func (fallback) Names(key string) []string {
	if key == "behavior" {
		return []string{"static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower",
			"scalingModifiers"}
	}
	return nil
}

// Docs implements strictyaml.Documented.
func (fallback) Docs() string {
	return `
failure_threshold: polls and evaluations in a row in which the trigger failed, after which the fallback holds
replicas: how many instances the metric then stands for
behavior: whether it is always so many, as many as there are, or the higher or the lower of the two; or, with
	scalingModifiers, whether the trigger is nil in the formula, so that ?? says what stands for it
`
}

// stands is for how many instances the reported metric stands.
func (f *fallback) stands(current int) int {
	switch f.Behavior {
	case "currentReplicas":
		return current
	case "currentReplicasIfHigher":
		return max(current, f.Replicas)
	case "currentReplicasIfLower":
		return min(current, f.Replicas)
	}
	return f.Replicas
}

// reports is the metric that is reported of a trigger that has failed so many times in a row, cut off after
// thousandths. With forAll, the threshold is for all instances, of which so many are ready. ok is false where the
// failure is passed on.
func (f *fallback) reports(failures int, threshold float64, forAll bool, current, ready int) (metric float64, ok bool) {
	if f == nil || failures <= f.Threshold || forAll && ready == 0 {
		return 0, false
	}
	n := float64(f.stands(current))
	if forAll {
		n /= float64(ready)
	}
	return math.Floor(float64(milli(threshold))*n) / 1000, true
}
