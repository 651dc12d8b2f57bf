package hpa

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	autoscaling "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/oracle/kube"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

const (
	evaluations = 40   // of an episode, one in 15 s
	limit       = 1000 // packets a second of an instance, for one core
)

// episode is a deployment under a random load, of which both autoscalers see the same. Theirs is obeyed.
type episode struct {
	kube.Cluster
	r     *rand.Rand
	begin time.Time

	instances  []policy.Instance
	leaves     map[flow.Instance]units.Time // when one that starts is ready, or one that drains is gone
	next       flow.Instance
	replaced   units.Time // until when no instance is made
	window     units.Time // of the counters
	period     units.Time // of what agents report
	reported   bool       // cpu is what they report
	from       int        // evaluation at which anything has been measured
	startup    units.Time
	failing    float64 // probability of a failure, of missing counters, of a change by somebody else
	load       func(units.Time) float64
	lag        bool
	evaluation int

	ours    policy.Scaler
	said    verdict
	differs error
	changes int
	seen    map[string]int
}

// verdict is what ours said.
type verdict struct {
	current, desired int
	steps            policy.Steps
}

// series draws a load over time, in packets a second.
func series(r *rand.Rand) func(units.Time) float64 {
	base, high := float64(r.IntN(20000)), float64(r.IntN(60000))
	period := units.Time(30+r.IntN(400)) * units.Second
	phase := func(t units.Time) float64 { return float64(t%period) / float64(period) }
	walk := base
	return judge.Of(r,
		func(units.Time) float64 { return base },
		func(t units.Time) float64 { // a spike now and then
			if phase(t) < .3 {
				return high
			}
			return base
		},
		func(t units.Time) float64 { return base + high*phase(t) },
		func(t units.Time) float64 { return base + high*(1+math.Sin(2*math.Pi*phase(t))) },
		func(units.Time) float64 { return r.Float64() * high },
		func(units.Time) float64 {
			walk = max(0, walk+(r.Float64()-.5)*high/4)
			return walk
		},
	)
}

// old is when the episode begins in our time: there are instances that are older.
const old = 2 * units.Hour

// now is the time of ours.
func (e *episode) now() units.Time { return judge.Time(time.Since(e.begin)) + old }

// time is the same for theirs.
func (e *episode) time(t units.Time) metav1.Time {
	return metav1.Time{Time: e.begin.Add(judge.Duration(t - old))}
}

// evolve is what has become of the instances by now.
func (e *episode) evolve(now units.Time) {
	e.instances = slices.DeleteFunc(e.instances, func(i policy.Instance) bool {
		return i.State == policy.Draining && e.leaves[i.ID] <= now
	})
	if len(e.instances) > 0 && judge.Chance(e.r, e.failing) {
		k := e.r.IntN(len(e.instances))
		e.instances = slices.Delete(e.instances, k, k+1)
		e.replaced = now + units.Time(e.r.IntN(60))*units.Second
	}
	for k := range e.instances {
		i := &e.instances[k]
		if i.State == policy.Starting && e.leaves[i.ID] <= now {
			i.State, i.Ready = policy.Ready, e.leaves[i.ID]
		}
	}
}

// reconcile makes or removes instances until there are as many as are asked for.
func (e *episode) reconcile(now units.Time) {
	var staying []int
	for k, i := range e.instances {
		if i.State != policy.Draining {
			staying = append(staying, k)
		}
	}
	e.There = len(staying)
	for e.There < e.Replicas && now >= e.replaced {
		e.next++
		i := policy.Instance{ID: e.next, State: policy.Starting, Created: now, Ready: units.Never}
		e.leaves[i.ID] = now + e.startup*units.Time(50+e.r.IntN(100))/100
		e.instances = append(e.instances, i)
		e.There++
	}
	e.r.Shuffle(len(staying), func(a, b int) { staying[a], staying[b] = staying[b], staying[a] })
	for e.There > e.Replicas {
		i := &e.instances[staying[0]]
		i.State = policy.Draining
		e.leaves[i.ID] = now + units.Time(e.r.IntN(60))*units.Second
		staying = staying[1:]
		e.There--
	}
}

// measure is what has been counted by now.
func (e *episode) measure(now units.Time) {
	total, busy := e.load(now), 0
	for _, i := range e.instances {
		if i.State != policy.Starting {
			busy++
		}
	}
	for k := range e.instances {
		i := &e.instances[k]
		if i.Rate.Stale = judge.Chance(e.r, e.failing); e.fresh(i, i.Rate.Stale, now, e.window) {
			rx := math.Round(total / float64(busy) * judge.Of(e.r, 1, .5+e.r.Float64()))
			tx := min(rx, math.Round(limit*(1+e.r.Float64())))
			i.Rate = telemetry.Rate{Rx: rx, Tx: tx, RxBits: 512 * rx, Known: true, Sampled: now / e.window * e.window}
		}
		if i.Usage.Stale = judge.Chance(e.r, e.failing); e.fresh(i, i.Usage.Stale, now, e.period) {
			i.Usage = telemetry.Usage{CPU: float64(e.r.IntN(2000)) / 1000, Memory: float64(e.r.IntN(1e7)),
				Queue: float64(e.r.IntN(300)), Known: true, Sampled: now / e.period * e.period}
			i.Usage.Delay[2] = float64(e.r.IntN(1000)) / 1e6
		}
	}
}

// fresh reports whether an instance has been read by now.
func (e *episode) fresh(i *policy.Instance, stale bool, now, every units.Time) bool {
	return i.State != policy.Starting && !stale && i.Ready < now/every*every && e.evaluation >= e.from
}

// snapshot is what ours is shown.
func (e *episode) snapshot(now units.Time) *policy.Snapshot {
	s := &policy.Snapshot{Now: now, Current: e.There, Wanted: e.Replicas, Max: math.MaxInt32, Limit: limit,
		Window: e.window, Period: e.period, Measured: e.evaluation >= e.from, Instances: slices.Clone(e.instances)}
	if s.Measured && judge.Chance(e.r, e.failing) {
		s.Held, s.HeldLoad = 1, float64(e.r.IntN(limit))
	}
	return s
}

// named are the metrics that have names, in thousandths of their units; a delay is in microseconds.
var named = map[string]func(*policy.Instance) float64{
	"offered":   func(i *policy.Instance) float64 { return i.Rate.Rx * 1000 },
	"processed": func(i *policy.Instance) float64 { return i.Rate.Tx * 1000 },
	"bits":      func(i *policy.Instance) float64 { return i.Rate.RxBits * 1000 },
	"queue":     func(i *policy.Instance) float64 { return i.Usage.Queue * 1000 },
	"delay-p99": func(i *policy.Instance) float64 { return math.Round(i.Usage.Delay[2] * 1e9) },
}

// show fills what theirs is shown: the pods, and the pipeline.
func (e *episode) show(s *policy.Snapshot) {
	e.Pipeline = kube.NewPipeline()
	cpu, memory := metrics.PodMetricsInfo{}, metrics.PodMetricsInfo{}
	e.Resource[v1.ResourceCPU], e.Resource[v1.ResourceMemory] = cpu, memory
	request := v1.ResourceList{v1.ResourceCPU: resource.MustParse("1")}
	var pods []any
	anyReport := false
	for k := range s.Instances {
		i := &s.Instances[k]
		anyReport = anyReport || i.Usage.Known
		created := e.time(i.Created)
		p := &v1.Pod{ObjectMeta: kube.Meta("pod-" + strconv.Itoa(int(i.ID))), Status: v1.PodStatus{StartTime: &created}}
		p.Spec.Containers = []v1.Container{{Name: "main", Resources: v1.ResourceRequirements{Requests: request}}}
		ready := v1.PodCondition{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: e.time(i.Ready)}
		switch p.Status.Phase = v1.PodRunning; i.State {
		case policy.Starting:
			p.Status.Phase, ready.Status, ready.LastTransitionTime = v1.PodPending, v1.ConditionFalse, created
		case policy.Draining:
			gone := e.time(s.Now)
			p.DeletionTimestamp = &gone
		}
		p.Status.Conditions = []v1.PodCondition{ready}
		pods = append(pods, p)
		put := func(to metrics.PodMetricsInfo, reported bool, milli float64) {
			m := metrics.PodMetric{Timestamp: e.time(i.Rate.Sampled).Time, Window: judge.Duration(s.Window)}
			known := i.Rate.Known && !i.Rate.Stale
			if reported {
				m = metrics.PodMetric{Timestamp: e.time(i.Usage.Sampled).Time, Window: judge.Duration(s.Period)}
				known = i.Usage.Known && !i.Usage.Stale
			}
			if m.Value = int64(milli); known {
				to[p.Name] = m
			}
		}
		if e.reported {
			put(cpu, true, math.Round(i.Usage.CPU*1000))
		} else {
			put(cpu, false, i.Rate.Tx*1000/limit)
		}
		put(memory, true, i.Usage.Memory*1000)
		for name, of := range named {
			if e.Custom[name] == nil {
				e.Custom[name] = metrics.PodMetricsInfo{}
			}
			put(e.Custom[name], name == "queue" || name == "delay-p99", of(i))
		}
	}
	if err := e.Pods.Replace(pods, ""); err != nil {
		e.differs = err
	}
	for name, of := range named {
		load := 0.
		for k := range s.Instances {
			load += of(&s.Instances[k])
		}
		if name == "offered" || name == "processed" {
			load += s.HeldLoad * 1000
		}
		if known := s.Measured; known && name != "queue" || anyReport && name == "queue" {
			e.Pipeline.Object[name] = int64(load)
			e.External[name] = []int64{int64(load) / 3, int64(load) - int64(load)/3}
		}
	}
}

// evaluate is called when theirs begins an evaluation. It lets the time between two of them pass, asks ours, and shows
// theirs the same.
func (e *episode) evaluate() error {
	if e.evaluation > 0 {
		e.compare()
	}
	if e.lag { // so that windows and periods end between evaluations as well
		time.Sleep(time.Duration(e.r.IntN(3000)) * time.Millisecond)
	}
	now := e.now()
	if judge.Chance(e.r, e.failing/2) { // somebody else scales
		e.Replicas = judge.Of(e.r, e.Replicas, e.Replicas+1, max(0, e.Replicas-1), e.r.IntN(50))
	}
	e.evolve(now)
	e.reconcile(now)
	e.measure(now)
	s := e.snapshot(now)
	e.show(s)
	e.said = verdict{current: e.Replicas}
	e.said.desired = e.ours.Evaluate(s, &e.said.steps).Desired
	e.evaluation++
	return nil
}

// condition is the one that a reason begins with.
func condition(reason string) string {
	name, _, _ := strings.Cut(reason, ":")
	return name
}

// compare holds what theirs has done against what ours has said.
func (e *episode) compare() {
	if e.differs != nil {
		return
	}
	fail := func(format string, args ...any) {
		e.differs = fmt.Errorf("evaluation %d of %d replicas: "+format+"\nours: %q\ntheirs: %+v",
			append(append([]any{e.evaluation, e.said.current}, args...), e.said.steps, e.Object.Status)...)
	}
	if e.said.desired != e.Replicas {
		fail("%d, theirs %d", e.said.desired, e.Replicas)
		return
	}
	if e.Replicas != e.said.current {
		e.changes++
	}
	want := func(kind autoscaling.HorizontalPodAutoscalerConditionType, status bool, reason string) {
		e.seen[reason]++
		for _, c := range e.Object.Status.Conditions {
			if c.Type == kind && c.Reason == reason && (c.Status == v1.ConditionTrue) == status {
				return
			}
		}
		fail("condition %s is not %v with reason %s", kind, status, reason)
	}
	steps := e.said.steps
	able := "SucceededGetScale"
	switch first := condition(steps[0].Reason); first {
	case "more than the greatest number", "fewer than the least number":
	case "ValidMetricFound":
		want(autoscaling.ScalingActive, true, first)
		able = condition(steps[1].Reason)
		want(autoscaling.ScalingLimited, steps[2].Desired != steps[1].Desired, condition(steps[2].Reason))
		e.found(steps[0].Reason, fail)
	default:
		want(autoscaling.ScalingActive, false, first)
	}
	if e.Replicas != e.said.current {
		able = "SucceededRescale"
	}
	want(autoscaling.AbleToScale, true, able)
}

// found holds the values that ours gives as those of the metrics against those of theirs.
func (e *episode) found(reason string, fail func(string, ...any)) {
	if e.There == 0 {
		return // what each pod has is undefined
	}
	for _, m := range e.Object.Status.CurrentMetrics {
		var text string
		switch m.Type {
		case autoscaling.ResourceMetricSourceType:
			text = value(m.Resource.Current, string(m.Resource.Name))
		case autoscaling.ContainerResourceMetricSourceType:
			text = value(m.ContainerResource.Current, string(m.ContainerResource.Name))
		case autoscaling.PodsMetricSourceType:
			text = value(m.Pods.Current, m.Pods.Metric.Name)
		case autoscaling.ObjectMetricSourceType:
			text = value(m.Object.Current, m.Object.Metric.Name)
		case autoscaling.ExternalMetricSourceType:
			text = value(m.External.Current, m.External.Metric.Name)
		default:
			continue // a metric that failed
		}
		if text = string(m.Type) + " " + text; !strings.Contains(reason, text) {
			fail("the reason does not say %q", text)
		}
	}
}

// value is a value of theirs as ours writes it.
func value(s autoscaling.MetricValueStatus, name string) string {
	q := s.AverageValue
	switch {
	case s.AverageUtilization != nil:
		return fmt.Sprintf("%s at %d %% of ", name, *s.AverageUtilization)
	case s.Value != nil:
		q = s.Value
	}
	if name == "offered" || name == "processed" {
		return fmt.Sprintf("%s at %.6g Mpps of ", name, float64(q.MilliValue())/1e9)
	}
	return fmt.Sprintf("%s at %.6g of ", name, float64(q.MilliValue())/1e3)
}

// drawn is an episode that has not begun, and the flags of the controller.
func drawn(r *rand.Rand, text string) (*episode, kube.Flags, error) {
	f := kube.Flags{DownscaleStabilization: time.Duration(judge.Of(r, 0, 15, 60, r.IntN(600))) * time.Second,
		Initialization: time.Duration(judge.Of(r, 0, 60, r.IntN(300))) * time.Second,
		Readiness:      time.Duration(r.IntN(60)) * time.Second, Tolerance: judge.Of(r, 0, .1, .1, r.Float64()/2)}
	reported := judge.Chance(r, .3)
	object, err := posted(text)
	if err != nil {
		return nil, f, fmt.Errorf("theirs: %w\n%s", err, text)
	}
	text += fmt.Sprintf("tolerance: %v\ndownscale_stabilization: %v\ncpu_initialization_period: %v\n"+
		"initial_readiness_delay: %v\n", f.Tolerance, judge.Time(f.DownscaleStabilization),
		judge.Time(f.Initialization), judge.Time(f.Readiness))
	if reported {
		text += "cpu: reported\n"
	}
	o, err := read(text)
	if err != nil {
		return nil, f, fmt.Errorf("ours: %w\n%s", err, text)
	}
	ours, err := kubernetes.Scalers[0].New(o, policy.Env{})
	if err != nil {
		return nil, f, err
	}
	return &episode{Cluster: kube.Cluster{Pods: kube.NewPods(), Object: object, Replicas: r.IntN(30)}, r: r, ours: ours,
		leaves: map[flow.Instance]units.Time{}, window: judge.Of[units.Time](r, 1, 15, 30, 60) * units.Second,
		period: judge.Of[units.Time](r, 1, 15, 30) * units.Second, reported: reported,
		from: judge.Of(r, 0, 0, 1, 2, 5), startup: units.Time(r.IntN(90)) * units.Second,
		failing: judge.Of(r, 0, 0, .02, .1), load: series(r), lag: judge.Chance(r, .5), seen: map[string]int{}}, f, nil
}

// start is the instances that are there to begin with: some that have been ready for long.
func (e *episode) start() {
	e.begin = time.Now()
	e.Before = e.evaluate
	for range e.Replicas {
		e.next++
		at := e.now() - units.Time(e.r.IntN(3600))*units.Second
		e.instances = append(e.instances, policy.Instance{ID: e.next, State: policy.Ready, Created: at, Ready: at})
	}
}

func TestEpisodes(t *testing.T) {
	seen := episodes(t, 2000, (*kube.Cluster).Run)
	for _, reason := range []string{"SucceededGetScale", "SucceededRescale", "ReadyForNewScale", "ScaleUpStabilized",
		"ScaleDownStabilized", "ValidMetricFound", "ScalingDisabled", "FailedGetResourceMetric",
		"FailedGetContainerResourceMetric", "FailedGetPodsMetric", "FailedGetObjectMetric", "FailedGetExternalMetric",
		"DesiredWithinRange", "ScaleUpLimit", "ScaleDownLimit", "TooManyReplicas", "TooFewReplicas"} {
		if seen[reason] == 0 && judge.All() {
			t.Errorf("no episode has the condition %s", reason)
		}
	}
}

// The client's own caches, and its API server for tests, make no difference.
func TestEpisodesWithClient(t *testing.T) {
	episodes(t, 20, (*kube.Cluster).RunWithClient)
}

// episodes gives how often each condition was seen.
func episodes(t *testing.T, n int, run func(*kube.Cluster, context.Context, kube.Flags) error) map[string]int {
	seen, changes := map[string]int{}, 0
	judge.Cases(t, "episodes", n, func(r *rand.Rand) (err error) {
		text := manifest(r)
		synctest.Test(t, func(t *testing.T) {
			e, f, problem := drawn(r, text)
			if problem != nil {
				err = problem
				return
			}
			e.start()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- run(&e.Cluster, ctx, f) }()
			time.Sleep(evaluations*(kube.Sync+3*time.Second/2) + time.Second) // no evaluation is at the end
			cancel()
			if problem := <-done; problem != nil {
				err = problem
			} else if e.differs != nil {
				err = fmt.Errorf("%+v %w\n%s", f, e.differs, text)
			}
			for reason, n := range e.seen {
				seen[reason] += n
			}
			changes += e.changes
			time.Sleep(time.Minute) // the last goroutines leave at their next tick
		})
		return err
	})
	t.Logf("%d changes of the number of replicas; conditions: %v", changes, seen)
	return seen
}
