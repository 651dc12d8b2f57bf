package scheduler

import (
	"strings"

	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Policy chooses an instance for a new flow.
type Policy interface {
	// Pick returns the position in v.IDs of the instance that takes the flow, or None if the flow fits on no
	// instance. v holds at least one instance. Pick may keep state between calls, but not v.
	Pick(v *View) int
	// Rate fills in, for each position of v.IDs, how Pick would see that instance now. It changes nothing else. Pick's
	// choice has the best score of those that fit; which way is better stands in the table. No score is NaN.
	Rate(v *View, to []Rating)
}

// Rating is how a policy sees an instance.
type Rating struct {
	Score float64 // meaning and unit are the policy's; see its documentation
	Fits  bool    // it could take the flow
}

// None is what Pick returns when the flow fits on no instance.
const None = -1

// Info describes a policy to its users.
type Info struct {
	Name        string
	Description string            // one line
	Telemetry   []telemetry.Class // what it may look at
	Source      string            // where the rule comes from
	Score       string            // what the scores in the decision log mean, with their unit
}

type row struct {
	Info
	highest bool // the highest score is the best one; otherwise the lowest
	make    func() Policy
	reason  string // of a choice, in the decision log
}

// The table of policies. A new policy is one file with its type, and one row here.
var table = []row{
	{Info{"round-robin", "the instances in turn, in order of their numbers", []telemetry.Class{telemetry.T0}, "thesis 3.2", "places until its turn"},
		false, func() Policy { return new(roundRobin) }, "next in the cycle"},
	{Info{"best-fit", "the most loaded instance that can still handle the flow", []telemetry.Class{telemetry.T0, telemetry.T2}, "thesis 3.2", "load in packets a second"},
		true, func() Policy { return bestFit{} }, "most loaded that the flow fits on"},
	{Info{"worst-fit", "the least loaded instance", []telemetry.Class{telemetry.T0, telemetry.T2}, "thesis 3.2", "load in packets a second"},
		false, func() Policy { return worstFit{} }, "least loaded"},
}

// Policies describes all policies, in the order of the table.
func Policies() []Info {
	infos := make([]Info, len(table))
	for i := range table {
		infos[i] = table[i].Info
	}
	return infos
}

func find(name string) *row {
	for i := range table {
		if table[i].Name == name {
			return &table[i]
		}
	}
	return nil
}

func names() string {
	known := make([]string, len(table))
	for i := range table {
		known[i] = table[i].Name
	}
	return strings.Join(known, ", ")
}
