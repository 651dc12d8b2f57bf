package scenarios

import (
	"cmp"
	"fmt"
	"math"
	"reflect"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Scaled is the experiment with its rates and its times multiplied: traffic, scheduler, autoscaler, telemetry, faults
// and length. What it runs on, nic and vnf, stays as it is. The result's Scale says by how much in all. The packets of
// a trace cannot be made fewer, so a trace can only be played faster, at the rates that follow from it. A flow model
// cannot be scaled, nor can a policy that counts in whole seconds. Anything else is an error that is ErrInvalid.
func (s *Scenario) Scaled(rate, time float64) (*Scenario, error) {
	to := *s
	to.Scale.Rate, to.Scale.Time = s.Scale.Rate*rate, s.Scale.Time*time
	k := factors{rate, time}
	if err := cmp.Or(k.allowed(s.Scheduler.Policy, "scheduler.policy"),
		k.allowed(s.Autoscaler.Policy, "autoscaler.policy")); err != nil {
		err.File = s.Name
		return nil, err
	}
	to.Duration = k.time(s.Duration)
	to.Instances.SlowStart = k.time(s.Instances.SlowStart)
	k.apply(reflect.ValueOf(&to.Scheduler).Elem())
	if n := s.Scheduler.MoveBudget; n > 0 {
		to.Scheduler.MoveBudget = int(math.Round(max(1, min(float64(n)/time, 1e9))))
	}
	k.apply(reflect.ValueOf(&to.Autoscaler).Elem())
	k.apply(reflect.ValueOf(&to.Telemetry).Elem())
	to.Faults = append([]Fault{}, s.Faults...)
	k.apply(reflect.ValueOf(to.Faults))
	if s.Nodes != nil {
		nodes := *s.Nodes
		if err := k.allowed(nodes.Dispatcher.Policy, "nodes.dispatcher.policy"); err != nil {
			err.File = s.Name
			return nil, err
		}
		k.apply(reflect.ValueOf(&nodes).Elem())
		nodes.Link = s.Nodes.Link // of the testbed
		to.Nodes = &nodes
	}
	to.Workload = make([]Source, len(s.Workload))
	for i := range s.Workload {
		if err := k.source(&s.Workload[i], &to.Workload[i], fmt.Sprintf("workload.%d", i)); err != nil {
			err.File = s.Name
			return nil, err
		}
	}
	return &to, nil
}

// factors multiply rates and times.
type factors struct{ r, t float64 }

// Unscaled is implemented by the options of a policy that would be another one beside scaled rates and times. It says
// what cannot be scaled; it is empty where these options can.
type Unscaled interface{ Unscaled() string }

func (k factors) allowed(policy strictyaml.Choice, key string) *Error {
	if u, ok := policy.Options.(Unscaled); ok && (k.r != 1 || k.t != 1) && u.Unscaled() != "" {
		return &Error{Key: key, Found: policy.Name + ", which has " + u.Unscaled(),
			Expected: "a scale of 1, or another policy"}
	}
	return nil
}

func (k factors) time(t units.Time) units.Time {
	return units.Time(math.Round(min(float64(t)*k.t, math.MaxInt64/2)))
}

// apply multiplies every rate and every time in v.
func (k factors) apply(v reflect.Value) {
	switch x := v.Interface().(type) {
	case units.Time:
		v.SetInt(int64(k.time(x)))
		return
	case units.PPS, units.BPS:
		v.SetFloat(v.Float() * k.r)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				k.apply(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.CanSet() { // not the elements that the unscaled scenario has
			own := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			reflect.Copy(own, v)
			v.Set(own)
		}
		for i := range v.Len() {
			k.apply(v.Index(i))
		}
	case reflect.Interface: // the options of a strictyaml.Choice
		if !v.IsNil() {
			options := reflect.New(v.Elem().Type()).Elem()
			options.Set(v.Elem())
			k.apply(options)
			v.Set(options)
		}
	}
}

// source scales one source of traffic.
func (k factors) source(from, to *Source, key string) *Error {
	to.Tenant, to.FrameSizes = from.Tenant, from.FrameSizes
	switch {
	case from.CBR != nil:
		c := *from.CBR
		k.apply(reflect.ValueOf(&c).Elem())
		if c.Arrivals != "on-off" { // the two times say nothing, and are as they were
			c.On, c.Off = from.CBR.On, from.CBR.Off
		}
		to.CBR = &c
	case from.Flows != nil:
		to.Flows = append([]OneFlow{}, from.Flows...)
		for i := range to.Flows {
			f := &to.Flows[i]
			was := *f
			k.apply(reflect.ValueOf(f).Elem())
			f.Period = units.Time(math.Round(float64(was.Period) / k.r))
			if f.Arrivals != "on-off" {
				f.On, f.Off = was.On, was.Off
			}
		}
	case from.Load != nil:
		l := *from.Load
		l.Scale *= k.r
		l.Speedup /= k.t
		l.Lifetime = k.time(l.Lifetime)
		to.Load = &l
	case from.Model != nil && (k.r != 1 || k.t != 1):
		return &Error{Key: key + ".model", Found: "a flow model",
			Expected: "a scale of 1, since its flows have the packets that they have: " +
				"give it rates and times of its own"}
	case from.Model != nil:
		to.Model = from.Model
	case from.Requests != nil && (k.r != 1 || k.t != 1):
		return &Error{Key: key + ".requests", Found: "requests",
			Expected: "a scale of 1, since their services take as long as they take: " +
				"give them rates and times of their own"}
	case from.Requests != nil:
		to.Requests = from.Requests
	case from.Services != nil || from.Diurnal != nil || from.FlashCrowd != nil:
		k.shapes(from, to)
	case from.pattern():
		k.patterns(from, to)
	default:
		if math.Abs(float64(k.r*k.t)-1) > 1e-9 {
			return &Error{Key: key, Found: "a trace, whose packets cannot be made fewer",
				Expected: "a rate scale that is 1 over the time scale"}
		}
		for _, x := range []struct {
			from *Trace
			to   **Trace
		}{{from.PCAP, &to.PCAP}, {from.Zeek, &to.Zeek}, {from.Records, &to.Records}} {
			if x.from != nil {
				t := *x.from
				t.Speedup /= k.t
				*x.to = &t
			}
		}
	}
	return nil
}
