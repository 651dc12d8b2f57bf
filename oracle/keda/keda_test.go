package keda

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	kedav1alpha1 "github.com/kedacore/keda/v2/apis/keda/v1alpha1"
	"github.com/kedacore/keda/v2/pkg/fallback"
	"github.com/kedacore/keda/v2/pkg/scaling/executor"
	appsv1 "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/oracle/kube"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/keda"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

const (
	evaluations = 60
	limit       = 1000 // packets a second of an instance
)

// trigger is one of an object, in both notations.
type trigger struct {
	metric                string
	threshold, activation float64 // in the metric's unit
	forAll                bool
	named                 bool // in a formula
}

func (t *trigger) unit() float64 {
	if t.metric == "offered" || t.metric == "processed" {
		return limit
	}
	return 1
}

func (t *trigger) name(i int) string { return fmt.Sprintf("s%d-%s", i, t.metric) }

// value is the metric; ok is false where the trigger fails.
func (t *trigger) value(s *policy.Snapshot) (x float64, ok bool) {
	ok = true
	for _, i := range s.Instances {
		switch t.metric {
		case "offered":
			x += i.Rate.Rx
		case "processed":
			x += i.Rate.Tx
		case "flows":
			x += float64(i.Flows)
		}
		if t.metric == "offered" || t.metric == "processed" {
			ok = ok && !i.Rate.Stale
		}
	}
	if t.metric == "held" {
		x = float64(s.Held)
	}
	return x, ok
}

// episode is a deployment of which both see the same. Theirs is obeyed.
type episode struct {
	kube.Cluster
	formula  *vm.Program // nil for none
	r        *rand.Rand
	begin    time.Time
	object   *kedav1alpha1.ScaledObject
	triggers []trigger
	executor executor.ScaleExecutor
	polling  time.Duration
	polled   time.Time

	specs      []autoscaling.MetricSpec // of the triggers
	snap       *policy.Snapshot
	ours       policy.Scaler
	text       string
	load       float64
	made       flow.Instance
	window     time.Duration
	starting   int
	failing    float64
	evaluation int
	said       int
	steps      policy.Steps
	differs    error
	seen       map[string]int
}

// drawn is an object in both notations.
func drawn(r *rand.Rand) (*episode, error) {
	e := &episode{r: r, object: &kedav1alpha1.ScaledObject{ObjectMeta: kube.Meta("x")}, seen: map[string]int{}}
	spec := &e.object.Spec
	spec.ScaleTargetRef = &kedav1alpha1.ScaleTarget{Name: "x"}
	e.object.Status.ScaleTargetGVKR = &kedav1alpha1.GroupVersionKindResource{Group: "apps", Version: "v1",
		Kind: "Deployment", Resource: "deployments"}
	var keys []string
	set := func(key string, most int, to **int32, p float64) {
		if judge.Chance(r, p) {
			n := int32(r.IntN(most))
			*to = &n
			keys = append(keys, fmt.Sprint(key, ": ", n))
		}
	}
	seconds := func(key string, most int, to **int32, p float64) {
		set(key, most, to, p)
		if n := len(keys) - 1; *to != nil {
			keys[n] += "s"
		}
	}
	set("min_replica_count", 4, &spec.MinReplicaCount, .8)
	least := int32(0)
	if spec.MinReplicaCount != nil {
		least = *spec.MinReplicaCount
	}
	if least > 0 {
		set("idle_replica_count", int(least), &spec.IdleReplicaCount, .5)
	}
	most := least + 1 + int32(r.IntN(20))
	spec.MaxReplicaCount = &most
	keys = append(keys, fmt.Sprint("max_replica_count: ", most))
	seconds("cooldown_period", 200, &spec.CooldownPeriod, .8)
	seconds("initial_cooldown_period", 200, &spec.InitialCooldownPeriod, .5)
	e.polling = 30 * time.Second
	if judge.Chance(r, .7) {
		n := int32(1 + r.IntN(60))
		spec.PollingInterval = &n
		e.polling = time.Duration(n) * time.Second
		keys = append(keys, fmt.Sprintf("polling_interval: %ds", n))
	}
	if judge.Chance(r, .6) {
		f := &kedav1alpha1.Fallback{FailureThreshold: int32(r.IntN(4)), Replicas: int32(r.IntN(12)),
			Behavior: judge.Of(r, "static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower")}
		spec.Fallback = f
		keys = append(keys, fmt.Sprintf("fallback: {failure_threshold: %d, replicas: %d, behavior: %s}",
			f.FailureThreshold, f.Replicas, f.Behavior))
	}
	var metrics []autoscaling.MetricSpec
	var all []string
	for i := range 1 + r.IntN(3) {
		t := trigger{metric: judge.Of(r, "offered", "processed", "flows", "held"), forAll: judge.Chance(r, .4)}
		unit := 1.
		if t.metric == "offered" || t.metric == "processed" {
			unit = limit
		}
		threshold, activation := float64(1+r.IntN(16))/8, judge.Of(r, 0, 0, float64(r.IntN(16))/8)
		t.threshold, t.activation = threshold*unit, activation*unit
		kind := autoscaling.AverageValueMetricType
		q := resource.NewMilliQuantity(int64(t.threshold*1000), resource.DecimalSI)
		target := autoscaling.MetricTarget{AverageValue: q}
		if t.forAll {
			kind = autoscaling.ValueMetricType
			target = autoscaling.MetricTarget{Value: q}
		}
		target.Type = kind
		metrics = append(metrics, autoscaling.MetricSpec{Type: autoscaling.ExternalMetricSourceType,
			External: &autoscaling.ExternalMetricSource{Metric: autoscaling.MetricIdentifier{Name: t.name(i)},
				Target: target}})
		e.triggers = append(e.triggers, t)
		all = append(all, fmt.Sprintf("{metric: %s, threshold: %v, activation_threshold: %v, metric_type: %s}",
			t.metric, threshold, activation, kind))
	}
	if e.specs = metrics; judge.Chance(r, .4) {
		metrics = e.modify(&keys, all)
	} else {
		keys = append(keys, "triggers: ["+strings.Join(all, ", ")+"]")
	}
	e.window = time.Duration(judge.Of(r, 0, 30, 60, r.IntN(300))) * time.Second
	keys = append(keys, fmt.Sprintf("downscale_stabilization: %v", judge.Time(e.window)))
	e.text = strings.Join(keys, "\n") + "\n"
	var o keda.Options
	if err := strictyaml.Decode("keda.yaml", []byte(e.text), &o, nil); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, e.text)
	}
	row := keda.Scalers[0]
	var err error
	e.ours, err = row.New(o, policy.Env{Counts: make([]uint64, len(row.Counters))})
	fewest := max(1, least)
	e.Cluster = kube.Cluster{Pods: kube.NewPods(), Pipeline: kube.NewPipeline(), Before: e.evaluate,
		Replicas: r.IntN(6), Object: &autoscaling.HorizontalPodAutoscaler{ObjectMeta: kube.Meta("x"),
			Spec: autoscaling.HorizontalPodAutoscalerSpec{MinReplicas: &fewest, MaxReplicas: most, Metrics: metrics,
				ScaleTargetRef: autoscaling.CrossVersionObjectReference{Kind: "Deployment", Name: "x",
					APIVersion: "apps/v1"}}}}
	e.Asked = e.reported
	e.snap = &policy.Snapshot{Max: math.MaxInt32, Limit: limit, Window: units.Second, Measured: true}
	e.failing = judge.Of(r, 0, .05, .4)
	e.starting = r.IntN(3)
	return e, err
}

// modify draws a formula, which takes the place of the metrics.
func (e *episode) modify(keys *[]string, all []string) []autoscaling.MetricSpec {
	r := e.r
	name := func() string { return string(rune('a' + r.IntN(len(all)))) }
	number := func() string { return strconv.FormatFloat(float64(r.IntN(80))/16, 'f', -1, 64) }
	formula := ""
	switch a, b, c := name(), name(), name(); r.IntN(10) {
	case 0:
		formula = a + " + " + number() + " * " + b
	case 1:
		formula = a + " > " + number() + " ? " + b + " : " + strconv.Itoa(r.IntN(8))
	case 2:
		formula = "max(" + a + ", " + b + ", " + number() + ")"
	case 3:
		formula = "count([" + a + ", " + b + ", " + c + "], {# > " + number() + "})"
	case 4:
		formula = "sum([" + a + ", " + b + "]) - " + number()
	case 5:
		formula = "mean([" + a + ", " + b + ", " + c + "]) ** 2"
	case 6:
		formula = "float(round(" + a + " / " + number() + "))" // also by 0
	case 7:
		formula = a + " ?? " + b + " ?? " + number()
	case 8:
		formula = "(" + a + " ?? " + b + ") * 2"
	default:
		formula = a + " == nil ? " + b + " : (" + c + " ?? nil)"
	}
	m := kedav1alpha1.ScalingModifiers{Formula: formula, Target: strconv.Itoa(1 + r.IntN(3)),
		ActivationTarget: strconv.Itoa(r.IntN(3)), MetricType: judge.Of(r, autoscaling.AverageValueMetricType,
			autoscaling.ValueMetricType)}
	named := slices.Clone(all)
	for i := range named {
		called := string(rune('a' + i))
		named[i] = strings.Replace(named[i], "{", "{name: "+called+", ", 1)
		e.object.Spec.Triggers = append(e.object.Spec.Triggers, kedav1alpha1.ScaleTriggers{Type: "x", Name: called})
	}
	*keys = append(*keys, "triggers: ["+strings.Join(named, ", ")+"]",
		fmt.Sprintf("scaling_modifiers: {formula: '%s', target: %s, activation_target: %s, metric_type: %s}", formula,
			m.Target, m.ActivationTarget, m.MetricType))
	if f := e.object.Spec.Fallback; f != nil && judge.Chance(r, .5) {
		for i := range *keys {
			(*keys)[i] = strings.Replace((*keys)[i], "behavior: "+f.Behavior, "behavior: scalingModifiers", 1)
		}
		f.Behavior = kedav1alpha1.FallbackBehaviorScalingModifiers
	}
	e.object.Spec.Advanced = &kedav1alpha1.AdvancedConfig{ScalingModifiers: m}
	for i := range e.triggers {
		e.triggers[i].named = true
	}
	var err error
	if e.formula, err = kedav1alpha1.ValidateAndCompileScalingModifiers(e.object); err != nil {
		e.differs = fmt.Errorf("%w: %s", err, formula)
	}
	target, _ := strconv.ParseInt(m.Target, 10, 64)
	held := autoscaling.MetricTarget{Type: m.MetricType}
	if q := resource.NewMilliQuantity(1000*target, resource.DecimalSI); m.MetricType == autoscaling.ValueMetricType {
		held.Value = q
	} else {
		held.AverageValue = q
	}
	return []autoscaling.MetricSpec{{Type: autoscaling.ExternalMetricSourceType,
		External: &autoscaling.ExternalMetricSource{
			Metric: autoscaling.MetricIdentifier{Name: kedav1alpha1.CompositeMetricName}, Target: held}}}
}

// sight is what KEDA makes of its triggers, for the controller and in a poll: what is in the handler between the
// triggers, the fallback and the formula, which cannot be imported (GetScaledObjectMetrics, getScaledObjectState, and
// modifiers.HandleScalingModifiers).
type sight struct {
	values   map[string]external_metrics.ExternalMetricValue // by the metric's name
	fallback bool                                            // one stands for all
	fails    bool
	active   bool
}

func (e *episode) look(only string) (all sight) {
	all.values = map[string]external_metrics.ExternalMetricValue{}
	var stands *external_metrics.ExternalMetricValue
	for i := range e.triggers {
		t := &e.triggers[i]
		name := t.name(i)
		if only != "" && name != only {
			continue
		}
		x, ok := t.value(e.snap)
		if t.named {
			x /= t.unit()
		}
		var err error
		if !ok {
			err = errors.New("counters are missing")
		}
		spec := e.specs[i]
		values, stood, err := fallback.GetMetricsWithFallback(fallback.ScaledObjectHandler{Ctx: context.Background(),
			KubeClient: server{e: e}, ScaleClient: e.Scaler(), UpdateLock: &sync.RWMutex{}, ScaledObject: e.object},
			[]external_metrics.ExternalMetricValue{{MetricName: name,
				Value: *resource.NewMilliQuantity(int64(x*1000), resource.DecimalSI)}}, err, name, spec)
		all.fails = all.fails || err != nil
		all.fallback = all.fallback || stood
		all.active = all.active || err == nil && (stood || ok && x > t.activation)
		for _, v := range values {
			if stood {
				stands = &v
			}
			all.values[name] = v
		}
	}
	if e.formula == nil {
		return all
	}
	composite := map[string]external_metrics.ExternalMetricValue{}
	if stands != nil {
		composite[kedav1alpha1.CompositeMetricName] = *stands
	} else if v, err := e.compute(all.values); err == nil {
		composite[kedav1alpha1.CompositeMetricName] = v
	}
	all.values, all.active = composite, false
	activation, _ := strconv.ParseFloat(e.object.Spec.Advanced.ScalingModifiers.ActivationTarget, 64)
	for _, v := range composite {
		all.active = !all.fails && v.Value.AsApproximateFloat64() > activation
	}
	return all
}

// compute runs the formula.
func (e *episode) compute(values map[string]external_metrics.ExternalMetricValue) (
	v external_metrics.ExternalMetricValue, err error) {
	data := map[string]any{}
	for i := range e.triggers {
		name := e.triggers[i].name(i)
		called := string(rune('a' + i))
		x, ok := values[name]
		if !ok {
			continue
		}
		data[called] = x.Value.AsApproximateFloat64()
		h := e.object.Status.Health[name]
		if f := e.object.Spec.Fallback; f != nil && e.object.FallbackScalingModifiers() && h.NumberOfFailures != nil &&
			*h.NumberOfFailures > f.FailureThreshold {
			data[called] = nil
		}
	}
	result, err := expr.Run(e.formula, data)
	if err != nil {
		return v, err
	}
	x, ok := result.(float64)
	if result == nil && e.object.Spec.Fallback != nil {
		target, _ := strconv.ParseFloat(e.object.Spec.Advanced.ScalingModifiers.Target, 64)
		x, ok = float64(e.object.Spec.Fallback.Replicas)*target, true
	}
	if !ok || math.IsNaN(x) || math.IsInf(x, 0) { // what they make of those is the processor's
		return v, errors.New("no number")
	}
	v.Value.SetMilli(int64(x * 1000))
	return v, nil
}

// server is what the executor and the fallback ask of the API server.
type server struct {
	client.Client
	e *episode
}

// status throws away what is written to it.
type status struct{ client.SubResourceWriter }

func (s server) Get(_ context.Context, _ client.ObjectKey, to client.Object, _ ...client.GetOption) error {
	d, ok := to.(*appsv1.Deployment)
	if !ok {
		return errors.New("it is not there")
	}
	n := int32(s.e.Replicas)
	d.Spec.Replicas = &n
	return nil
}

func (s server) List(_ context.Context, to client.ObjectList, _ ...client.ListOption) error {
	for _, p := range s.e.Pods.List() {
		list := to.(*v1.PodList)
		list.Items = append(list.Items, *p.(*v1.Pod))
	}
	return nil
}

func (server) Status() client.SubResourceWriter { return status{} }

func (status) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return nil
}

type recorder struct{ events.EventRecorder }

func (recorder) Eventf(runtime.Object, runtime.Object, string, string, string, string, ...any) {}

// reported is what KEDA's server of metrics answers the controller.
func (e *episode) reported(name string) ([]int64, error) {
	only := name
	if e.formula != nil {
		only = ""
	}
	all := e.look(only)
	if all.fails && !all.fallback {
		return nil, errors.New("a trigger encountered an error")
	}
	v, ok := all.values[name]
	if !ok {
		return nil, errors.New("no such metric")
	}
	return []int64{v.Value.MilliValue()}, nil
}

// evolve is what becomes of instances and load until now.
func (e *episode) evolve() {
	r, s := e.r, e.snap
	s.Now = judge.Time(time.Since(e.begin))
	if judge.Chance(r, .15) {
		e.load = judge.Of(r, 0, 0, float64(r.IntN(10000)), float64(r.IntN(30000)))
	}
	e.There = 0
	for k := len(s.Instances) - 1; k >= 0; k-- {
		i := &s.Instances[k]
		switch {
		case i.State == policy.Draining && judge.Chance(r, .5):
			s.Instances = append(s.Instances[:k], s.Instances[k+1:]...)
			continue
		case i.State == policy.Starting && (e.starting == 0 || judge.Chance(r, 1/float64(e.starting))):
			i.State, i.Ready = policy.Ready, s.Now
		}
		if i.State == policy.Draining {
			continue
		}
		if e.There++; e.There > e.Replicas {
			i.State = policy.Draining
			e.There--
		}
	}
	for ; e.There < e.Replicas; e.There++ {
		e.made++
		s.Instances = append(s.Instances, policy.Instance{ID: e.made, State: policy.Starting, Created: s.Now,
			Ready: units.Never})
	}
	fails := judge.Chance(r, e.failing)
	for k := range s.Instances {
		i := &s.Instances[k]
		if i.State == policy.Starting {
			continue
		}
		i.Rate = telemetry.Rate{Known: true, Sampled: s.Now, Stale: fails && k == 0,
			Rx: math.Round(e.load / float64(len(s.Instances))), Tx: math.Round(e.load / 2 / float64(len(s.Instances)))}
		i.Flows = int32(math.Round(e.load / 500 / float64(len(s.Instances))))
	}
	if s.Held = 0; e.load > 0 {
		s.Held = judge.Of(r, 0, 0, r.IntN(10))
	}
	s.Current, s.Wanted = e.There, e.Replicas
}

// show fills in the pods.
func (e *episode) show() {
	var pods []any
	for _, i := range e.snap.Instances {
		p := &v1.Pod{ObjectMeta: kube.Meta("pod-" + strconv.Itoa(int(i.ID)))}
		switch p.Status.Phase = v1.PodRunning; i.State {
		case policy.Starting:
			p.Status.Phase = v1.PodPending
		case policy.Draining:
			p.DeletionTimestamp = &metav1.Time{Time: time.Now()}
		}
		p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}}
		pods = append(pods, p)
	}
	if err := e.Pods.Replace(pods, ""); err != nil {
		e.differs = err
	}
}

var errPolled = errors.New("the executor has changed the number; the controller looks at it the next time")

// evaluate is called when the controller begins an evaluation: first comes what KEDA does.
func (e *episode) evaluate() error {
	if e.evaluation > 0 {
		e.compare()
	}
	e.evolve()
	e.show()
	e.evaluation++
	current := e.Replicas
	e.steps = nil
	e.said = e.ours.Evaluate(e.snap, &e.steps).Desired
	if now := time.Now(); e.polled.IsZero() || now.Sub(e.polled) >= e.polling {
		e.polled = now
		all := e.look("")
		result := e.executor.RequestScale(context.Background(), e.object, all.active, all.fails,
			executor.ScaleExecutorOptions{})
		if result.LastActiveTime != nil {
			e.object.Status.LastActiveTime = result.LastActiveTime
		}
		if result.Error != nil && e.differs == nil {
			e.differs = result.Error
		}
		if e.Replicas != current {
			reason := result.Conditions.GetActiveCondition().Reason
			e.seen[reason]++
			if said := e.steps[0].Reason; !strings.HasPrefix(said, reason) && !strings.HasPrefix(said, "fewer than") {
				e.differs = fmt.Errorf("the reason is %q, theirs %s", said, reason)
			}
			return errPolled
		}
	}
	return nil
}

func (e *episode) compare() {
	for _, c := range e.Object.Status.Conditions {
		e.seen[c.Reason]++
	}
	if e.differs == nil && e.said != e.Replicas {
		e.differs = fmt.Errorf("at %v of %d: %d, theirs %d\nours: %+v\ntheirs: %+v, last active %v\n%s", e.snap.Now,
			e.snap.Wanted, e.said, e.Replicas, e.steps, e.Object.Status, e.object.Status.LastActiveTime, e.text)
	}
}

func TestEpisodes(t *testing.T) {
	seen := map[string]int{}
	judge.Cases(t, "keda", 1000, func(r *rand.Rand) (err error) {
		synctest.Test(t, func(t *testing.T) {
			e, problem := drawn(r)
			if problem != nil {
				err = problem
				return
			}
			e.begin = time.Now()
			e.object.CreationTimestamp = metav1.Time{Time: e.begin}
			e.executor = executor.NewScaleExecutor(server{e: e}, e.Scaler(), nil, time.Second, recorder{})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() {
				done <- e.Run(ctx, kube.Flags{Tolerance: .1, DownscaleStabilization: e.window})
			}()
			time.Sleep(evaluations*kube.Sync + time.Second)
			cancel()
			if err = <-done; err == nil {
				err = e.differs
			}
			for reason, n := range e.seen {
				seen[reason] += n
			}
			time.Sleep(time.Minute) // the last goroutines leave at their next tick
		})
		return err
	})
	t.Logf("conditions: %v", seen)
}
