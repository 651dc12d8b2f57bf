package policy

import (
	"fmt"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// Scaler says how many instances there shall be. One is made for each run and keeps what it remembers in its own type.
// Like every policy, it does no I/O, reads no clock and draws from no random source but Env.Rand.
//
// What scaling policies share is done by the host, package autoscaler: when an evaluation is due, the narrowing of the
// Snapshot to what the policy's row declares, the bounds, the decision log, and which instance a scale-in removes.
// Package scalingtest holds every policy to this contract.
type Scaler interface {
	// Evaluate answers once an interval; calls come in order of time. It must not change the Snapshot, nor keep it.
	//
	// Each stage that the number runs through is taken down in steps, the recommendation first. The last one leaves the
	// number that is proposed, which lies within the bounds. Policies call the stages of Steps that they want and write
	// the others themselves, with Take.
	Evaluate(s *Snapshot, steps *Steps) Proposal
}

// Proposal is the outcome of an evaluation. The host carries it out at once and in full.
type Proposal struct {
	Desired int // instances that shall be starting or ready, Snapshot.Min to Snapshot.Max

	// What a policy whose row says Resizes wants of the instances' shares of a core. The list is in order of the
	// instances, none of which drains, and the policy's until it is asked again.
	Resize []Resize
	Share  float64 // of the instances that are created from now on; 0 for what it was, which is 1 at first
}

// Resize gives an instance another share of a core.
type Resize struct {
	Instance flow.Instance
	Share    float64 // LeastShare to MostShare
	Recreate bool    // an instance with that share takes its place, instead of its being changed as it runs
	Reason   string  // one short sentence
}

// Bounds of a share of a core.
const (
	LeastShare = 0.01
	MostShare  = 64
)

// Snapshot is what is known at the time of an evaluation. A field of a class of telemetry that the policy's row does
// not declare is zero.
type Snapshot struct {
	Now      units.Time
	Current  int     // instances that are starting or ready; draining ones are on their way out and do not count
	Wanted   int     // what was last asked for: more than Current while a failed instance has not been replaced
	Min, Max int     // bounds of the number of instances, 0 <= Min <= Max
	Limit    float64 // packets a second that one instance is trusted with, above 0
	Held     int     // flows that wait for an instance, or for room on one

	LastScaling  units.Time // when an evaluation last changed the number; Never before it did
	LastScaleOut units.Time // when an evaluation last raised it; Never before it did

	Backlog Backlog // T1: the queue of what is held, since the evaluation before

	HeldLoad float64    // T2: packets a second that the held flows are expected to bring
	Window   units.Time // T2: time between two readings of the counters
	Measured bool       // T2: any counters have been read
	Period   units.Time // T3: time between two readings of the reports; 0 where there are none

	// T5: the most packets a second that the workload offers at any time before an instance that is ordered in the next
	// evaluation could be ready.
	Ahead float64

	Instances []Instance // those that start, are ready or drain, in order of their numbers
}

// Backlog is what became of the queue of held flows, or requests, in a time. What need not wait passes it at once.
type Backlog struct {
	Start int // held when the time began
	Left  int // left the queue since, most of them to an instance
	Most  int // were held at once since
}

// Grew notes that so many are held now, which is one more.
func (b *Backlog) Grew(held int) { b.Most = max(b.Most, held) }

// Begin begins another time, when so many are held.
func (b *Backlog) Begin(held int) { *b = Backlog{Start: held, Most: held} }

// Instance is what is known of one instance.
type Instance struct {
	ID      flow.Instance
	State   State
	Created units.Time     // when it was ordered
	Ready   units.Time     // when it began to take packets; Never before it did
	Share   float64        // of a core that it may use; 0 where no policy has said, which is 1
	Asked   float64        // the share that was asked for last; other than Share while that is under way
	Refused bool           // the last change of its share was refused
	Flows   int32          // T1: assigned to it and not yet ended
	Rate    telemetry.Rate // T2: what the switch counted for it; Rate.Sampled is the age

	Usage telemetry.Usage // T3: what its agent reported, of the metrics that are measured; Usage.Sampled is the age
}

// Cores is the share of a core that the instance may use.
func (i *Instance) Cores() float64 {
	if i.Share == 0 {
		return 1
	}
	return i.Share
}

// State is where in its life an instance is.
type State uint8

// The states of the instances that a Snapshot lists.
const (
	Starting State = iota
	Ready
	Draining // it takes no new flows and goes when those that it has are gone
)

// String is the state's name.
func (s State) String() string { return [...]string{"starting", "ready", "draining"}[s] }

// Missing counts the instances that had been read before, and that the last reading lacked.
func (s *Snapshot) Missing() int {
	n := 0
	for i := range s.Instances {
		if r := &s.Instances[i].Rate; r.Known && r.Stale {
			n++
		}
	}
	return n
}

// Narrow clears what a policy that sees these classes is not shown.
func (s *Snapshot) Narrow(sees Class) {
	if !sees.Has(T1) {
		s.Backlog = Backlog{}
	}
	if !sees.Has(T2) {
		s.HeldLoad, s.Window, s.Measured = 0, 0, false
	}
	if !sees.Has(T3) {
		s.Period = 0
	}
	if !sees.Has(T5) {
		s.Ahead = 0
	}
	Narrow(s.Instances, sees)
}

// Narrow clears what a policy that sees these classes is not shown of instances.
func Narrow(of []Instance, sees Class) {
	if !sees.Has(T1) {
		for i := range of {
			of[i].Flows = 0
		}
	}
	if !sees.Has(T2) {
		for i := range of {
			of[i].Rate = telemetry.Rate{}
		}
	}
	if !sees.Has(T3) {
		for i := range of {
			of[i].Usage = telemetry.Usage{}
		}
	}
}

// ScalerRow is a scaling policy in the table of its family.
type ScalerRow struct {
	Info
	Asleep   bool     // where no instance is wanted, it asks for none
	Counters []string // what it counts itself, in Env.Counts
	Resizes  bool     // it changes the shares of instances
	ScalerMaker
}

// ScalerMaker makes scaling policies of one kind from their options.
type ScalerMaker struct {
	Options any                                        // a struct of tagged fields; nil for a policy without options
	New     func(options any, env Env) (Scaler, error) // nil for a policy that never evaluates
}

// MakeScaler is a ScalerMaker for a policy whose options are of type O.
func MakeScaler[O any](f func(O, Env) (Scaler, error)) ScalerMaker {
	var zero O
	return ScalerMaker{zero, func(o any, env Env) (Scaler, error) {
		typed, ok := o.(O)
		if !ok {
			return nil, fmt.Errorf("options of type %T: want %T", o, zero)
		}
		return f(typed, env)
	}}
}

// Victim chooses the instance that a scale-in removes. One is made for each run.
type Victim interface {
	// Score sets scores[i], a number, for each instance of[i]. The lowest goes; of equals the newest. The instances are
	// in order of their numbers, and none of them drains.
	Score(now units.Time, of []Instance, scores []float64)
}

// VictimRow is a policy of choosing a victim in the table of its family.
type VictimRow struct {
	Info
	New func(Env) Victim
}

// EachScored is a Victim that scores each instance by itself.
type EachScored func(*Instance) float64

// Score applies the function to each instance.
func (f EachScored) Score(_ units.Time, of []Instance, scores []float64) {
	for i := range of {
		scores[i] = f(&of[i])
	}
}
