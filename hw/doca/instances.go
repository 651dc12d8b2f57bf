//go:build doca

package doca

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// do runs f on the goroutine that owns the card. f calls the function that it is given with its answer, at once or
// later.
func (s *Switch) do(ctx context.Context, f func(answer func(error))) error {
	answered := make(chan error, 1)
	select {
	case s.calls <- func() { f(func(err error) { answered <- err }) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return hw.ErrClosed
	}
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return hw.ErrClosed
	}
}

// lead leads the rules of an instance to its present port, and answers when that is done.
func (s *Switch) lead(i flow.Instance, answer func(error)) {
	waiting := 1
	one := func() {
		if waiting--; waiting == 0 {
			answer(nil)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.flows)) {
		if s.flows[id].Instance == i {
			waiting++
			s.backlog = append(s.backlog, &request{op: hw.OpMove, rule: hw.Rule{Flow: id}, asked: time.Now(),
				silent: one})
		}
	}
	one()
}

// Attach implements hw.Switch.
func (s *Switch) Attach(ctx context.Context, i flow.Instance, at hw.Ports) error {
	return s.do(ctx, func(answer func(error)) {
		if err := s.attach(i, at); err != nil {
			answer(fmt.Errorf("doca: %w", err))
			return
		}
		s.lead(i, answer)
	})
}

func (s *Switch) attach(i flow.Instance, at hw.Ports) error {
	if i < 1 {
		return fmt.Errorf("instance %d: want 1 or more", i)
	}
	for _, p := range []string{at.In, at.Out} {
		if _, ok := s.ports[p]; !ok {
			return fmt.Errorf("%q is not a port, which are %q", p, slices.Sorted(maps.Keys(s.ports)))
		}
	}
	if at.Out == s.cfg.Uplink || at.Out == s.cfg.Sink {
		return fmt.Errorf("the output of instance %d is %q, where traffic comes in or goes out", i, at.Out)
	}
	for id, a := range s.instances {
		if id != i && a.at.Out == at.Out {
			return fmt.Errorf("port %q is the output of instance %d already", at.Out, id)
		}
	}
	if err := s.settle(); err != nil { // what was counted so far is charged to the present instances
		return err
	}
	a, out := s.instances[i], s.ports[at.Out]
	if a == nil || a.out != out {
		if err := s.card.egress(out, s.ports[s.cfg.Sink]); err != nil {
			return err
		}
	}
	if a == nil {
		s.instances[i] = &instance{at: at, out: out, counted: telemetry.Counter{Instance: i}}
		return nil
	}
	if a.out != out {
		last, err := s.card.egressEnd(a.out)
		if err != nil {
			return err
		}
		a.before += last.packets
	}
	a.unplug()
	a.at, a.out = at, out
	return nil
}

// Detach implements hw.Switch.
func (s *Switch) Detach(ctx context.Context, i flow.Instance) (last telemetry.Counter, err error) {
	err = s.do(ctx, func(answer func(error)) {
		a := s.instances[i]
		if a == nil {
			answer(fmt.Errorf("doca: instance %d is not attached", i))
			return
		}
		err := s.settle()
		if err == nil {
			var out count
			out, err = s.card.egressEnd(a.out)
			a.counted.TxPackets = a.before + out.packets
		}
		if err != nil {
			answer(fmt.Errorf("doca: instance %d: %w", i, err))
			return
		}
		last = a.counted
		a.unplug()
		delete(s.instances, i)
		s.lead(i, answer)
	})
	return last, err
}

// Forward implements hw.Switch.
func (s *Switch) Forward(frame []byte, i flow.Instance) error {
	return s.do(context.Background(), func(answer func(error)) {
		a := s.instances[i]
		if a == nil {
			answer(fmt.Errorf("doca: instance %d is not attached", i))
			return
		}
		var err error
		if a.in == nil {
			a.in, err = s.cfg.Writer(a.at.In)
		}
		if err == nil {
			_, err = a.in.Write(frame)
		}
		if err == nil {
			a.counted.RxPackets++
			a.counted.RxBytes += uint64(len(frame))
		}
		answer(err)
	})
}

// settle reads the counters of all rules and charges the instances.
func (s *Switch) settle() error {
	live := make([]*rule, 0, len(s.flows))
	ids := make([]uint32, 0, len(s.flows))
	for _, r := range s.slots {
		if r.live {
			live, ids = append(live, r), append(ids, r.id)
		}
	}
	return s.card.query(ids, func(k int, c count) { s.charge(live[k], c) })
}

// Counters implements hw.Switch.
func (s *Switch) Counters(ctx context.Context) (r hw.Reading, err error) {
	err = s.do(ctx, func(answer func(error)) {
		if err := s.settle(); err != nil {
			answer(fmt.Errorf("doca: counters: %w", err))
			return
		}
		for _, i := range slices.Sorted(maps.Keys(s.instances)) {
			a := s.instances[i]
			out, err := s.card.egressCount(a.out)
			if err != nil {
				answer(fmt.Errorf("doca: counters of instance %d: %w", i, err))
				return
			}
			a.counted.TxPackets = a.before + out.packets
			r.Counters = append(r.Counters, a.counted)
		}
		r.At = time.Now()
		answer(nil)
	})
	return r, err
}

// Rules implements hw.Switch.
func (s *Switch) Rules(ctx context.Context) (r hw.RuleReading, err error) {
	err = s.do(ctx, func(answer func(error)) {
		if err := s.settle(); err != nil {
			answer(fmt.Errorf("doca: rules: %w", err))
			return
		}
		r.Rules = make([]hw.RuleCount, 0, len(s.flows))
		for _, q := range s.slots {
			if q.live {
				r.Rules = append(r.Rules, hw.RuleCount{Rule: q.Rule, Packets: q.charged.packets,
					Bytes: q.charged.bytes})
			}
		}
		slices.SortFunc(r.Rules, func(a, b hw.RuleCount) int { return cmp.Compare(a.Flow, b.Flow) })
		r.At = time.Now()
		answer(nil)
	})
	return r, err
}
