package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// instance is what is known of an instance. Its requests to the container engine are carried out one after the other:
// last is closed when the newest is done, and cancel ends a creation that goes on.
type instance struct {
	state    string     // one of results.States, never StateDraining: only the orchestrator knows that
	initial  bool       // started before the run began
	attached bool       // the switch counts it
	left     units.Time // when it failed or was gone
	share    float64    // of its processor time; 0 for all of it
	flows    int32      // whose packets go to it
	cancel   context.CancelFunc
	last     chan struct{}

	counter telemetry.Counter // the newest
	final   bool              // and the last
	now     telemetry.Counter // as taken with the last reading
	shown   telemetry.Counter // what the rows so far have shown
	ledger  ledger            // of what went in and did not come out
	before  ledger            // the same before the last reading
}

// instance is the state of instance i, which need not have been heard of.
func (p *plant) instance(i flow.Instance) *instance {
	for len(p.instances) < int(i) {
		p.instances = append(p.instances, instance{state: results.StateStarting})
	}
	return &p.instances[i-1]
}

// forwarding says whether the instance has counters in the switch.
func (s *instance) forwarding() bool {
	return s.state == results.StateReady || s.state == results.StateStopping
}

// start makes a container with a share and attaches it to the switch. If it fails, it leaves nothing behind.
func (p *plant) start(ctx context.Context, i flow.Instance, share float64) (hw.Container, error) {
	c, err := p.hw.Containers.Create(ctx, i)
	if err != nil {
		return c, fmt.Errorf("instance %d: %w", i, err)
	}
	if share > 0 {
		err = p.hw.Containers.(hw.Resizer).Resize(ctx, i, share)
	}
	if err == nil {
		if err = p.attach(ctx, i, c.Ports); err != nil {
			err = fmt.Errorf("instance %d: attaching it at ports %s and %s: %w", i, c.Ports.In, c.Ports.Out, err)
		}
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		return c, errors.Join(err, p.hw.Containers.Delete(clean, i))
	}
	return c, nil
}

// attach waits for a switch that is being restarted.
func (p *plant) attach(ctx context.Context, i flow.Instance, at hw.Ports) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := p.hw.Switch.Attach(ctx, i, at)
		if !errors.Is(err, hw.ErrDown) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// next starts a goroutine that works on an instance once all earlier requests for that instance are done.
func (p *plant) next(s *instance, work func()) {
	before, done := s.last, make(chan struct{})
	s.last = done
	go func() {
		defer close(done)
		if before != nil {
			<-before
		}
		work()
	}()
}

func (p *plant) create(i flow.Instance, share float64) {
	s := p.instance(i)
	s.share = share
	if s.initial {
		p.created(i, nil)
		return
	}
	if p.faults.engineFails() {
		p.created(i, errors.New("the scenario's fault: the container engine could not create it"))
		return
	}
	p.faults.engine(func() {
		ctx, cancel := context.WithCancel(p.ctx)
		p.instance(i).cancel = cancel
		p.next(p.instance(i), func() {
			defer cancel()
			c, err := p.start(ctx, i, share)
			p.post(func() {
				if err == nil {
					p.opts.Metrics.started(c)
					p.latencies.ready = append(p.latencies.ready, c.Ready)
				}
				p.created(i, err)
			})
		})
	})
}

func (p *plant) created(i flow.Instance, err error) {
	s := p.instance(i)
	if err != nil {
		if s.state == results.StateStarting {
			s.state, s.left, s.final = results.StateFailed, p.now(), true
			if p.ended && errors.Is(err, context.Canceled) { // it was being started when the run ended
				return
			}
			p.say("instance %d could not be started: %v", i, err)
			p.deliver(orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: i, Reason: err.Error()})
		}
		return
	}
	s.attached = true
	if s.state == results.StateStarting {
		s.state = results.StateReady
		p.deliver(orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: i})
	}
}

// resize changes the share of an instance, once all earlier requests for it are done.
func (p *plant) resize(i flow.Instance, share float64) {
	fails := p.faults.engineFails()
	p.faults.engine(func() {
		p.next(p.instance(i), func() {
			err := errors.New("the scenario's fault: the container engine could not resize it")
			if !fails {
				ctx, cancel := context.WithTimeout(p.ctx, cleanLimit)
				err = p.hw.Containers.(hw.Resizer).Resize(ctx, i, share)
				cancel()
			}
			p.post(func() { p.resized(i, share, err) })
		})
	})
}

// resized tells the orchestrator of the share that an instance has.
func (p *plant) resized(i flow.Instance, share float64, err error) {
	s := p.instance(i)
	if s.state == results.StateFailed || s.state == results.StateGone {
		return
	}
	e := orchestrator.Event{Kind: orchestrator.InstanceResized, Instance: i}
	if err != nil {
		e.Reason = err.Error()
		p.say("instance %d could not be given %v of its processor time: %v", i, share, err)
	} else {
		s.share = share
	}
	e.Share = s.share
	p.deliver(e)
}

// delete stops an instance. If it is still being created, its creation is cancelled.
func (p *plant) delete(i flow.Instance) {
	s := p.instance(i)
	if s.state == results.StateStarting || s.state == results.StateReady {
		s.state = results.StateStopping
	}
	p.faults.engine(func() {
		if s := p.instance(i); s.cancel != nil {
			s.cancel()
		}
		p.remove(i, func(error) {
			if s := p.instance(i); s.state != results.StateGone {
				s.state, s.left = results.StateGone, p.now()
				p.deliver(orchestrator.Event{Kind: orchestrator.InstanceGone, Instance: i})
			}
		})
	})
}

// remove waits until the packets in an instance have come through, detaches it from the switch, deletes its container,
// and then calls after in the loop.
func (p *plant) remove(i flow.Instance, after func(error)) {
	s := p.instance(i)
	wait := settle + p.caps.RuleLag
	if s.state == results.StateFailed {
		wait = 0
	}
	begun := time.Now()
	p.next(s, func() {
		time.Sleep(wait)
		ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
		defer cancel()
		counter, err := p.hw.Switch.Detach(ctx, i)
		read := err == nil
		p.post(func() { // the switch does not show it any more, and the container may take its time
			s := p.instance(i)
			if read && s.attached {
				s.counter = newer(s.counter, counter)
			}
			s.attached, s.final = false, true
		})
		err = errors.Join(err, p.deleteContainer(i))
		took := time.Since(begun) - wait
		p.post(func() {
			p.opts.Metrics.stopped.Observe(took.Seconds())
			p.latencies.stop = append(p.latencies.stop, took)
			if err != nil {
				p.say("instance %d could not be removed: %v", i, err)
			}
			after(err)
		})
	})
}

// deleteContainer deletes an instance's container. An engine that does not answer may be restarting, so deleteContainer
// asks until the engine answers or the run ends: a port that is not given back is missing for the rest of the run.
func (p *plant) deleteContainer(i flow.Instance) error {
	for first := true; ; first = false {
		ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
		err := p.hw.Containers.Delete(ctx, i)
		cancel()
		if err == nil {
			return nil
		}
		if first {
			p.post(func() { p.say("instance %d could not be removed, and it is tried again: %v", i, err) })
		}
		select {
		case <-p.ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// newer is the later of two readings of a counter that never goes back.
func newer(a, b telemetry.Counter) telemetry.Counter {
	return telemetry.Counter{Instance: b.Instance, RxPackets: max(a.RxPackets, b.RxPackets),
		TxPackets: max(a.TxPackets, b.TxPackets), RxBytes: max(a.RxBytes, b.RxBytes)}
}

// died takes in that a container has ended without being asked to.
func (p *plant) died(d hw.Death) {
	p.lose(d.Instance, "died", d.Reason)
}

// lose takes in that an instance takes no packets any more. A container that dies takes its port with it. The two
// reports come in either order, and the second is ignored.
func (p *plant) lose(i flow.Instance, how, reason string) {
	if i < 1 || int(i) > len(p.instances) {
		return
	}
	s := p.instance(i)
	if s.state == results.StateFailed || s.state == results.StateGone || s.state == results.StateStopping {
		return
	}
	if s.cancel != nil {
		s.cancel()
	}
	s.state, s.left = results.StateFailed, p.now()
	p.say("instance %d %s: %s", i, how, reason)
	p.deliver(orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: i, Reason: reason})
	p.remove(i, func(error) {})
}
