package scenarios

import (
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// burstRules are those of decisions on the bursts of flows.
func (s *Scenario) burstRules() []strictyaml.Rule {
	sched := &s.Scheduler
	if !sched.ByBurst() {
		return []strictyaml.Rule{rule("scheduler.gap scheduler.unit", sched.Gap != scheduler.DefaultGap,
			"unit: burst with this key")}
	}
	packet := s.Engine == "packet"
	all := []strictyaml.Rule{
		rule("scheduler.unit engine", s.Engine == "fluid", "engine: packet with unit: burst: the fluid engine knows "+
			"rates, in which there are no gaps"),
		rule("nic scheduler.unit", packet && s.NIC.Dispatch == "none",
			"a NIC with a stage that dispatches bursts: "+s.NIC.Profile+" has none (dispatch: none)"),
	}
	if row := scheduler.Policies.Find(sched.Policy.Name); row != nil {
		refused := scheduler.CheckBursts(row)
		all = append(all, rule("scheduler.unit scheduler.policy", packet && refused != "", refused))
	}
	return all
}
