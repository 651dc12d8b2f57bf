package hpa

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	autoscaling "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/kubernetes/pkg/controller/podautoscaler"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"

	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/oracle/kube"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/units"
)

// question is what the calculator is asked, for both programs.
type question struct {
	kind       string
	current    int
	target     int64
	tolerances kubernetes.Tolerances
	delays     kubernetes.Delays
	load       int64 // of an object, or external, in thousandths

	pods   []kubernetes.Pod
	ready  int
	theirs []*v1.Pod
	feed   *kube.Pipeline
}

// calculator is theirs.
type calculator struct {
	*podautoscaler.ReplicaCalculator
	tolerances podautoscaler.Tolerances
}

const namespace = kube.Namespace

var (
	ctx        = context.Background()
	selector   = kube.Selector
	everything = labels.Everything()
	service    = &autoscaling.CrossVersionObjectReference{Kind: "Service", Name: "x", APIVersion: "v1"}
)

// kinds are the kinds of metrics with their targets: how theirs is asked, and how ours.
var kinds = []struct {
	name   string
	theirs func(*calculator, *question) (int32, int64, error)
	ours   func(*question) (int, int64, error)
}{
	{"resource, utilisation", utilization(""), (*question).utilization},
	{"container resource, utilisation", utilization("main"), (*question).utilization},
	{"resource, average", average(""), (*question).average},
	{"container resource, average", average("main"), (*question).average},
	{"pods, average", func(c *calculator, q *question) (int32, int64, error) {
		n, found, _, err := c.GetMetricReplicas(int32(q.current), q.target, "m", c.tolerances, namespace, selector,
			everything)
		return n, found, err
	}, (*question).average},
	{"object, value", func(c *calculator, q *question) (int32, int64, error) {
		n, found, _, err := c.GetObjectMetricReplicas(int32(q.current), q.target, "m", c.tolerances, namespace, service,
			selector, everything)
		return n, found, err
	}, (*question).value},
	{"object, average", func(c *calculator, q *question) (int32, int64, error) {
		n, found, _, err := c.GetObjectPerPodMetricReplicas(int32(q.current), q.target, "m", c.tolerances, namespace,
			service, everything)
		return n, found, err
	}, (*question).averageValue},
	{"external, value", func(c *calculator, q *question) (int32, int64, error) {
		n, found, _, err := c.GetExternalMetricReplicas(int32(q.current), q.target, "m", c.tolerances, namespace, nil,
			selector)
		return n, found, err
	}, (*question).value},
	{"external, average", func(c *calculator, q *question) (int32, int64, error) {
		n, found, _, err := c.GetExternalPerPodMetricReplicas(int32(q.current), q.target, "m", c.tolerances, namespace,
			nil)
		return n, found, err
	}, (*question).averageValue},
}

func utilization(container string) func(*calculator, *question) (int32, int64, error) {
	return func(c *calculator, q *question) (int32, int64, error) {
		n, percent, _, _, err := c.GetResourceReplicas(ctx, int32(q.current), int32(q.target), v1.ResourceCPU,
			c.tolerances, namespace, selector, container)
		return n, int64(percent), err
	}
}

func average(container string) func(*calculator, *question) (int32, int64, error) {
	return func(c *calculator, q *question) (int32, int64, error) {
		n, usage, _, err := c.GetRawResourceReplicas(ctx, int32(q.current), q.target, v1.ResourceCPU, c.tolerances,
			namespace, selector, container)
		return n, usage, err
	}
}

func (q *question) utilization() (int, int64, error) {
	return kubernetes.Utilization(q.current, q.target, q.tolerances, q.pods)
}

func (q *question) average() (int, int64, error) {
	return kubernetes.Average(q.current, q.target, q.tolerances, q.pods)
}

func (q *question) value() (int, int64, error) {
	n, err := kubernetes.Value(q.current, len(q.pods), q.ready, q.target, q.load, q.tolerances)
	return n, q.load, err
}

func (q *question) averageValue() (int, int64, error) {
	n, found := kubernetes.AverageValue(q.current, q.target, q.load, q.tolerances)
	return n, found, nil
}

// theirTolerances fills in a type that is exported and whose two fields, down and up, are not.
func theirTolerances(t kubernetes.Tolerances) (out podautoscaler.Tolerances) {
	*(*[2]float64)(unsafe.Pointer(&out)) = [2]float64{t.Down, t.Up}
	return out
}

// near is an instant at, or a nanosecond beside, or some way from another.
func near(r *rand.Rand, of, most time.Duration) time.Duration {
	return of + judge.Of(r, 0, -1, 1, time.Duration(r.Int64N(int64(most))), -time.Duration(r.Int64N(int64(most))))
}

// pod draws a pod for both.
func (q *question) pod(r *rand.Rand, i int, now time.Time, cpu bool) {
	const most = 10 * time.Minute
	at := func(t time.Time) units.Time { return judge.Time(t.Sub(now)) }
	p := &v1.Pod{ObjectMeta: kube.Meta("pod-" + strconv.Itoa(i)), Status: v1.PodStatus{Phase: v1.PodRunning}}
	ready := v1.PodCondition{Type: v1.PodReady, Status: v1.ConditionTrue}
	started, changed := now.Add(-time.Hour), now.Add(-time.Hour)
	odd := judge.Chance(r, .4) // not one that has been ready for long
	if odd {
		p.Status.Phase = judge.Of(r, v1.PodRunning, v1.PodRunning, v1.PodRunning, v1.PodPending, v1.PodFailed,
			v1.PodSucceeded, v1.PodUnknown)
		ready.Status = judge.Of(r, v1.ConditionTrue, v1.ConditionFalse, v1.ConditionUnknown)
		started = now.Add(-near(r, judge.Duration(q.delays.Initialization), most))
		changed = started.Add(near(r, judge.Duration(q.delays.Readiness), most))
	}
	ready.LastTransitionTime.Time = changed
	if odd && judge.Chance(r, .1) {
		p.DeletionTimestamp = &metav1.Time{Time: now}
	}
	s := kubernetes.Status{Gone: p.DeletionTimestamp != nil || p.Status.Phase == v1.PodFailed,
		Pending: p.Status.Phase == v1.PodPending, Started: units.Never}
	if !odd || judge.Chance(r, .9) {
		p.Status.StartTime = &metav1.Time{Time: started}
		s.Started = at(started)
	}
	if !odd || judge.Chance(r, .9) {
		p.Status.Conditions = []v1.PodCondition{ready}
		s.Condition, s.Since = kubernetes.True, at(changed) // one that is unknown is not one that is false
		if ready.Status == v1.ConditionFalse {
			s.Condition = kubernetes.False
		}
		if ready.Status == v1.ConditionTrue && p.Status.Phase == v1.PodRunning {
			q.ready++
		}
	}
	x := kubernetes.Pod{Request: judge.Of(r, 100, 1000, 1000, 1000, r.Int64N(5000))}
	if judge.Chance(r, .02) {
		x.Request = 0
	}
	x.Usage = judge.Of(r, 0, q.target, r.Int64N(3*q.target+1), r.Int64N(3*x.Request+1), r.Int64N(1e9))
	request := v1.ResourceList{v1.ResourceCPU: *resource.NewMilliQuantity(x.Request, resource.DecimalSI)}
	p.Spec.Containers = []v1.Container{{Name: "main", Resources: v1.ResourceRequirements{Requests: request}}}
	if judge.Chance(r, .9) {
		window := judge.Of(r, 15*time.Second, time.Minute)
		sampled := changed.Add(near(r, window, most))
		s.Measured, s.Sampled, s.Window = true, at(sampled), judge.Time(window)
		m := metrics.PodMetric{Timestamp: sampled, Window: window, Value: x.Usage}
		q.feed.Resource[v1.ResourceCPU][p.Name], q.feed.Custom["m"][p.Name] = m, m
	}
	x.Class = s.Class(0, cpu, q.delays)
	q.pods, q.theirs = append(q.pods, x), append(q.theirs, p)
}

// ask draws a question.
func ask(r *rand.Rand, kind string, now time.Time) *question {
	q := &question{kind: kind, current: judge.Of(r, 0, 1, 2, 3, 5, 10, r.IntN(100), r.IntN(1000)),
		tolerances: kubernetes.Tolerances{Down: .1, Up: .1},
		delays: kubernetes.Delays{Initialization: units.Time(r.IntN(300)) * units.Second,
			Readiness: units.Time(r.IntN(60)) * units.Second}}
	if judge.Chance(r, .5) {
		q.tolerances = kubernetes.Tolerances{Down: float64(r.IntN(40)) / 40, Up: float64(r.IntN(80)) / 40}
	}
	q.target = judge.Of(r, 1, 1000, 1+r.Int64N(5000), 1+r.Int64N(1e7))
	if strings.HasSuffix(kind, "utilisation") {
		q.target = judge.Of(r, 50, 80, 100, 1+r.Int64N(200))
	}
	q.feed = kube.NewPipeline()
	q.feed.Resource[v1.ResourceCPU], q.feed.Custom["m"] = metrics.PodMetricsInfo{}, metrics.PodMetricsInfo{}
	for i := range judge.Of(r, 0, 1, 2, min(q.current, 20), 1+r.IntN(12), 1+r.IntN(12), 1+r.IntN(12)) {
		q.pod(r, i, now, !strings.HasPrefix(kind, "pods"))
	}
	for range 1 + r.IntN(3) { // an external metric may have several values, which are added
		some := r.Int64N(int64(q.current+1) * q.target * 3)
		x := judge.Of(r, 0, q.target, int64(q.current)*q.target, some, r.Int64N(1e12))
		q.feed.External["m"] = append(q.feed.External["m"], x)
		q.load += x
	}
	q.feed.Object["m"] = q.load
	return q
}

// beyond reports whether an answer of ours is the largest that there is. What theirs then has depends on the machine.
func (q *question) beyond(n int, found int64) bool {
	return n == kubernetes.MostReplicas || found >= math.MaxInt32 && strings.HasSuffix(q.kind, "utilisation")
}

// of reports whether what was found has a meaning: that of each pod has none where there is no pod.
func (q *question) of() bool { return q.current > 0 || strings.HasSuffix(q.kind, "value") }

func TestCalculator(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // so that the time stands still, and its edges can be met
				now, failed, changed := time.Now(), 0, 0
				judge.Cases(t, "calculator/"+kind.name, 20000, func(r *rand.Rand) error {
					q := ask(r, kind.name, now)
					list := kube.NewPods()
					for _, p := range q.theirs {
						if err := list.Add(p); err != nil {
							return err
						}
					}
					c := calculator{podautoscaler.NewReplicaCalculator(q.feed, list.Lister(),
						judge.Duration(q.delays.Initialization), judge.Duration(q.delays.Readiness)),
						theirTolerances(q.tolerances)}
					want, theirs, problem := kind.theirs(&c, q)
					n, found, err := kind.ours(q)
					switch {
					case (err == nil) != (problem == nil):
						return fmt.Errorf("%v, theirs %v: %+v", err, problem, q)
					case err != nil:
						failed++
					case q.beyond(n, found):
					case n != int(want) || found != theirs && q.of():
						return fmt.Errorf("%d at %d, theirs %d at %d: %+v", n, found, want, theirs, q)
					case n != q.current:
						changed++
					}
					return nil
				})
				t.Logf("%d with errors, %d that want another number", failed, changed)
			})
		})
	}
}
