package vpa

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	vpa_types "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/logic"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/model"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/recommender/util"
	"k8s.io/autoscaler/vertical-pod-autoscaler/pkg/updater/priority"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// zero is the begin of our time: theirs has a reference that is a whole number of half-lives since the year 1.
func zero(halfLife time.Duration) time.Time {
	return time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC).Truncate(halfLife)
}

func TestHistogram(t *testing.T) {
	judge.Cases(t, "vpa/histogram", 20000, func(r *rand.Rand) error {
		most, first, ratio := judge.Of(r, 1000, 1, 10+100*r.Float64()), judge.Of(r, .01, 1, r.Float64()+.01), 1.05
		if judge.Chance(r, .3) {
			ratio = 1.01 + r.Float64()
		}
		// A sample that is less than that when it comes is left out: theirs does not scale it with the others.
		epsilon := judge.Of(r, 1e-4, .001)
		halfLife := judge.Of(r, time.Minute, 10*time.Minute, time.Hour, 24*time.Hour, 48*time.Hour)
		options, err := util.NewExponentialHistogramOptions(most, first, ratio, epsilon)
		if err != nil {
			return err
		}
		theirs := util.NewDecayingHistogram(options, halfLife)
		starts := kubernetes.Exponential(most, first, ratio)
		ours := kubernetes.NewHistogram(starts, epsilon, judge.Time(halfLife))
		if len(starts) != options.NumBuckets() {
			return fmt.Errorf("%d buckets, theirs %d: %v %v %v", len(starts), options.NumBuckets(), most, first, ratio)
		}
		at := time.Duration(r.Int64N(int64(halfLife / 2)))
		for i := range 1 + r.IntN(60) {
			value, weight := judge.Of(r, 0, r.Float64()*first*3, r.Float64()*most, 2*most*r.Float64()), .1
			if judge.Chance(r, .3) {
				weight += r.Float64()
			}
			ours.Add(value, weight, judge.Time(at))
			theirs.AddSample(value, weight, zero(halfLife).Add(at))
			for range 3 {
				share := judge.Of(r, 0, .9, .95, .999*r.Float64())
				got, want := ours.Percentile(share), theirs.Percentile(share)
				if math.Abs(got-want) > 1e-9*want {
					return fmt.Errorf("sample %d at %v: %v of %v, theirs %v\nup to %v, from %v, by %v; "+
						"empty below %v; %v\n%+v\n%+v", i, at, got, share, want,
						most, first, ratio, epsilon, halfLife, ours, theirs)
				}
			}
			switch next := time.Duration(r.Int64N(int64(halfLife))); {
			case judge.Chance(r, .1):
				at -= min(at, next) // a late sample
			case judge.Chance(r, .05):
				at += min(200*halfLife, 90*24*time.Hour-at) // the reference has to follow; our time ends after 106 days
			default:
				at = min(at+next, 90*24*time.Hour)
			}
		}
		return nil
	})
}

// Each number of millicores is in the bucket in which theirs has it.
func TestBuckets(t *testing.T) {
	options, err := util.NewExponentialHistogramOptions(1000, .01, 1.05, 1e-4)
	if err != nil {
		t.Fatal(err)
	}
	starts := kubernetes.Exponential(1000, .01, 1.05)
	for milli := range 64001 {
		cores := float64(milli) / 1000
		k, _ := slices.BinarySearchFunc(starts, cores, func(start, x float64) int {
			if start <= x {
				return -1
			}
			return 1
		})
		if want := options.FindBucket(cores); k-1 != want {
			t.Errorf("%d millicores: bucket %d, theirs %d", milli, k-1, want)
		}
	}
}

// object is what both are made of.
type object struct {
	mode                 string
	least, most          int64 // thousandths of a core
	halfLife, interval   time.Duration
	margin               float64
	target, lower, upper float64
	lifetime             time.Duration
	change, tolerance    float64
}

func drawn(r *rand.Rand) object {
	o := object{mode: judge.Of(r, "off", "initial", "recreate", "recreate", "in-place-or-recreate", "in-place"),
		least: judge.Of(r, 25, 10+r.Int64N(300)), halfLife: judge.Of(r, 24*time.Hour, time.Hour),
		interval: judge.Of(r, 24*time.Hour, time.Hour, 10*time.Minute),
		margin:   .15, target: .9, lower: .4983, upper: .95, // .5 is where rounding decides
		lifetime: judge.Of(r, 12*time.Hour, 0, time.Duration(r.Int64N(int64(time.Hour)))),
		change:   judge.Of(r, .1, .01, .001+r.Float64())} // with 0, theirs changes what would not change
	o.tolerance = judge.Of(r, 1, .5, r.Float64())
	o.most = o.least + judge.Of(r, 1000, 64000-o.least, r.Int64N(5000))
	if judge.Chance(r, .4) {
		percentiles := []float64{r.Float64(), r.Float64(), r.Float64()}
		slices.Sort(percentiles) // else a pod that has the target is outside of the bounds, and theirs changes it
		o.margin, o.lower, o.target, o.upper = r.Float64(), percentiles[0], percentiles[1], percentiles[2]
	}
	return o
}

// ours makes the policy.
func (o *object) ours() (policy.Scaler, string, error) {
	text := fmt.Sprintf("mode: %s\nmin_allowed: %v\nmax_allowed: %v\nhalf_life: %v\nconfidence_interval: %v\n"+
		"margin: %v\ntarget_percentile: %v\nlower_percentile: %v\nupper_percentile: %v\neviction_tolerance: %v\n"+
		"min_replicas: 1\nlifetime: %v\nmin_change: %v\n",
		o.mode, float64(o.least)/1000, float64(o.most)/1000, judge.Time(o.halfLife),
		judge.Time(o.interval), o.margin, o.target, o.lower, o.upper, o.tolerance, judge.Time(o.lifetime), o.change)
	for _, row := range kubernetes.Scalers {
		if row.Name == "vpa" {
			options := reflect.New(reflect.TypeOf(row.Options))
			if err := strictyaml.Decode("vpa.yaml", []byte(text), options.Interface(), nil); err != nil {
				return nil, text, err
			}
			p, err := row.New(options.Elem().Interface(), policy.Env{})
			return p, text, err
		}
	}
	return nil, text, fmt.Errorf("no policy vpa")
}

// recommended are theirs, within the allowed range as the object's policy has it.
type recommended struct{ lower, target, upper int64 }

func (o *object) recommend(state *model.AggregateContainerState) recommended {
	all := logic.CreatePodResourceRecommender(logic.RecommendationConfig{SafetyMarginFraction: o.margin,
		PodMinCPUMillicores: float64(o.least), TargetCPUPercentile: o.target, LowerBoundCPUPercentile: o.lower,
		UpperBoundCPUPercentile: o.upper, ConfidenceIntervalCPU: o.interval, ConfidenceIntervalMemory: o.interval,
	}).GetRecommendedPodResources(model.ContainerNameToAggregateStateMap{"main": state})["main"]
	within := func(r model.Resources) int64 { return min(max(int64(r[model.ResourceCPU]), o.least), o.most) }
	return recommended{within(all.LowerBound), within(all.Target), within(all.UpperBound)}
}

// processor hands a recommendation to the updater as it is.
type processor struct{ recommended }

func (p processor) Apply(*vpa_types.VerticalPodAutoscaler, *v1.Pod) (*vpa_types.RecommendedPodResources,
	map[string][]string, error) {
	cpu := func(milli int64) v1.ResourceList {
		return v1.ResourceList{v1.ResourceCPU: *resource.NewMilliQuantity(milli, resource.DecimalSI)}
	}
	return &vpa_types.RecommendedPodResources{ContainerRecommendations: []vpa_types.RecommendedContainerResources{{
		ContainerName: "main", Target: cpu(p.target), LowerBound: cpu(p.lower), UpperBound: cpu(p.upper)}}}, nil, nil
}

type all struct{}

func (all) Admit(*v1.Pod, *vpa_types.RecommendedPodResources) bool { return true }
func (all) CleanUp()                                               {}
func (all) LoopInit([]*v1.Pod, map[*vpa_types.VerticalPodAutoscaler][]*v1.Pod) {
}

// due are the instances that theirs changes.
func (o *object) due(s *policy.Snapshot, r recommended, begin time.Time) []flow.Instance {
	if o.mode == "off" || o.mode == "initial" {
		return nil
	}
	calc := priority.NewUpdatePriorityCalculator(&vpa_types.VerticalPodAutoscaler{}, priority.UpdateConfig{
		MinChangePriority: o.change, PodLifetimeUpdateThreshold: o.lifetime}, processor{r}, priority.NewProcessor())
	for _, i := range s.Instances {
		started := metav1.Time{Time: begin.Add(judge.Duration(i.Ready))}
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: strconv.Itoa(int(i.ID))}}
		p.Status.StartTime = &started
		p.Spec.Containers = []v1.Container{{Name: "main", Resources: v1.ResourceRequirements{Requests: v1.ResourceList{
			v1.ResourceCPU: *resource.NewMilliQuantity(int64(math.Round(i.Share*1000)), resource.DecimalSI)}}}}
		calc.AddPod(p, begin.Add(judge.Duration(s.Now)), nil)
	}
	var ids []flow.Instance
	for _, p := range calc.GetSortedPods(all{}) {
		id, _ := strconv.Atoi(p.Name)
		ids = append(ids, flow.Instance(id))
	}
	return ids
}

func TestRecommender(t *testing.T) {
	changed, some := 0, 0
	judge.Cases(t, "vpa/recommender", 4000, func(r *rand.Rand) error {
		o := drawn(r)
		ours, text, err := o.ours()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, text)
		}
		model.InitializeAggregationsConfig(model.NewAggregationsConfig(model.DefaultMemoryAggregationInterval,
			model.DefaultMemoryAggregationIntervalCount, model.DefaultMemoryHistogramDecayHalfLife, o.halfLife,
			model.DefaultOOMBumpUpRatio, model.DefaultOOMMinBumpUp))
		state, begin := model.NewAggregateContainerState(), zero(o.halfLife)
		s := &policy.Snapshot{Max: 100, Limit: 1, Window: units.Second, Measured: true}
		for id := range 1 + r.IntN(8) {
			s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(id + 1), State: policy.Ready})
			s.Current++
		}
		s.Wanted = s.Current
		level, period := r.Float64(), time.Duration(1+r.IntN(120))*time.Second
		now := time.Duration(0)
		for range 40 {
			now += period
			if judge.Chance(r, .1) {
				now += time.Duration(r.Int64N(int64(o.halfLife)))
				level = 2 * r.Float64()
			}
			s.Now = judge.Time(now)
			for k := range s.Instances {
				i := &s.Instances[k]
				milli := int64(1000 * level * r.Float64())
				i.Usage = telemetry.Usage{CPU: float64(milli) / 1000, Known: true, Sampled: s.Now}
				state.AddSample(&model.ContainerUsageSample{MeasureStart: begin.Add(now),
					Usage: model.ResourceAmount(milli), Resource: model.ResourceCPU})
				if judge.Chance(r, .2) {
					i.Ready = judge.Time(now - time.Duration(r.Int64N(int64(now))))
				}
				i.Share = float64(judge.Of(r, 1000, o.least, 10+r.Int64N(2000))) / 1000
				i.Asked = i.Share
			}
			want := o.recommend(state)
			var steps policy.Steps
			answer := ours.Evaluate(s, &steps)
			text := fmt.Sprintf("target %v of a core each, %v to %v", float64(want.target)/1000,
				float64(want.lower)/1000, float64(want.upper)/1000)
			if got := steps[0].Reason; got != text {
				return fmt.Errorf("at %v: %s, theirs %s\n%+v", now, got, text, o)
			}
			if share := float64(want.target) / 1000; o.mode != "off" && answer.Share != share {
				return fmt.Errorf("share %v, want %v", answer.Share, share)
			}
			var got []flow.Instance
			for _, x := range answer.Resize {
				got = append(got, x.Instance)
			}
			due := o.due(s, want, begin)
			share := func(id flow.Instance) float64 { return s.Instances[id-1].Share }
			n := len(got)
			if n > len(due) || n < len(due) && o.tolerance == 1 {
				n = len(due)
			} else if 0 < n && n < len(due) && share(due[n-1]) == share(due[n]) {
				continue // either may be the last one
			}
			if n < len(due) {
				some++
			}
			due = due[:n]
			slices.Sort(due)
			if !slices.Equal(got, due) {
				return fmt.Errorf("at %v: %v are changed, theirs %v: %+v with %s\n%+v", now, got, due, s.Instances,
					text, o)
			}
			changed += len(due)
		}
		return nil
	})
	t.Logf("%d instances are changed, and %d times some of those that might", changed, some)
}
