package kpa

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"knative.dev/serving/pkg/apis/autoscaling"
	autoscalingv1alpha1 "knative.dev/serving/pkg/apis/autoscaling/v1alpha1"
	"knative.dev/serving/pkg/autoscaler/config"
	"knative.dev/serving/pkg/autoscaler/metrics"
	"knative.dev/serving/pkg/autoscaler/scaling"
	kpares "knative.dev/serving/pkg/reconciler/autoscaling/kpa/resources"
	"knative.dev/serving/pkg/reconciler/autoscaling/resources"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/knative"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

var key = types.NamespacedName{Namespace: "default", Name: "x"}

// pods counts the ready ones.
type pods int

func (p *pods) ReadyCount() (int, error)    { return int(*p), nil }
func (p *pods) NotReadyCount() (int, error) { return 0, nil }

// settings are those of a revision, in the words of both programs. What is not drawn has the default of each.
type settings struct {
	total       float64 // of a pod
	annotations map[string]string
	config      map[string]string
	ours        knative.Options
	unreachable bool
	exact       bool // no product or quotient is rounded, so that a load can be a whole number of targets
}

func drawn(r *rand.Rand) settings {
	s := settings{exact: judge.Chance(r, .5), config: map[string]string{}}
	strictyaml.Defaults(&s.ours)
	s.total = float64(4 * (1 + r.IntN(250)))
	percent := judge.Of[float64](r, 25, 50, 75, 100)
	if !s.exact {
		s.total, percent = s.total+r.Float64(), float64(1+r.IntN(100))
	}
	s.annotations = map[string]string{autoscaling.ClassAnnotationKey: autoscaling.KPA,
		autoscaling.MetricAnnotationKey: autoscaling.RPS,
		autoscaling.TargetAnnotationKey: strconv.FormatFloat(s.total, 'g', -1, 64)}
	text := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	if s.exact || judge.Chance(r, .7) {
		s.annotations[autoscaling.TargetUtilizationPercentageKey] = text(percent)
		s.ours.Target = percent / 100
	}
	if judge.Chance(r, .7) {
		seconds := judge.Of(r, 6, 10, 30, 60, 6+r.IntN(115))
		s.annotations[autoscaling.WindowAnnotationKey] = fmt.Sprint(seconds, "s")
		s.ours.Stable = units.Time(seconds) * units.Second
	}
	if judge.Chance(r, .7) {
		s.ours.PanicWindow = judge.Of(r, 1, 5, 10, 25, 50, 100, 1+99*r.Float64())
		s.annotations[autoscaling.PanicWindowPercentageAnnotationKey] = text(s.ours.PanicWindow)
	}
	if judge.Chance(r, .7) {
		s.ours.PanicThreshold = judge.Of(r, 110, 125, 150, 200, 300, 1000, 110+890*r.Float64())
		s.annotations[autoscaling.PanicThresholdPercentageAnnotationKey] = text(s.ours.PanicThreshold)
	}
	if judge.Chance(r, .5) {
		seconds := judge.Of(r, 0, 1, 2, 10, r.IntN(120))
		s.annotations[autoscaling.ScaleDownDelayAnnotationKey] = fmt.Sprint(seconds, "s")
		s.ours.Delay = units.Time(seconds) * units.Second
	}
	if judge.Chance(r, .5) {
		s.ours.Activation = 2 + r.IntN(10)
		s.annotations[autoscaling.ActivationScaleKey] = strconv.Itoa(s.ours.Activation)
	}
	if judge.Chance(r, .5) {
		s.ours.Up = judge.Of(r, 1.1, 1.5, 2, 10, 1+4*r.Float64())
		s.config["max-scale-up-rate"] = text(s.ours.Up)
	}
	if judge.Chance(r, .5) {
		s.ours.Down = judge.Of(r, 1.1, 1.5, 2, 10, 1.01+4*r.Float64())
		s.config["max-scale-down-rate"] = text(s.ours.Down)
	}
	if judge.Chance(r, .2) {
		s.unreachable, s.ours.Down = true, 0
	}
	return s
}

// series draws a load over the seconds.
func series(r *rand.Rand, s *settings) func(second int) float64 {
	each := float64(s.ours.Target * s.total)
	base, high, period := float64(r.IntN(20))*each, float64(r.IntN(200))*each, 10+r.IntN(300)
	walk := base
	load := judge.Of(r,
		func(int) float64 { return base },
		func(t int) float64 { // a spike now and then
			if t%period < period/3 {
				return high
			}
			return base
		},
		func(t int) float64 { // on and off
			if t%period < period/2 {
				return 0
			}
			return high
		},
		func(t int) float64 { return high * float64(t%period) / float64(period) },
		func(t int) float64 { return base + high*(1+math.Sin(float64(2*math.Pi*float64(t)/float64(period)))) },
		func(int) float64 { return r.Float64() * high },
		func(int) float64 {
			walk = max(0, walk+(r.Float64()-.5)*high/4)
			return walk
		},
	)
	return func(t int) float64 {
		if s.exact {
			return math.Round(load(t))
		}
		return load(t)
	}
}

// theirs is a revision's scaler with its collector, and when it was made. It asks the clock for that alone.
func theirs(s *settings, ready *pods) (scaling.UniScaler, *metrics.MetricCollector, time.Time, error) {
	none := func(err error) (scaling.UniScaler, *metrics.MetricCollector, time.Time, error) {
		return nil, nil, time.Time{}, err
	}
	config, err := config.NewConfigFromMap(s.config)
	if err != nil {
		return none(err)
	}
	reachability := autoscalingv1alpha1.ReachabilityReachable
	if s.unreachable {
		reachability = autoscalingv1alpha1.ReachabilityUnreachable
	}
	object := &autoscalingv1alpha1.PodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Annotations: s.annotations},
		Spec:       autoscalingv1alpha1.PodAutoscalerSpec{Reachability: reachability}}
	if err := autoscaling.ValidateAnnotations(context.Background(), config, s.annotations); err != nil {
		return none(err)
	}
	collector := metrics.NewMetricCollector(
		func(*autoscalingv1alpha1.Metric, *zap.SugaredLogger) (metrics.StatsScraper, error) { return nil, nil },
		zap.NewNop().Sugar()) // what it would scrape is recorded
	if err := collector.CreateOrUpdate(resources.MakeMetric(object, "pods", config)); err != nil {
		return none(err)
	}
	decider := kpares.MakeDecider(object, config)
	for {
		made := time.Now()
		scaler := scaling.New(context.Background(), key.Namespace, key.Name, collector, ready, &decider.Spec)
		if time.Since(made) < step { // else the machine was busy, and when it was made is not known well enough
			return scaler, collector, made, nil
		}
	}
}

// step is what all times between evaluations are multiples of.
const step = 10 * time.Millisecond

// episode holds both against each other, once each two seconds or so.
func episode(r *rand.Rand, count func(panics, zero bool)) error {
	s := drawn(r)
	load := series(r, &s)
	ours, err := knative.Scalers[0].New(s.ours, policy.Env{})
	if err != nil {
		return err
	}
	ready := pods(judge.Of(r, 0, 1, 2, r.IntN(50)))
	scaler, collector, now, err := theirs(&s, &ready)
	if err != nil {
		return err
	}
	defer collector.Delete(key.Namespace, key.Name)
	// Our time begins with an hour, because the periods of the delay begin with even seconds.
	exactly, zero, last, from := judge.Chance(r, .5), now.Truncate(time.Hour), -1, judge.Of(r, 0, 0, 1, 5)
	current := int(ready)
	for tick := range evaluations {
		if tick > 0 && exactly {
			now = now.Add(2 * time.Second)
		} else if tick > 0 {
			now = now.Add(time.Second + time.Duration(r.IntN(judge.Of(r, 200, 2000)))*step)
		}
		snap := &policy.Snapshot{Now: judge.Time(now.Sub(zero)), Current: current, Wanted: current, Max: math.MaxInt32,
			Limit: s.total, Window: units.Second, Measured: tick >= from}
		for i := range int(ready) {
			snap.Instances = append(snap.Instances, policy.Instance{ID: flow.Instance(i + 1), State: policy.Ready})
		}
		if second := int(now.Sub(zero) / time.Second); snap.Measured {
			snap.HeldLoad = load(second)
			if last < 0 {
				last = second - 1
			}
			for ; last < second; last++ { // ours takes the load of an evaluation for the seconds before it as well
				at := zero.Add(time.Duration(last+1) * time.Second)
				collector.Record(key, at, metrics.Stat{RequestCount: snap.HeldLoad})
			}
		}
		var steps policy.Steps
		n := ours.Evaluate(snap, &steps).Desired
		want := scaler.Scale(zap.NewNop().Sugar(), now)
		if want.ScaleValid != snap.Measured || want.ScaleValid && n != int(want.DesiredPodCount) {
			stable, panicked, err := collector.StableAndPanicRPS(key, now)
			return fmt.Errorf("evaluation %d at %v with %d ready: %d, theirs %+v\nours: %+v\n"+
				"their means: %v %v %v\n%+v", tick, now, ready, n, want, steps, stable, panicked, err, s)
		}
		current = n
		count(strings.HasPrefix(steps[0].Reason, "panic"), n == 0)
		switch move := pods(n) - ready; { // pods come and go with some delay
		case judge.Chance(r, .3):
		case judge.Chance(r, .5):
			ready += move
		case move > 0:
			ready += pods(r.IntN(int(move) + 1))
		case move < 0:
			ready -= pods(r.IntN(int(-move) + 1))
		}
		ready = min(ready, 2000)
	}
	return nil
}

const evaluations = 150

func TestEpisodes(t *testing.T) {
	panics, zeros, all := 0, 0, 0
	judge.Cases(t, "kpa", 2000, func(r *rand.Rand) error {
		return episode(r, func(panic, zero bool) {
			all++
			if panic {
				panics++
			}
			if zero {
				zeros++
			}
		})
	})
	t.Logf("%d evaluations, %d in panic, %d with none wanted", all, panics, zeros)
}
