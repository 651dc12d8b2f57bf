package queue

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"

	"github.com/smartinco/smartinco/units"
)

// Path is a way to compute an interval.
type Path uint8

// The paths, from the fastest to the most general. Auto, in Config, takes the fastest that answers what is wanted.
const (
	Auto Path = iota
	Jump
	Constant
	General
)

func (p Path) String() string {
	return [...]string{"auto", "jump", "constant", "general"}[min(p, General)]
}

// Want is how much a queue has to know; each includes the ones before.
type Want uint8

// Totals are enough for the jump. PerSource counts by source and sums waits; QueueDelay keeps the histograms of the
// queue, and SourceDelay those of every source (128 KiB each).
const (
	Totals Want = iota
	PerSource
	QueueDelay
	SourceDelay
)

// Config describes a queue.
type Config struct {
	Buffer  int     // packets in the system, the one in service included: 1 to 2^20
	Service Service // its nominal time at least 1 ps and at most 1 s
	Want    Want
	Path    Path   // Auto, or the fastest path allowed: General keeps to the general one
	Seed    uint64 // of the service times
	Stream  uint64 // number of this queue among those of the same seed
}

// Counts are packets since the start. Offered = Accepted + Dropped.
type Counts struct{ Offered, Accepted, Dropped uint64 }

// Source feeds a queue.
type Source struct {
	Arrivals Arrivals   // not to be used elsewhere until Remove gives it back
	End      units.Time // packets at or after it are not sent; 0 is never
}

// Report is what an interval did.
type Report struct {
	Counts
	Path  Path      // the slowest path that ran
	Why   string    // why no faster one did; empty for the jump
	Steps [4]uint64 // packets offered, by the path that handled them
}

const (
	maxBuffer  = 1 << 20
	maxService = units.Second
	maxTime    = units.Never >> 2 // the last instant that a queue reaches: 26 days
	maxSources = 1 << 20
	maxPeriod  = 1 << 40 // longer periods are not packed into keys
)

type source struct {
	next   int64 // its next packet; never when there is none
	period int64 // 0: ask arr
	end    int64
	arr    Arrivals
	size   units.Bytes
	Counts
	attached bool
}

// slot is an accepted packet in the ring.
type slot struct {
	dep int64 // when it leaves
	who int64 // its source; -1 when a jump does not know
}

const never = int64(units.Never)

// Queue is one queue. Its zero value is not usable: see New.
type Queue struct {
	cfg Config
	svc Service
	rng *rand.PCG

	now  int64
	idle int64  // the server falls idle: the last departure
	ring []slot // the last B acceptances, the oldest at pos; valid unless lean
	pos  int
	lean bool  // the ring is out of date, departures are idle, idle-s, idle-2s, ...
	s    int64 // the service time of all packets, where lean

	srcs []source
	live []int32 // sources that still send, in order

	total        Counts
	waitHi, wait uint64
	waits        bool                   // no packet was jumped over
	delays       []*[2 * Buckets]uint64 // by source, or one for all

	m merger
}

// New makes an empty queue at time 0.
func New(c Config) (*Queue, error) {
	if c.Buffer < 1 || c.Buffer > maxBuffer {
		return nil, fmt.Errorf("queue: buffer of %d packets, want 1 to %d", c.Buffer, maxBuffer)
	}
	if c.Path > General || c.Want > SourceDelay {
		return nil, fmt.Errorf("queue: path %d and want %d, want at most %d and %d", c.Path, c.Want, General, SourceDelay)
	}
	if err := checkService(c.Service); err != nil {
		return nil, err
	}
	q := &Queue{cfg: c, svc: c.Service, rng: stream(c.Seed, 2*c.Stream), ring: make([]slot, c.Buffer), waits: true}
	for i := range q.ring {
		q.ring[i].who = -1
	}
	if c.Want == QueueDelay {
		q.delays = append(q.delays, new([2 * Buckets]uint64))
	}
	return q, nil
}

func checkService(s Service) error {
	if s == nil {
		return errors.New("queue: no service")
	}
	if n := s.Nominal(); n < 1 || n > maxService {
		return fmt.Errorf("queue: nominal service time %v, want 1ps to %v", n, maxService)
	}
	if l, ok := s.(Linear); ok && (l.Packet < 0 || l.Byte < 0 || l.Byte > maxService>>20) {
		return fmt.Errorf("queue: service of %v a packet and %v a byte, want neither negative nor more than %v and %v", l.Packet, l.Byte, maxService, maxService>>20)
	}
	return nil
}

// Add attaches a source and returns its number: 0, 1, 2, ... in the order of calls, which decides ties. Packets older
// than the present are not sent.
func (q *Queue) Add(s Source) (int, error) {
	if len(q.srcs) >= maxSources {
		return 0, fmt.Errorf("queue: more than %d sources", maxSources)
	}
	if s.Arrivals == nil || s.End < 0 {
		return 0, fmt.Errorf("queue: source %d needs arrivals and an end that is not negative", len(q.srcs))
	}
	x := source{end: int64(s.End), arr: s.Arrivals, next: q.now, attached: true}
	if s.End == 0 {
		x.end = never
	}
	if c, ok := s.Arrivals.(*CBR); ok {
		if c.Period < 1 || c.Size < 0 {
			return 0, fmt.Errorf("queue: source %d has period %v and size %d, want at least 1ps and not negative", len(q.srcs), c.Period, c.Size)
		}
		if gap := units.Time(q.now) - c.Phase; gap > 0 {
			c.Phase += (gap + c.Period - 1) / c.Period * c.Period
		}
		if c.Period <= maxPeriod && c.Phase <= maxTime {
			x.next, x.period, x.size = int64(c.Phase), int64(c.Period), c.Size
		}
	}
	if x.period == 0 {
		x.pull(q.now - 1)
		for x.next < q.now {
			x.pull(q.now - 1)
		}
	}
	if x.next >= x.end {
		x.next = never
	}
	if q.cfg.Want == SourceDelay {
		q.delays = append(q.delays, new([2 * Buckets]uint64))
	}
	q.srcs = append(q.srcs, x)
	q.live = append(q.live, int32(len(q.srcs)-1))
	return len(q.srcs) - 1, nil
}

// pull reads the next packet of a source that is not CBR; one that goes back in time arrives at last.
func (s *source) pull(last int64) {
	p, ok := s.arr.Next()
	if !ok {
		s.next = never
		return
	}
	s.size = min(max(p.Size, 0), 1<<20)
	if s.next = max(int64(p.At), last); s.next >= s.end {
		s.next = never
	}
}

// Remove detaches source i, whose packets in the queue stay, and gives back the rest of its arrivals, to be added to
// another queue. It returns nil when the number is unknown or was removed before.
func (q *Queue) Remove(i int) Arrivals {
	if i < 0 || i >= len(q.srcs) || !q.srcs[i].attached {
		return nil
	}
	s := &q.srcs[i]
	s.attached = false
	next := s.next
	s.next = never
	if s.period != 0 {
		return &CBR{Period: units.Time(s.period), Phase: units.Time(next), Size: s.size}
	}
	return &resumed{Packet{units.Time(next), s.size}, next != never, s.arr}
}

// Now is the horizon that the queue has reached.
func (q *Queue) Now() units.Time { return units.Time(q.now) }

// Idle is when the server would fall idle without further arrivals; not before Now.
func (q *Queue) Idle() units.Time { return units.Time(max(q.idle, q.now)) }

// Total are the counts of the whole queue.
func (q *Queue) Total() Counts { return q.total }

// Source are the counts of source i. After a jump only Offered is right; PerSource rules jumps out.
func (q *Queue) Source(i int) Counts { return q.srcs[i].Counts }

// WaitSum is the sum of the waits of all accepted packets, in picoseconds, as high and low 64 bits; ok is false when
// a jump left it unknown.
func (q *Queue) WaitSum() (hi, lo uint64, ok bool) { return q.waitHi, q.wait, q.waits }

// Next is the next arrival of source i, or units.Never.
func (q *Queue) Next(i int) units.Time { return units.Time(q.srcs[i].next) }

// InSystem is how many packets wait or are in service at Now; a packet that leaves at Now has left.
func (q *Queue) InSystem() int {
	if q.lean {
		return int((max(q.idle-q.now, 0) + q.s - 1) / q.s)
	}
	k := 0
	for k < len(q.ring) && q.back(k).dep > q.now {
		k++
	}
	return k
}

// back is the packet accepted k acceptances before the last.
func (q *Queue) back(k int) *slot {
	i := q.pos - 1 - k
	if i < 0 {
		i += len(q.ring)
	}
	return &q.ring[i]
}

// Queued adds to n[i] the packets of source i that are in the system. It returns false, having added nothing, when a
// jump left it unknown.
func (q *Queue) Queued(n []uint64) bool {
	k := q.InSystem()
	if q.lean && k > 0 {
		return false
	}
	for i := range k {
		if w := q.back(i).who; w < 0 || w >= int64(len(n)) {
			return false
		}
	}
	for i := range k {
		n[q.back(i).who]++
	}
	return true
}

// Delay copies the histograms of waiting and sojourn times; i is a source, or -1 for the queue. They are empty
// when the configuration does not want them.
func (q *Queue) Delay(i int) (waiting, sojourn Histogram) {
	which := q.delays
	if i >= 0 {
		if which = nil; q.cfg.Want == SourceDelay && i < len(q.delays) {
			which = q.delays[i : i+1]
		}
	}
	for _, d := range which {
		waiting.Merge((*Histogram)(d[:Buckets]))
		sojourn.Merge((*Histogram)(d[Buckets:]))
	}
	return
}

// spans is where the delays of source i are counted.
func (q *Queue) spans(i int) *[2 * Buckets]uint64 {
	switch q.cfg.Want {
	case QueueDelay:
		return q.delays[0]
	case SourceDelay:
		return q.delays[i]
	}
	return nil
}

// SetService changes the service from Now on; see the package comment for what it means to the packets in the system.
func (q *Queue) SetService(s Service) error {
	if err := checkService(s); err != nil {
		return err
	}
	q.fatten()
	from, to := uint64(q.svc.Nominal()), uint64(s.Nominal())
	q.svc = s
	if from == to {
		return nil
	}
	k := q.InSystem()
	old, dep := q.now, q.now
	for i := k - 1; i >= 0; i-- {
		p := q.back(i)
		if i < k-1 {
			// A packet that still waits starts at dep instead of at old.
			q.addWait(uint64(dep-old), uint64((dep-old)>>63))
		}
		hi, lo := bits.Mul64(uint64(p.dep-old), to)
		lo, c := bits.Add64(lo, from-1, 0)
		span := uint64(maxTime)
		if hi+c < from {
			span, _ = bits.Div64(hi+c, lo, from)
		}
		old = p.dep
		dep += int64(min(span, uint64(never-dep)))
		p.dep = dep
	}
	if k > 0 {
		q.idle = dep
	}
	return nil
}

func (q *Queue) addWait(lo, hi uint64) {
	var c uint64
	q.wait, c = bits.Add64(q.wait, lo, 0)
	q.waitHi += hi + c
}

// Flush loses all packets in the system, as when an instance dies, and returns how many; the server is idle at once.
func (q *Queue) Flush() int {
	k := q.InSystem()
	q.idle, q.lean = q.now, false
	for i := range q.ring {
		q.ring[i] = slot{q.now, -1}
	}
	return k
}

// fatten brings the ring up to date.
func (q *Queue) fatten() {
	if !q.lean {
		return
	}
	q.lean, q.pos = false, 0
	for i := range q.ring {
		// Of packets that have left, any time in the past will do.
		*q.back(i) = slot{max(q.idle-int64(i)*q.s, min(q.now, q.idle)), -1}
	}
}
