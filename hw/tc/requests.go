package tc

import (
	"errors"
	"fmt"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
)

// job is an Install, Move or Remove, or a call on the goroutine that owns the rules.
type job struct {
	op    hw.Op
	rule  hw.Rule
	asked time.Time
	call  func() error
}

func (d *Driver) submit(jobs ...job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	select {
	case <-d.closing:
		return hw.ErrClosed
	case <-d.done:
		return hw.ErrClosed
	default:
	}
	d.inbox = append(d.inbox, jobs...)
	select {
	case d.wake <- struct{}{}:
	default:
	}
	return nil
}

func (d *Driver) ask(op hw.Op, n int, rule func(int) hw.Rule) error {
	jobs, now := make([]job, n), time.Now()
	for k := range jobs {
		jobs[k] = job{op: op, rule: rule(k), asked: now}
	}
	return d.submit(jobs...)
}

// Install implements hw.Switch.
func (d *Driver) Install(rules ...hw.Rule) error {
	return d.ask(hw.OpInstall, len(rules), func(k int) hw.Rule { return rules[k] })
}

// Move implements hw.Switch.
func (d *Driver) Move(moves ...hw.Move) error {
	return d.ask(hw.OpMove, len(moves), func(k int) hw.Rule {
		return hw.Rule{Flow: moves[k].Flow,
			Instance: moves[k].Instance}
	})
}

// Remove implements hw.Switch.
func (d *Driver) Remove(flows ...flow.ID) error {
	return d.ask(hw.OpRemove, len(flows), func(k int) hw.Rule { return hw.Rule{Flow: flows[k]} })
}

// task is one thing to do in the kernel, and what to do with its answers.
type task struct {
	requests []request
	done     func([]answer)
}

// exchange does tasks, as many in one datagram as possible.
func (d *Driver) exchange(tasks []task) error {
	for len(tasks) > 0 {
		var requests []request
		n := 0
		for n < len(tasks) && len(requests)+len(tasks[n].requests) <= batch {
			requests = append(requests, tasks[n].requests...)
			n++
		}
		answers, err := d.conn.do(requests...)
		if err != nil {
			return err
		}
		for _, t := range tasks[:n] {
			t.done(answers[:len(t.requests)])
			answers = answers[len(t.requests):]
		}
		tasks = tasks[n:]
	}
	return nil
}

// work does jobs in order. Those that follow each other and concern different rules go to the kernel together.
func (d *Driver) work(jobs []job) error {
	var tasks []task
	var busy []*rule
	flush := func() error {
		err := d.exchange(tasks)
		for _, r := range busy {
			r.busy = false
		}
		tasks, busy = nil, nil
		return err
	}
	for k := range jobs {
		j := &jobs[k]
		if r := d.subject(j); j.call != nil || r != nil && r.busy {
			if err := flush(); err != nil {
				return err
			}
		}
		if j.call != nil {
			if err := j.call(); err != nil {
				return err
			}
			continue
		}
		t := prepare[j.op](d, j)
		if r := d.subject(j); r != nil {
			r.busy = true
			busy = append(busy, r)
		}
		tasks = append(tasks, t)
	}
	return flush()
}

// subject is the rule that a job is about, or that prevents it.
func (d *Driver) subject(j *job) *rule {
	if r := d.flows[j.rule.Flow]; r != nil || j.op != hw.OpInstall {
		return r
	}
	return d.tuples[j.rule.Tuple]
}

// prepare turns a job into a task, which may be one that refuses it.
var prepare = [...]func(*Driver, *job) task{
	hw.OpInstall: func(d *Driver, j *job) task {
		if why := d.whyNot(&j.rule); why != nil {
			return d.refuse(j, why)
		}
		r := &rule{Rule: j.rule, to: d.portOf(j.rule.Instance), used: time.Now()}
		d.hold(r)
		f := d.filterOf(r)
		return task{[]request{f.add()}, func(a []answer) {
			if a[0].err != nil {
				d.forget(r, time.Time{})
				d.reject(j, fmt.Errorf("the kernel took no rule: %w", a[0].err))
				return
			}
			d.steer(r.Tuple, time.Now())
			d.confirm(j, r, count{})
		}}
	},
	hw.OpMove: func(d *Driver, j *job) task {
		r := d.flows[j.rule.Flow]
		if r == nil {
			return d.refuse(j, noRule(j.rule.Flow))
		}
		if j.rule.Instance < 0 {
			return d.refuse(j, fmt.Errorf("instance %d: want 0 or more", j.rule.Instance))
		}
		return d.redirect(r, j.rule.Instance, func(err error) {
			if err != nil {
				d.reject(j, fmt.Errorf("the kernel did not move the rule: %w", err))
				return
			}
			d.confirm(j, r, count{})
		})
	},
	hw.OpRemove: func(d *Driver, j *job) task {
		r := d.flows[j.rule.Flow]
		if r == nil {
			return d.refuse(j, noRule(j.rule.Flow))
		}
		return d.remove(r, func(err error) {
			if err != nil {
				d.reject(j, fmt.Errorf("the kernel did not remove the rule: %w", err))
				return
			}
			d.confirm(j, r, r.total())
		})
	},
}

// redirect replaces a rule's filter by one that leads to an instance.
func (d *Driver) redirect(r *rule, i flow.Instance, done func(error)) task {
	old, moved := d.filterOf(r), *r
	moved.Instance, moved.to = i, d.portOf(i)
	f := d.filterOf(&moved)
	return task{[]request{old.show(), f.replace()}, func(a []answer) {
		if a[0].shown {
			d.see(r, a[0].count)
		}
		if a[1].err == nil {
			r.before, r.shown = r.total(), count{}
			r.Instance, r.to = moved.Instance, moved.to
		}
		done(a[1].err)
	}}
}

// remove removes a rule's filter from the kernel. It is no error if somebody else has done so.
func (d *Driver) remove(r *rule, done func(error)) task {
	f, asked := d.filterOf(r), time.Now()
	return task{[]request{f.remove()}, func(a []answer) {
		if a[0].shown {
			d.see(r, a[0].count)
		}
		err := a[0].err
		if errors.Is(err, unix.ENOENT) {
			err = nil
		}
		if err == nil {
			d.forget(r, asked)
		}
		done(err)
	}}
}

// filterOf makes a rule's filter.
func (d *Driver) filterOf(r *rule) filter {
	f := filter{
		dev: d.uplink, pref: d.cfg.Pref, proto: etherType(r.Tuple), handle: uint32(r.Flow) + 1, skipSW: !d.cfg.Software,
		tuple: r.Tuple, to: r.to,
		label: label{kind: kindFlow, uplink: uint32(d.uplink), a: uint32(r.Instance),
			b: uint32((r.Idle + time.Millisecond - 1) / time.Millisecond)},
	}
	if f.proto == unix.ETH_P_IPV6 {
		f.pref++
	}
	return f
}

// portOf is the device to which the packets of an instance go; none if it is not attached.
func (d *Driver) portOf(i flow.Instance) int {
	if a := d.instances[i]; a != nil {
		return a.in
	}
	return 0
}

// maxIdle is the longest idle time that a label can say.
const maxIdle = math.MaxUint32 * time.Millisecond

func noRule(f flow.ID) error { return fmt.Errorf("flow %d has no rule", f) }

func (d *Driver) whyNot(r *hw.Rule) error {
	if err := r.Check(); err != nil {
		return err
	}
	if r.Idle > maxIdle {
		return fmt.Errorf("idle time %v: want at most %v", r.Idle, maxIdle)
	}
	if d.flows[r.Flow] != nil {
		return errors.New("the flow has a rule already")
	}
	if q := d.tuples[r.Tuple]; q != nil {
		return fmt.Errorf("the five-tuple has a rule already, that of flow %d", q.Flow)
	}
	return nil
}

// refuse makes a task that needs nothing from the kernel.
func (d *Driver) refuse(j *job, why error) task {
	return task{done: func([]answer) { d.reject(j, why) }}
}

func (d *Driver) event(j *job, kind hw.EventKind) hw.Event {
	now := time.Now()
	return hw.Event{Kind: kind, Op: j.op, Flow: j.rule.Flow, Instance: j.rule.Instance, At: now,
		Latency: max(now.Sub(j.asked), 1)}
}

func (d *Driver) reject(j *job, why error) {
	e := d.event(j, hw.Rejected)
	e.Reason = why.Error()
	d.queue.Put(e)
}

func (d *Driver) confirm(j *job, r *rule, last count) {
	e := d.event(j, hw.Confirmed)
	e.Instance, e.Tuple, e.Packets, e.Bytes = r.Instance, r.Tuple, last.packets, last.bytes
	d.queue.Put(e)
}
