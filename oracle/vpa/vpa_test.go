package vpa

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
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

// TestPeaks compares the peaks of memory of containers that share a histogram, with kills for lack of it.
func TestPeaks(t *testing.T) {
	killed := 0
	judge.Cases(t, "vpa/peaks", 10000, func(r *rand.Rand) error {
		halfLife := judge.Of(r, 10*time.Minute, time.Hour, 24*time.Hour)
		interval := judge.Of(r, time.Minute, time.Hour, 24*time.Hour, time.Duration(1+r.Int64N(int64(5*time.Hour))))
		ratio, least := judge.Of(r, 1.2, 1+r.Float64()), judge.Of(r, 100*1024*1024, r.Int64N(1e9))
		model.InitializeAggregationsConfig(model.NewAggregationsConfig(interval,
			model.DefaultMemoryAggregationIntervalCount, halfLife, halfLife, ratio, float64(least)))
		state, begin := model.NewAggregateContainerState(), zero(halfLife)
		ours := kubernetes.NewHistogram(kubernetes.MemoryBuckets, 1e-4, judge.Time(halfLife))
		type pair struct {
			ours    kubernetes.Peaks
			theirs  *model.ContainerState
			request int64
		}
		var all []*pair
		for range 1 + r.IntN(4) {
			all = append(all, &pair{theirs: model.NewContainerState(nil, state), request: r.Int64N(4e9)})
		}
		level, now := r.Int64N(2e9)+1, time.Duration(r.Int64N(int64(time.Hour)))
		for i := range 60 {
			now += time.Duration(r.Int64N(int64(judge.Of(r, interval/4, 2*interval))) + 1)
			if now > 90*24*time.Hour {
				break
			}
			if judge.Chance(r, .1) {
				level = r.Int64N(4e9) + 1
			}
			for _, p := range all {
				at := now
				if judge.Chance(r, .1) {
					at -= time.Duration(r.Int64N(int64(interval)))
					at = max(at, 0)
				}
				bytes := r.Int64N(level + 1)
				if judge.Chance(r, .1) {
					killed++
					got := p.ours.Killed(ours, p.request, kubernetes.Bump{Ratio: ratio, Least: least}, judge.Time(at),
						judge.Time(interval))
					err := p.theirs.RecordOOM(begin.Add(at), model.ResourceAmount(p.request))
					if got != (err == nil) {
						return fmt.Errorf("sample %d: a kill at %v counts: %v, theirs %v", i, at, got, err)
					}
				} else {
					p.ours.Sample(ours, bytes, judge.Time(at), judge.Time(interval))
					p.theirs.AddSample(&model.ContainerUsageSample{MeasureStart: begin.Add(at),
						Usage: model.ResourceAmount(bytes), Resource: model.ResourceMemory})
				}
			}
			for range 3 {
				share := judge.Of(r, .8983, .9517, .4983, .999*r.Float64()) // .9 of ten peaks is where rounding decides
				got, want := ours.Percentile(share), state.AggregateMemoryPeaks.Percentile(share)
				if math.Abs(got-want) > 1e-9*want {
					return fmt.Errorf("sample %d at %v: %v of %v, theirs %v\n%+v\n%+v", i, now, got, share, want, ours,
						state.AggregateMemoryPeaks)
				}
			}
		}
		return nil
	})
	t.Logf("%d kills", killed)
}

// object is what both are made of.
type object struct {
	memory               bool // is controlled too
	cores                bool
	request              int64 // bytes that a pod requests at first; 0 where it says nothing
	limit                float64
	leastBytes           int64
	peaks, fresh         time.Duration // interval and half-life of memory
	soon                 time.Duration
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
	o.memory, o.cores = judge.Chance(r, .6), true
	if o.memory {
		if o.target == .9 {
			o.target, o.upper = .8983, .9517 // of ten peaks, .9 is where rounding decides
		}
		o.cores = judge.Chance(r, .6)
		o.request, o.limit = judge.Of(r, 0, r.Int64N(2e9)+1), judge.Of(r, 0, 0, 1, 1+r.Float64())
		if strings.HasPrefix(o.mode, "in-place") {
			o.limit = 0 // what is requested changes there, and with it what a kill is
		}
		o.leastBytes, o.soon = judge.Of(r, 250*1024*1024, r.Int64N(1e9)), time.Duration(1+r.IntN(7200))*time.Second
		o.peaks, o.fresh = judge.Of(r, time.Hour, time.Minute, 24*time.Hour), judge.Of(r, time.Hour, 24*time.Hour)
	}
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
	if o.memory {
		controlled := "memory"
		if o.cores {
			controlled = "cpu+memory"
		}
		text += fmt.Sprintf("controlled_resources: %s\nmemory_request: %dB\nmemory_limit: %v\n"+
			"min_allowed_memory: %dB\nmemory_interval: %v\nmemory_half_life: %v\nevict_after_oom: %v\n",
			controlled, o.request, o.limit, o.leastBytes, judge.Time(o.peaks), judge.Time(o.fresh), judge.Time(o.soon))
	}
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
type recommended struct{ cpu, memory bounds }

type bounds struct{ lower, target, upper int64 }

const mostBytes = 1e12

func (o *object) recommend(state *model.AggregateContainerState) recommended {
	all := logic.CreatePodResourceRecommender(logic.RecommendationConfig{SafetyMarginFraction: o.margin,
		PodMinCPUMillicores: float64(o.least), TargetCPUPercentile: o.target, LowerBoundCPUPercentile: o.lower,
		UpperBoundCPUPercentile: o.upper, ConfidenceIntervalCPU: o.interval, ConfidenceIntervalMemory: o.interval,
		TargetMemoryPercentile: o.target, LowerBoundMemoryPercentile: o.lower, UpperBoundMemoryPercentile: o.upper,
		PodMinMemoryMb: float64(o.leastBytes) / 1024 / 1024,
	}).GetRecommendedPodResources(model.ContainerNameToAggregateStateMap{"main": state})["main"]
	of := func(name model.ResourceName, least, most int64) bounds {
		within := func(r model.Resources) int64 { return min(max(int64(r[name]), least), most) }
		return bounds{within(all.LowerBound), within(all.Target), within(all.UpperBound)}
	}
	return recommended{of(model.ResourceCPU, o.least, o.most), of(model.ResourceMemory, o.leastBytes, mostBytes)}
}

// processor hands a recommendation to the updater as it is.
type processor struct {
	o *object
	recommended
}

func (p processor) Apply(*vpa_types.VerticalPodAutoscaler, *v1.Pod) (*vpa_types.RecommendedPodResources,
	map[string][]string, error) {
	list := func(milli, bytes int64) v1.ResourceList {
		all := v1.ResourceList{}
		if p.o.cores {
			all[v1.ResourceCPU] = *resource.NewMilliQuantity(milli, resource.DecimalSI)
		}
		if p.o.memory {
			all[v1.ResourceMemory] = *resource.NewQuantity(bytes, resource.BinarySI)
		}
		return all
	}
	return &vpa_types.RecommendedPodResources{ContainerRecommendations: []vpa_types.RecommendedContainerResources{{
		ContainerName: "main", Target: list(p.cpu.target, p.memory.target),
		LowerBound: list(p.cpu.lower, p.memory.lower), UpperBound: list(p.cpu.upper, p.memory.upper)}}}, nil, nil
}

type all struct{}

func (all) Admit(*v1.Pod, *vpa_types.RecommendedPodResources) bool { return true }
func (all) CleanUp()                                               {}
func (all) LoopInit([]*v1.Pod, map[*vpa_types.VerticalPodAutoscaler][]*v1.Pod) {
}

// due are the instances that theirs changes.
func (o *object) due(s *policy.Snapshot, pods []pod, r recommended, begin time.Time) []flow.Instance {
	if o.mode == "off" || o.mode == "initial" {
		return nil
	}
	calc := priority.NewUpdatePriorityCalculator(&vpa_types.VerticalPodAutoscaler{}, priority.UpdateConfig{
		MinChangePriority: o.change, PodLifetimeUpdateThreshold: o.lifetime, EvictAfterOOMThreshold: o.soon},
		processor{o, r}, priority.NewProcessor())
	for k, i := range s.Instances {
		started := metav1.Time{Time: begin.Add(judge.Duration(i.Ready))}
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: strconv.Itoa(int(i.ID))}}
		p.Status.StartTime = &started
		p.Spec.Containers = []v1.Container{{Name: "main", Resources: v1.ResourceRequirements{Requests: v1.ResourceList{
			v1.ResourceCPU: *resource.NewMilliQuantity(int64(math.Round(i.Share*1000)), resource.DecimalSI)}}}}
		if bytes := pods[k].request; bytes > 0 {
			p.Spec.Containers[0].Resources.Requests[v1.ResourceMemory] = *resource.NewQuantity(bytes, resource.BinarySI)
		}
		if at := pods[k].killed; at > 0 {
			p.Status.ContainerStatuses = []v1.ContainerStatus{{Name: "main", LastTerminationState: v1.ContainerState{
				Terminated: &v1.ContainerStateTerminated{Reason: "OOMKilled", StartedAt: started,
					FinishedAt: metav1.Time{Time: begin.Add(at)}}}}}
		}
		calc.AddPod(p, begin.Add(judge.Duration(s.Now)), nil)
	}
	var ids []flow.Instance
	for _, p := range calc.GetSortedPods(all{}) {
		id, _ := strconv.Atoi(p.Name)
		ids = append(ids, flow.Instance(id))
	}
	return ids
}

// text is the reason that ours gives.
func (r recommended) text(o *object) string {
	var all []string
	if o.cores {
		all = append(all, fmt.Sprintf("%v of a core each, %v to %v", float64(r.cpu.target)/1000,
			float64(r.cpu.lower)/1000, float64(r.cpu.upper)/1000))
	}
	if o.memory {
		mb := func(bytes int64) string { return strconv.FormatFloat(float64(bytes)/1e6, 'f', -1, 64) + " MB" }
		all = append(all, fmt.Sprintf("%s of memory each, %s to %s", mb(r.memory.target), mb(r.memory.lower),
			mb(r.memory.upper)))
	}
	return "target " + strings.Join(all, "; ")
}

// pod is what theirs knows of a pod's memory.
type pod struct {
	state   *model.ContainerState
	request int64
	over    bool
	killed  time.Duration
}

func TestRecommender(t *testing.T) {
	changed, some, kills := 0, 0, 0
	judge.Cases(t, "vpa/recommender", 4000, func(r *rand.Rand) error {
		o := drawn(r)
		ours, text, err := o.ours()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, text)
		}
		model.InitializeAggregationsConfig(model.NewAggregationsConfig(o.peaks,
			model.DefaultMemoryAggregationIntervalCount, max(o.fresh, time.Hour), o.halfLife,
			model.DefaultOOMBumpUpRatio, model.DefaultOOMMinBumpUp))
		state, begin := model.NewAggregateContainerState(), zero(24*time.Hour)
		s := &policy.Snapshot{Max: 100, Limit: 1, Window: units.Second, Measured: true}
		for id := range 1 + r.IntN(8) {
			s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(id + 1), State: policy.Ready})
			s.Current++
		}
		s.Wanted = s.Current
		pods := make([]pod, len(s.Instances))
		for k := range pods {
			pods[k] = pod{state: model.NewContainerState(nil, state), request: o.request}
		}
		bytes := r.Int64N(2e9) + 1
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
				if p := &pods[k]; o.memory {
					used := r.Int64N(bytes) + bytes/2
					i.Usage.Memory = float64(used)
					p.state.AddSample(&model.ContainerUsageSample{MeasureStart: begin.Add(now),
						Usage: model.ResourceAmount(used), Resource: model.ResourceMemory})
					over := o.limit > 0 && p.request > 0 && float64(used) > o.limit*float64(p.request)
					if over && !p.over {
						p.killed = now
						kills++
						if err := p.state.RecordOOM(begin.Add(now), model.ResourceAmount(p.request)); err != nil {
							return err
						}
					}
					p.over = over
				}
				if judge.Chance(r, .2) {
					i.Ready = judge.Time(now - time.Duration(r.Int64N(int64(now))))
				}
				i.Share = float64(judge.Of(r, 1000, o.least, 10+r.Int64N(2000))) / 1000
				i.Asked = i.Share
			}
			want := o.recommend(state)
			var steps policy.Steps
			answer := ours.Evaluate(s, &steps)
			text := want.text(&o)
			if got, _, _ := strings.Cut(steps[0].Reason, " now request"); got != text &&
				!strings.HasPrefix(got, text+"; ") {
				return fmt.Errorf("at %v: %s, theirs %s\n%+v", now, got, text, o)
			}
			if share := float64(want.cpu.target) / 1000; o.mode != "off" && o.cores && answer.Share != share {
				return fmt.Errorf("share %v, want %v", answer.Share, share)
			}
			var got []flow.Instance
			for _, x := range answer.Resize {
				got = append(got, x.Instance)
			}
			due := o.due(s, pods, want, begin)
			if o.memory && o.mode == "in-place" || o.mode == "in-place-or-recreate" && o.memory {
				continue // the memory of who is changed in place is the policy's own, and is not in the answer
			}
			share := func(id flow.Instance) float64 { // those who are alike
				return s.Instances[id-1].Share*1e12 + float64(pods[id-1].request)
			}
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
	t.Logf("%d instances are changed, and %d times some of those that might; %d kills", changed, some, kills)
}
