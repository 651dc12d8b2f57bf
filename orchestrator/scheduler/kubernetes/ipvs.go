package kubernetes

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ipvs"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

var ipvsRow = policy.Row{
	Info: policy.Info{Name: "kube-ipvs",
		Rule:   "as the scheduler of IPVS that the option names, with weight 1 for every instance, and no thresholds",
		Source: source + "ipvs/proxier.go at 9dce640213b5 (deprecated since 1.35), with the rules of ipvs-",
		Score:  "that of ipvs- with the scheduler's name; 0 where affinity decides", Sees: policy.T0 | policy.T1,
		State: "that of the scheduler; with affinity, the sources of that time",
		Cost:  "constant with rr, dh and sh, else n",
		Deviates: "what is said of ipvs- with the scheduler's name; affinity ends a time after the last flow of a " +
			"source began, while the kernel also keeps it as long as one of its flows lives; " + removed},
	Tuple:   true,
	Reasons: reasons("chosen by the scheduler of IPVS"),
	Maker:   policy.Make(newIPVS),
}

type ipvsOptions struct {
	Scheduler string `yaml:"scheduler" enum:"rr|lc|dh|sh|sed|nq" default:"rr"`
	Options   `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (ipvsOptions) Docs() string {
	return `
scheduler: that of IPVS (kube-proxy's --ipvs-scheduler)
`
}

// equal shows a scheduler of IPVS real servers that are all alike.
type equal struct {
	affinity
	scheduler   policy.Policy
	view        policy.View
	ones, zeros []int32
}

func newIPVS(o ipvsOptions, env policy.Env) (policy.Policy, error) {
	row := policy.Table[policy.Row](ipvs.Policies).Find("ipvs-" + o.Scheduler)
	defaults := strictyaml.Choose([]strictyaml.Choice{{Name: row.Name, Options: row.Options}}, row.Name)
	env.Counts = make([]uint64, len(row.Counters))
	scheduler, err := row.New(defaults.Options, env)
	if err != nil {
		return nil, err
	}
	return &equal{affinity: newAffinity(o.Options), scheduler: scheduler}, nil
}

func (p *equal) shown(v *policy.View) *policy.View {
	n := len(v.IDs)
	for len(p.ones) < n {
		p.ones, p.zeros = append(p.ones, 1), append(p.zeros, 0)
	}
	p.view = *v
	p.view.Weight, p.view.MaxConn = p.ones[:n], p.zeros[:n]
	return &p.view
}

// Observe tells both the scheduler and the affinity.
func (p *equal) Observe(e *policy.Event, v *policy.View) {
	p.affinity.Observe(e, v)
	p.scheduler.Observe(e, p.shown(v))
}

func (p *equal) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if slot, ok := p.recall(w, v); ok {
		log.Add(slot, 0, true)
		return policy.Answer{Slot: slot, Why: remembered}
	}
	return p.scheduler.Pick(w, p.shown(v), log)
}
