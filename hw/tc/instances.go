package tc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// do runs f on the goroutine that owns the rules. A brokenError ends the driver.
func (d *Driver) do(ctx context.Context, f func() error) error {
	answered := make(chan error, 1)
	err := d.submit(job{call: func() error {
		if err := ctx.Err(); err != nil {
			answered <- err
			return nil
		}
		err := f()
		answered <- err
		var broken brokenError
		if errors.As(err, &broken) {
			return err
		}
		return nil
	}})
	if err != nil {
		return err
	}
	select {
	case err := <-answered:
		if err != nil && !errors.Is(err, hw.ErrClosed) {
			return fmt.Errorf("tc: %w", err)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-d.done:
		return hw.ErrClosed
	}
}

// Attach implements hw.Switch.
func (d *Driver) Attach(ctx context.Context, i flow.Instance, at hw.Ports) error {
	return d.do(ctx, func() error {
		next, err := d.attachable(i, at)
		if err != nil {
			return err
		}
		if err := d.settle(); err != nil { // what was counted until now is charged by what held until now
			return err
		}
		return d.attach(i, next)
	})
}

func (d *Driver) attachable(i flow.Instance, at hw.Ports) (a instance, err error) {
	if i < 1 {
		return a, fmt.Errorf("instance %d: want 1 or more", i)
	}
	a.at = at
	if a.in, err = d.cfg.system.index(at.In); err != nil {
		return a, err
	}
	if a.out, err = d.cfg.system.index(at.Out); err != nil {
		return a, err
	}
	if a.out == d.uplink || a.out == d.sink {
		return a, fmt.Errorf("the output of instance %d is %q, where traffic comes in or goes out", i, at.Out)
	}
	for id, x := range d.instances {
		if id != i && x.out == a.out {
			return a, fmt.Errorf("port %q is the output of instance %d already", at.Out, id)
		}
	}
	return a, nil
}

// attach puts an instance at its ports, or at others.
func (d *Driver) attach(i flow.Instance, next instance) (err error) {
	if next.device, err = d.cfg.system.writer(next.at.In); err != nil {
		return err
	}
	if err = d.conn.ensureClsact(next.out); err != nil {
		next.device.Close()
		return fmt.Errorf("%s: %w", next.at.Out, err)
	}
	old := d.instances[i]
	output := d.output(i, &next)
	put := output.add
	if old != nil {
		if err := d.readOutput(i, old); err != nil {
			next.device.Close()
			return err
		}
		if old.out == next.out {
			put = output.replace
		}
	}
	if _, err = d.conn.one(put()); err != nil {
		next.device.Close()
		return fmt.Errorf("the output of instance %d at %s: %w", i, next.at.Out, err)
	}
	d.instances[i] = &next
	if old != nil {
		old.device.Close()
		next.rx, next.before = old.rx, old.before+old.shown
		if old.out != next.out {
			if err := d.endOutput(i, old); err != nil {
				return err
			}
			next.before = old.before + old.shown
		}
	}
	return d.lead(i)
}

// output is the filter that sends what comes out of an instance to the sink.
func (d *Driver) output(i flow.Instance, a *instance) filter {
	return filter{dev: a.out, pref: d.cfg.Pref, proto: unix.ETH_P_ALL, handle: uint32(i), skipSW: !d.cfg.Software,
		to:    d.sink,
		label: label{kind: kindOutput, uplink: uint32(d.uplink), a: uint32(i), b: uint32(a.in)}}
}

// readOutput reads what came out of an instance. A filter that somebody has removed is put back.
func (d *Driver) readOutput(i flow.Instance, a *instance) error {
	f := d.output(i, a)
	seen, err := d.conn.one(f.show())
	switch {
	case errors.Is(err, unix.ENODEV): // the device is gone, and its filters; what they had counted stays
		err = nil
	case errors.Is(err, unix.ENOENT):
		a.before, a.shown = a.before+a.shown, 0
		_, err = d.conn.one(f.add())
	case err == nil && seen.packets < a.shown: // somebody has put another in its place
		a.before, a.shown = a.before+a.shown, seen.packets
	case err == nil:
		a.shown = seen.packets
	}
	if err != nil {
		return fmt.Errorf("the output of instance %d at %s: %w", i, a.at.Out, err)
	}
	return nil
}

// endOutput removes the filter at an instance's output, and takes in its last counters.
func (d *Driver) endOutput(i flow.Instance, a *instance) error {
	f := d.output(i, a)
	last, err := d.conn.one(f.remove())
	if last.shown {
		a.shown = max(a.shown, last.packets)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENODEV) {
		return fmt.Errorf("the output of instance %d at %s: %w", i, a.at.Out, err)
	}
	return nil
}

// lead has the rules of an instance go to its port of today.
func (d *Driver) lead(i flow.Instance) error {
	var failed []error
	var tasks []task
	for _, id := range slices.Sorted(maps.Keys(d.flows)) {
		if r := d.flows[id]; r.Instance == i && r.to != d.portOf(i) {
			tasks = append(tasks, d.redirect(r, i, func(err error) {
				if err != nil {
					failed = append(failed, fmt.Errorf("the rule of flow %d: %w", id, err))
				}
			}))
		}
	}
	return errors.Join(d.exchange(tasks), errors.Join(failed...))
}

// Detach implements hw.Switch.
func (d *Driver) Detach(ctx context.Context, i flow.Instance) (last telemetry.Counter, err error) {
	err = d.do(ctx, func() error {
		a := d.instances[i]
		if a == nil {
			return fmt.Errorf("instance %d is not attached", i)
		}
		if err := d.settle(); err != nil {
			return err
		}
		in := a.in
		a.in = 0 // its rules drop from now on, and what they counted until then is its own
		err := d.lead(i)
		if err == nil {
			err = d.endOutput(i, a)
		}
		if err != nil {
			a.in = in
			return err
		}
		delete(d.instances, i)
		a.device.Close()
		last = a.counter(i)
		return nil
	})
	return last, err
}

// Forward implements hw.Switch.
func (d *Driver) Forward(frame []byte, i flow.Instance) error {
	return d.do(context.Background(), func() error {
		a := d.instances[i]
		if a == nil {
			return fmt.Errorf("instance %d is not attached", i)
		}
		if _, err := a.device.Write(frame); err != nil {
			return fmt.Errorf("forwarding to instance %d: %w", i, err)
		}
		a.rx.packets++
		a.rx.bytes += uint64(len(frame))
		return nil
	})
}

// see takes in what a rule's filter shows, and charges its instance with what is new.
func (d *Driver) see(r *rule, c count) {
	if c.packets < r.shown.packets { // somebody has put another filter in its place
		r.before, r.shown = r.total(), count{}
	}
	packets, bytes := c.packets-r.shown.packets, c.bytes-min(r.shown.bytes, c.bytes)
	if r.shown = c; packets == 0 {
		return
	}
	r.used = time.Now()
	if a := d.instances[r.Instance]; a != nil && r.to != 0 {
		a.rx.packets += packets
		a.rx.bytes += bytes
	}
}

// settle reads the counters of all rules and charges the instances. A rule that is not there has been removed, unless
// the uplink has gone with all of them: the kernel shows no filter of a device that is not there, and no error.
func (d *Driver) settle() error {
	d.round++
	began := time.Now()
	for _, pref := range []uint16{d.cfg.Pref, d.cfg.Pref + 1} {
		err := d.conn.filters(all(d.uplink, pref, true), func(f *filter, ours bool) {
			if r := d.flows[flow.ID(f.handle-1)]; ours && r != nil && d.filterOf(r).pref == f.pref {
				r.round = d.round
				d.see(r, f.count)
			}
		})
		if err != nil {
			return fmt.Errorf("the rules on %s: %w", d.cfg.Uplink, err)
		}
	}
	if err := d.tellGone(); err != nil {
		return err
	}
	before := d.looked
	d.looked = began
	var gone []flow.ID
	for id, r := range d.flows {
		if r.round != d.round {
			gone = append(gone, id)
		}
	}
	slices.Sort(gone)
	for _, id := range gone {
		r := d.flows[id]
		d.forget(r, before)
		d.ended(r, false, "removed by somebody else")
	}
	return nil
}

// tellGone reports instances of which a device has gone, and uplink or sink, each once: a device that comes back is
// another. Without the uplink there is nothing left to drive.
func (d *Driver) tellGone() error {
	there, err := d.cfg.system.devices()
	if err != nil {
		return fmt.Errorf("network devices: %w", err)
	}
	tell := func(told *bool, i flow.Instance, devices []int, names ...string) {
		for k, dev := range devices {
			if !*told && dev != 0 && !slices.Contains(there, dev) {
				*told = true
				d.queue.Put(hw.Event{Kind: hw.PortGone, Instance: i, At: time.Now(), Reason: goneDevice(names[k])})
			}
		}
	}
	tell(&d.toldGone, 0, []int{d.uplink, d.sink}, d.cfg.Uplink, d.cfg.Sink)
	if !slices.Contains(there, d.uplink) {
		return brokenError{errors.New(goneDevice(d.cfg.Uplink))}
	}
	for _, i := range slices.Sorted(maps.Keys(d.instances)) {
		a := d.instances[i]
		tell(&a.told, i, []int{a.in, a.out}, a.at.In, a.at.Out)
	}
	return nil
}

func goneDevice(name string) string { return fmt.Sprintf("network device %s is gone", name) }

// look finds rules that are idle, and those that somebody has removed.
func (d *Driver) look() error {
	if time.Since(d.looked) > lookEvery/2 {
		if err := d.settle(); err != nil {
			return err
		}
	}
	var tasks []task
	for _, id := range slices.Sorted(maps.Keys(d.flows)) {
		if r := d.flows[id]; r.Idle > 0 && d.looked.Sub(r.used) >= r.Idle+d.cfg.CounterLag {
			tasks = append(tasks, d.remove(r, func(err error) {
				if err == nil {
					d.ended(r, true, "no packet for its idle time")
				}
			}))
		}
	}
	return d.exchange(tasks)
}

func (d *Driver) ended(r *rule, idle bool, why string) {
	n := r.total()
	d.queue.Put(hw.Event{Kind: hw.Ended, Idle: idle, Flow: r.Flow, Instance: r.Instance, Tuple: r.Tuple, At: time.Now(),
		Packets: n.packets, Bytes: n.bytes, Reason: why})
}

// Counters implements hw.Switch.
func (d *Driver) Counters(ctx context.Context) (r hw.Reading, err error) {
	err = d.do(ctx, func() error {
		if err := d.settle(); err != nil {
			return err
		}
		for _, i := range slices.Sorted(maps.Keys(d.instances)) {
			a := d.instances[i]
			if err := d.readOutput(i, a); err != nil {
				return err
			}
			r.Counters = append(r.Counters, a.counter(i))
		}
		r.At = time.Now()
		return nil
	})
	return r, err
}

// Rules implements hw.Switch.
func (d *Driver) Rules(ctx context.Context) (r hw.RuleReading, err error) {
	err = d.do(ctx, func() error {
		if err := d.settle(); err != nil {
			return err
		}
		for _, q := range d.flows {
			n := q.total()
			r.Rules = append(r.Rules, hw.RuleCount{Rule: q.Rule, Packets: n.packets, Bytes: n.bytes})
		}
		slices.SortFunc(r.Rules, func(a, b hw.RuleCount) int { return cmp.Compare(a.Flow, b.Flow) })
		r.At = time.Now()
		return nil
	})
	return r, err
}
