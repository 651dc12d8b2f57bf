package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/units"
)

// Plan says what Calibrate measures.
type Plan struct {
	Counts  []int         // of instances that process at the same time, each at least 1
	Rounds  int           // how often each count is measured
	Settle  time.Duration // under load before a measurement begins
	Measure time.Duration
	Rules   int // to be installed one after the other, to measure their latency
	// of an instance while the others are under load, to measure its times; needs two instances
	Starts int
	Frame  units.Bytes // size of the packets
	// Offered is the load on all instances together; 0 means six times what one instance processes, in proportion the
	// load of a 100 Gbit/s line at 64 B on a BlueField-2.
	Offered units.PPS
}

// DefaultPlan measures 1 to 8 instances in about three minutes.
func DefaultPlan() Plan {
	return Plan{
		Counts: []int{1, 2, 3, 4, 5, 6, 7, 8}, Rounds: 3, Settle: time.Second, Measure: 4 * time.Second,
		Rules: 200, Starts: 5, Frame: 64,
	}
}

// Check says what is wrong with a plan.
func (p *Plan) Check() error {
	switch {
	case len(p.Counts) == 0 || slices.Min(p.Counts) < 1 || slices.Max(p.Counts) > maxPorts:
		return fmt.Errorf("counts %v: want numbers from 1 to %d", p.Counts, maxPorts)
	case p.Rounds < 1:
		return fmt.Errorf("%d rounds: want at least 1", p.Rounds)
	case p.Measure <= 0 || p.Settle < 0:
		return fmt.Errorf("%v to settle and %v to measure: want a time", p.Settle, p.Measure)
	case p.Offered < 0 || p.Rules < 0:
		return fmt.Errorf("%v offered, %d rules: want 0 or more", p.Offered, p.Rules)
	}
	return nil
}

// Sharing is the number of instances with which each round measures how they share what they process together: the
// largest of at most five, 0 if all counts are one. The last of them is offered a fifth of what each of so many
// processed in the round, and the others as much as before.
func (p *Plan) Sharing() int {
	n := 0
	for _, c := range p.Counts {
		if c > 1 && c <= 5 {
			n = max(n, c)
		}
	}
	return n
}

// RingOf is the number of ring slots that an instance's command names, for the forwarder or testpmd; 0 if it names
// none.
func RingOf(command []string) int {
	for i, word := range command {
		_, slots, found := strings.Cut(word, ",framecnt=")
		if word == "--ring" && i+1 < len(command) {
			slots, found = command[i+1], true
		}
		if found {
			n, _ := strconv.Atoi(slots)
			return max(n, 0)
		}
	}
	return 0
}

// Measurement is what was seen.
type Measurement struct {
	Switch string
	Plan   Plan
	Points []Point
	Shared []Point // of each round: all but the last instance are under load, see Plan.Sharing; empty if none can be
	// Of each instance that was started under load (of all if the plan has none), and of each rule.
	Start []time.Duration // from the request to the engine until the container ran
	Ready []time.Duration // from then until it took packets
	Stop  []time.Duration // from the request until it was gone
	Rule  []time.Duration // from the request to the switch until it was in force
}

// Point is one run with N instances under more load than they can process, but for the last of those in Shared.
type Point struct {
	N         int
	Sent      float64   // packets a second that the generator sent
	Processed float64   // packets a second that came back
	Each      []float64 // of these, by instance, as the switch counted them
}

// Calibrate measures what instances process: real packets of a generator, steered to real containers by real rules. It
// measures the counts of instances in turn, as often as the plan says, so that a slow drift of the machine affects all
// of them. The testbed must be locked. Calibrate removes what an earlier run has left before it begins, and everything
// at its end. When the context ends, the traffic stops at once; what cannot be removed within a second is left for the
// next run.
func Calibrate(ctx context.Context, h replay.Hardware, p Plan, progress func(string)) (*Measurement, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	m := &measuring{Hardware: h, plan: p, say: progress, out: &Measurement{Switch: h.Switch.Capabilities().Name,
		Plan: p}}
	defer context.AfterFunc(ctx, func() {
		stop, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = m.Generator.Stop(stop)
	})()
	err := m.run(ctx)
	limit := time.Minute
	if ctx.Err() != nil {
		limit = 700 * time.Millisecond
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	left := m.clean(undo, ctx.Err() != nil)
	if m.took && m.Left != nil {
		m.Left(left)
	}
	if err = errors.Join(err, left); err != nil {
		return nil, fmt.Errorf("lab: calibration: %w", err)
	}
	return m.out, nil
}

type measuring struct {
	replay.Hardware
	plan    Plan
	say     func(string)
	out     *Measurement
	took    bool // what an earlier run has left is removed
	running []hw.Container
	flows   flow.ID   // the last that was used
	rules   []flow.ID // installed
}

func (m *measuring) run(ctx context.Context) error {
	found, err := replay.Clean(ctx, m.Hardware)
	if err != nil {
		return err
	}
	m.took = true
	if found.Any() {
		m.say(fmt.Sprintf("removed what an earlier run left: %v", found))
	}
	most := slices.Max(m.plan.Counts)
	m.say(fmt.Sprintf("starting %d instances", most))
	for i := flow.Instance(1); int(i) <= most; i++ {
		if err := m.create(ctx, i); err != nil {
			return err
		}
	}
	if m.plan.Offered == 0 {
		if err := m.explore(ctx); err != nil {
			return err
		}
	}
	for round := range m.plan.Rounds {
		share, each := m.plan.Sharing(), 0.0 // what each of so many processed
		for _, n := range m.plan.Counts {
			point, err := m.point(ctx, equal(n, m.plan.Offered))
			if err != nil {
				return err
			}
			m.out.Points = append(m.out.Points, point)
			m.say(fmt.Sprintf("round %d of %d: %d instances processed %s of %s", round+1, m.plan.Rounds, n,
				rate(point.Processed), rate(point.Sent)))
			if n == share {
				each = point.Processed / float64(n)
			}
		}
		if share == 0 {
			continue
		}
		loads := equal(share, m.plan.Offered)
		loads[share-1] = units.PPS(each / 5)
		point, err := m.point(ctx, loads)
		if err != nil {
			return err
		}
		m.out.Shared = append(m.out.Shared, point)
		m.say(fmt.Sprintf("round %d of %d: %d instances processed %s, the last one offered %s of it", round+1,
			m.plan.Rounds, share, rate(point.Processed), rate(float64(loads[share-1]))))
	}
	return m.latencies(ctx, most)
}

func (m *measuring) create(ctx context.Context, i flow.Instance) error {
	c, err := m.Containers.Create(ctx, i)
	if err != nil {
		return err
	}
	m.running = append(m.running, c)
	m.out.Start, m.out.Ready = append(m.out.Start, c.Started), append(m.out.Ready, c.Ready-c.Started)
	return m.Switch.Attach(ctx, i, c.Ports)
}

// delete removes the newest instance.
func (m *measuring) delete(ctx context.Context) error {
	last := len(m.running) - 1
	i := m.running[last].Instance
	if _, err := m.Switch.Detach(ctx, i); err != nil {
		return err
	}
	begin := time.Now()
	if err := m.Containers.Delete(ctx, i); err != nil {
		return err
	}
	m.out.Stop = append(m.out.Stop, time.Since(begin))
	m.running = m.running[:last]
	return nil
}

// latencies measures rules, starts and stops while instances are under load, as when a scheduler and an autoscaler ask
// for them. Rules come one after the other, and the last instance is replaced again and again beside the others.
func (m *measuring) latencies(ctx context.Context, most int) error {
	if err := m.load(ctx, equal(max(most-1, 1), m.plan.Offered)); err != nil {
		return err
	}
	m.out.Rule = nil // load requests its rules together, so their latencies do not count
	if m.plan.Rules > 0 {
		m.say(fmt.Sprintf("%d rules, one after the other", m.plan.Rules))
	}
	for range m.plan.Rules {
		if err := m.install(ctx, 1); err != nil {
			return err
		}
	}
	if most > 1 && m.plan.Starts > 0 {
		m.out.Start, m.out.Ready, m.out.Stop = nil, nil, nil
		for n := range m.plan.Starts {
			if err := m.delete(ctx); err != nil {
				return err
			}
			if err := m.create(ctx, flow.Instance(most+1+n)); err != nil {
				return err
			}
			m.say(fmt.Sprintf("start %d of %d, beside %d under load: it ran after %v and took packets %v later", n+1,
				m.plan.Starts, most-1,
				m.out.Start[n].Round(time.Millisecond), m.out.Ready[n].Round(time.Millisecond)))
		}
	}
	return m.unload(ctx)
}

// explore finds the load to offer: it doubles the rate of one instance until less than nine tenths come back.
func (m *measuring) explore(ctx context.Context) error {
	for offered := units.PPS(1000); offered < 20_000_000; offered *= 2 {
		point, err := m.point(ctx, equal(1, offered))
		if err != nil {
			return err
		}
		m.say(fmt.Sprintf("one instance processed %s of %s", rate(point.Processed), rate(point.Sent)))
		if point.Processed < 0.9*point.Sent {
			m.plan.Offered = units.PPS(6 * point.Processed)
			m.out.Plan.Offered = m.plan.Offered
			return nil
		}
		if point.Sent < 0.9*float64(offered) {
			return fmt.Errorf("the generator sends %s at most, and one instance processes that: there is nothing to "+
				"measure (give the instances more work)", rate(point.Sent))
		}
	}
	return errors.New("one instance processes 20 Mpps: there is nothing to measure")
}

// equal are the loads of n instances that are offered so much together.
func equal(n int, offered units.PPS) []units.PPS {
	return slices.Repeat([]units.PPS{offered / units.PPS(n)}, n)
}

// point measures instances, each with one flow, under these loads.
func (m *measuring) point(ctx context.Context, loads []units.PPS) (Point, error) {
	n := len(loads)
	if err := m.load(ctx, loads); err != nil {
		return Point{}, err
	}
	if err := sleep(ctx, m.plan.Settle); err != nil {
		return Point{}, err
	}
	var traffic [2]hw.Traffic
	var counts [2]hw.Reading
	for i := range traffic {
		if i == 1 {
			if err := sleep(ctx, m.plan.Measure); err != nil {
				return Point{}, err
			}
		}
		var err error
		if counts[i], err = m.Switch.Counters(ctx); err != nil {
			return Point{}, err
		}
		if traffic[i], err = m.Generator.Counters(ctx); err != nil {
			return Point{}, err
		}
	}
	if err := m.unload(ctx); err != nil {
		return Point{}, err
	}
	took := traffic[1].At.Sub(traffic[0].At).Seconds()
	point := Point{
		N:         n,
		Sent:      float64(traffic[1].Sent-traffic[0].Sent) / took,
		Processed: float64(traffic[1].Received-traffic[0].Received) / took,
	}
	took = counts[1].At.Sub(counts[0].At).Seconds()
	for i := range n {
		point.Each = append(point.Each, float64(counts[1].Counters[i].TxPackets-counts[0].Counters[i].TxPackets)/took)
	}
	if point.Processed == 0 {
		return Point{}, fmt.Errorf("%d instances were sent %s, and nothing came back", n, rate(point.Sent))
	}
	return point, sleep(ctx, 300*time.Millisecond) // until the rings are empty
}

// load sends a flow of each rate, one to each of the first instances.
func (m *measuring) load(ctx context.Context, loads []units.PPS) error {
	if err := m.install(ctx, len(loads)); err != nil {
		return err
	}
	var streams []hw.Stream
	for i, f := range m.rules {
		streams = append(streams, hw.Stream{Flow: f, Tuple: tuple(f), End: longest, Rate: loads[i],
			FrameSize: m.plan.Frame})
	}
	if err := m.Generator.Load(ctx, streams); err != nil {
		return err
	}
	_, err := m.Generator.Start(ctx)
	return err
}

// longest is how long a load lasts if nobody ends it.
const longest = 10 * time.Minute

func (m *measuring) unload(ctx context.Context) error {
	if err := m.Generator.Stop(ctx); err != nil {
		return err
	}
	return m.remove(ctx)
}

// tuple is the five-tuple of a flow. The addresses are nobody's: 198.18.0.0/15 is for benchmarks (RFC 2544).
func tuple(f flow.ID) flow.FiveTuple {
	return flow.FiveTuple{
		Src:     netip.AddrFrom4([4]byte{198, 18, byte(f >> 16), byte(f >> 8)}),
		Dst:     netip.AddrFrom4([4]byte{198, 19, 0, 1}),
		SrcPort: 1024 + uint16(f&0xff), DstPort: 9, Proto: flow.UDP,
	}
}

// install adds a rule to each of the first n instances, and waits until all are in force.
func (m *measuring) install(ctx context.Context, n int) error {
	rules := make([]hw.Rule, n)
	for i := range rules {
		m.flows++
		rules[i] = hw.Rule{Flow: m.flows, Tuple: tuple(m.flows), Instance: flow.Instance(i + 1)}
	}
	if err := m.Switch.Install(rules...); err != nil {
		return err
	}
	for _, r := range rules {
		m.rules = append(m.rules, r.Flow)
	}
	return m.confirm(ctx, n, hw.OpInstall)
}

func (m *measuring) remove(ctx context.Context) error {
	n := len(m.rules)
	if n == 0 {
		return nil
	}
	if err := m.Switch.Remove(m.rules...); err != nil {
		return err
	}
	m.rules = nil
	return m.confirm(ctx, n, hw.OpRemove)
}

// confirm waits for the answers to n requests.
func (m *measuring) confirm(ctx context.Context, n int, op hw.Op) error {
	late := time.After(10 * time.Second)
	for n > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return fmt.Errorf("the switch has not answered %d requests to %v rules within 10 s", n, op)
		case d := <-m.Containers.Deaths():
			return fmt.Errorf("instance %d died: %s", d.Instance, d.Reason)
		case e, ok := <-m.Switch.Events():
			switch {
			case !ok:
				return hw.ErrClosed
			case e.Kind == hw.PortGone:
				return fmt.Errorf("instance %d: %s", e.Instance, e.Reason)
			case e.Kind == hw.Rejected:
				return fmt.Errorf("the switch refuses to %v the rule of flow %d: %s", e.Op, e.Flow, e.Reason)
			case e.Kind == hw.Confirmed && e.Op == op:
				n--
				if op == hw.OpInstall {
					m.out.Rule = append(m.out.Rule, e.Latency)
				}
			}
		}
	}
	return nil
}

// clean removes what run has made.
func (m *measuring) clean(ctx context.Context, hurry bool) error {
	errs := []error{m.Generator.Stop(ctx), m.remove(ctx)}
	if len(m.out.Stop) == 0 && !hurry { // those under load are not known
		for len(m.running) > 0 && m.delete(ctx) == nil {
		}
	}
	deleted := make([]error, len(m.running))
	var removing sync.WaitGroup
	for i, c := range m.running {
		_, err := m.Switch.Detach(ctx, c.Instance)
		errs = append(errs, err)
		removing.Go(func() { deleted[i] = m.Containers.Delete(ctx, c.Instance) })
	}
	removing.Wait()
	return errors.Join(append(errs, deleted...)...)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
