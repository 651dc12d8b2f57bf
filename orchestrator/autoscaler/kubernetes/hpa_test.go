package kubernetes

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// options reads those of hpa.
func options(t testing.TB, text string) Options {
	t.Helper()
	var o Options
	if err := strictyaml.Decode("hpa.yaml", []byte(text), &o, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

func mustNew(t testing.TB, text string) policy.Scaler {
	t.Helper()
	s, err := newHorizontal(options(t, text), policy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	for _, text := range []string{
		`{}`,
		`{tolerance: 0, cpu_initialization_period: 0, downscale_stabilization: 4s}`,
		`{spec: {behavior: {}}, downscale_stabilization: 4s}`,
		`spec:
  minReplicas: 2
  maxReplicas: 6
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 500m}}}
  - {type: Pods, pods: {metric: {name: offered}, target: {type: AverageValue, averageValue: 5k}}}
  behavior:
    scaleUp: {stabilizationWindowSeconds: 3, policies: [{type: Pods, value: 1, periodSeconds: 4}]}
    scaleDown: {stabilizationWindowSeconds: 5, selectPolicy: Min, policies: [
      {type: Pods, value: 2, periodSeconds: 3}, {type: Percent, value: 10, periodSeconds: 6}]}`,
		`spec:
  metrics:
  - {type: Object, object: {describedObject: {kind: Service, name: vnf}, metric: {name: processed},
      target: {type: Value, value: 1M}}}
  - {type: External, external: {metric: {name: offered}, target: {type: AverageValue, averageValue: 1e3}}}
  behavior: {scaleDown: {selectPolicy: Disabled, tolerance: 0.2}}`,
		`cpu: reported
spec:
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
  - {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 500M}}}
  - {type: Pods, pods: {metric: {name: delay-p99}, target: {type: AverageValue, averageValue: 3}}}`,
	} {
		scalingtest.Run(t, horizontal, options(t, text))
	}
}

// cluster is the instances under a policy: those that are asked for are ready at once.
type cluster struct {
	snap policy.Snapshot
}

// asked sets how many there are, and their load together in packets a second.
func (c *cluster) asked(n int, load float64, at units.Time) *policy.Snapshot {
	s := &c.snap
	s.Now, s.Current, s.Wanted, s.Measured, s.Window, s.Limit = at, n, n, true, units.Second, 1
	s.Instances = s.Instances[:0]
	for id := range n {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(id + 1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: load / float64(n), Tx: load / float64(n), Known: true, Sampled: at}})
	}
	return s
}

// rulesOf writes the rules of a direction, as the vectors have them, in the API's spelling.
func rulesOf(r *rulesGiven) string {
	if r == nil {
		return ""
	}
	var keys []string
	if r.Window != nil {
		keys = append(keys, fmt.Sprintf("stabilizationWindowSeconds: %d", *r.Window))
	}
	if r.Select != "" {
		keys = append(keys, "selectPolicy: "+r.Select)
	}
	if r.Policies != nil {
		var all []string
		for _, p := range *r.Policies {
			all = append(all, fmt.Sprintf("{type: %v, value: %v, periodSeconds: %v}", p[0], p[1], p[2]))
		}
		keys = append(keys, "policies: ["+strings.Join(all, ", ")+"]")
	}
	if r.Tolerance != nil {
		keys = append(keys, fmt.Sprintf("tolerance: %v", *r.Tolerance))
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

type rulesGiven struct {
	Window    *int
	Select    string
	Policies  *[][]any
	Tolerance *float64
}

type behaviorGiven struct{ Up, Down *rulesGiven }

// yaml is the line of the manifest.
func (b *behaviorGiven) yaml() string {
	if b == nil {
		return ""
	}
	var keys []string
	if b.Up != nil {
		keys = append(keys, "scaleUp: "+rulesOf(b.Up))
	}
	if b.Down != nil {
		keys = append(keys, "scaleDown: "+rulesOf(b.Down))
	}
	return "  behavior: {" + strings.Join(keys, ", ") + "}\n"
}

const externalManifest = `spec:
  minReplicas: 1
  maxReplicas: 50
  metrics:
  - {type: External, external: {metric: {name: offered}, target: {type: AverageValue, averageValue: 1}}}
`

// run evaluates every interval, at times that drift by what a read takes, as those of the controller do.
func run(p policy.Scaler, interval, read, end units.Time, load func(units.Time) float64,
	each func(at units.Time, from, to int, steps policy.Steps)) {
	c := cluster{policy.Snapshot{Max: 1000}}
	n := 4
	for tick := units.Time(1); tick*interval <= end; tick++ {
		at := tick * (interval + read)
		var steps policy.Steps
		to := p.Evaluate(c.asked(n, load(at), at), &steps).Desired
		each(tick*interval, n, to, steps)
		n = to
	}
}

func TestTheWholeController(t *testing.T) {
	type change struct {
		Second   float64
		Replicas int
	}
	type conditions struct {
		Second        float64
		Able, Limited string
	}
	for _, c := range policytest.Observed[struct {
		ID         string
		ReadMS     int `yaml:"read_ms"`
		Behavior   *behaviorGiven
		Changes    [][]any
		Conditions [][]any
	}](t, "hpa", "whole controller in virtual time") {
		t.Run(c.ID, func(t *testing.T) {
			p := mustNew(t, externalManifest+c.Behavior.yaml())
			load := func(at units.Time) float64 {
				if at >= 60*units.Second && at < 180*units.Second {
					return 40
				}
				return 4
			}
			changes := []change{{0, 4}}
			var seen []conditions
			run(p, 15*units.Second, units.Time(c.ReadMS)*units.Millisecond, 900*units.Second, load,
				func(at units.Time, from, to int, steps policy.Steps) {
					if to != from {
						changes = append(changes, change{at.Seconds(), to})
					}
					stabilised, limited := steps[1], steps[2]
					now := conditions{at.Seconds(), condition(stabilised.Reason), "False:" + condition(limited.Reason)}
					if to != from {
						now.Able = "SucceededRescale"
					}
					if limited.Desired != stabilised.Desired {
						now.Limited = "True:" + condition(limited.Reason)
					}
					if k := len(seen); k == 0 || seen[k-1].Able != now.Able || seen[k-1].Limited != now.Limited {
						seen = append(seen, now)
					}
				})
			var wantChanges []change
			for _, x := range c.Changes {
				wantChanges = append(wantChanges, change{x[0].(float64), x[1].(int)})
			}
			var wantSeen []conditions
			for _, x := range c.Conditions {
				wantSeen = append(wantSeen, conditions{x[0].(float64), x[1].(string), x[2].(string)})
			}
			if !reflect.DeepEqual(changes, wantChanges) {
				t.Errorf("changes\n%v, want\n%v", changes, wantChanges)
			}
			if !reflect.DeepEqual(seen, wantSeen) {
				t.Errorf("conditions\n%v, want\n%v", seen, wantSeen)
			}
		})
	}
}

const realControlPlane = "end to end: real etcd, apiserver, controller-manager, scheduler; " +
	"metric served through an APIService"

// The real control plane evaluates 10 to 30 ms later each time, so its times are held to the number of the evaluation.
func TestTheRealControlPlane(t *testing.T) {
	for _, c := range policytest.Observed[struct {
		ID                  string
		Sync, Stabilisation int
		StepAt              float64      `yaml:"step_at"`
		LoadEnds            float64      `yaml:"load_ends"`
		LastHigh            float64      `yaml:"last_high_read"`
		Changes             [][2]float64 `yaml:"changes"`
	}](t, "hpa", realControlPlane) {
		sync := units.Time(c.Sync) * units.Second
		drift := units.FromSeconds(math.Mod(c.LastHigh, float64(c.Sync))) / units.Time(c.LastHigh/float64(c.Sync))
		p := mustNew(t, fmt.Sprintf("downscale_stabilization: %ds\n", c.Stabilisation)+externalManifest)
		var got, want [][2]int
		for _, x := range c.Changes {
			want = append(want, [2]int{int(x[0] / float64(c.Sync)), int(x[1])})
		}
		load := func(at units.Time) float64 {
			if s := at.Seconds(); s >= c.StepAt && s < c.LoadEnds {
				return 40
			}
			return 4
		}
		run(p, sync, drift, 20*sync+30*units.Second, load, func(at units.Time, from, to int, _ policy.Steps) {
			if to != from {
				got = append(got, [2]int{int(at / sync), to})
			}
		})
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: [evaluation, replicas] %v, want %v", c.ID, got, want)
		}
	}
}
