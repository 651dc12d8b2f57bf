package autoscaler

import (
	"strings"

	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Policy recommends a number of instances.
type Policy interface {
	// Recommend returns the number of instances that the load asks for, whatever the present number's history, and
	// the reason in one short sentence. It need not heed Min, Max or cool-downs.
	Recommend(o *Options, in *Input) (desired int, reason string)
}

// Info describes a policy to its users.
type Info struct {
	Name        string
	Description string            // one line
	Telemetry   []telemetry.Class // what it looks at
	Source      string            // where the rule comes from
}

type row struct {
	Info
	policy Policy // nil: the number of instances is never evaluated
}

// The table of policies. A new policy is one file with its type, and one row here.
var table = []row{
	{Info{"target-utilization", "as many instances as bring the load to a given share of their limit", []telemetry.Class{telemetry.T0, telemetry.T2}, "thesis 3.2, eq. 2.1"}, targetUtilization{}},
	{Info{"none", "the initial number, with failed instances replaced", []telemetry.Class{telemetry.T0}, "thesis 4.3"}, nil},
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

func join[T any](rows []T, name func(*T) string) string {
	known := make([]string, len(rows))
	for i := range rows {
		known[i] = name(&rows[i])
	}
	return strings.Join(known, ", ")
}
