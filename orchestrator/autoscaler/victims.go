package autoscaler

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Victim is an instance that a scale-in might remove.
type Victim struct {
	Instance flow.Instance
	Flows    int     // assigned to it and not yet ended
	Load     float64 // packets a second forwarded to it in the last window; 0 before its first
}

type victimRow struct {
	Info
	score func(*Victim) float64 // the lowest goes; of equals the newest
}

// The table of victim policies. A new one is a row.
var victims = []victimRow{
	{Info{"newest", "the instance created last", []telemetry.Class{telemetry.T0}, "own choice: it undoes the last scale-out"}, func(v *Victim) float64 { return -float64(v.Instance) }},
	{Info{"oldest", "the instance created first", []telemetry.Class{telemetry.T0}, "own choice: it renews the set"}, func(v *Victim) float64 { return float64(v.Instance) }},
	{Info{"least-loaded", "the instance with the lowest packet rate", []telemetry.Class{telemetry.T2}, "as RSS++ frees a core"}, func(v *Victim) float64 { return v.Load }},
	{Info{"fewest-flows", "the instance with the fewest flows", []telemetry.Class{telemetry.T1}, "own choice: fewest rules to move"}, func(v *Victim) float64 { return float64(v.Flows) }},
}

// Victims describes all victim policies, in the order of their table.
func Victims() []Info {
	infos := make([]Info, len(victims))
	for i := range victims {
		infos[i] = victims[i].Info
	}
	return infos
}

func findVictim(name string) *victimRow {
	for i := range victims {
		if victims[i].Name == name {
			return &victims[i]
		}
	}
	return nil
}

// PickVictim returns the position of the instance to remove; of several with the same score, the newest. from must not
// be empty and is in order of the instances' numbers.
func (a *Autoscaler) PickVictim(from []Victim) int {
	best := 0
	for i := range from {
		if a.VictimScore(&from[i]) <= a.VictimScore(&from[best]) {
			best = i
		}
	}
	return best
}

// VictimScore is the number by which the victim policy ranks an instance: the lowest goes.
func (a *Autoscaler) VictimScore(v *Victim) float64 { return a.victim.score(v) }
