package queue

import (
	"cmp"
	"container/heap"
	"math/big"
	"math/rand/v2"

	"github.com/smartinco/smartinco/units"
)

// slow is the obvious simulator that the paths are held to: one list of events, departures before arrivals at a tie,
// arrivals in the order of their sources. It keeps every packet in the system with the service that it still needs.
type slow struct {
	buffer  int
	svc     Service
	rng     *rand.PCG
	now     int64
	events  events
	fifo    []job // the first is in service
	sources []Arrivals
	ends    []int64
	last    []int64
	counts  []Counts
	waits   big.Int
	waiting []*Histogram
	serial  int
}

type job struct {
	source         int
	arrived, needs int64
	begun          int64
}

type event struct {
	at     int64
	source int // -1: the departure of the first job
	serial int // departures of an earlier plan are void
	size   units.Bytes
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(e[i].at, e[j].at), cmp.Compare(e[i].source, e[j].source)) < 0
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	x := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return x
}

func newSlow(c Config) *slow {
	return &slow{buffer: c.Buffer, svc: c.Service, rng: stream(c.Seed, 2*c.Stream)}
}

func (s *slow) add(src Source) {
	end := int64(src.End)
	if end == 0 {
		end = never
	}
	s.sources, s.ends, s.last = append(s.sources, src.Arrivals), append(s.ends, end), append(s.last, -1)
	s.counts, s.waiting = append(s.counts, Counts{}), append(s.waiting, new(Histogram))
	s.arrival(len(s.sources) - 1)
}

func (s *slow) arrival(i int) {
	for {
		p, ok := s.sources[i].Next()
		if !ok {
			return
		}
		if int64(p.At) < s.now && s.last[i] < 0 {
			continue // older than its addition
		}
		at := max(int64(p.At), s.last[i])
		if s.last[i] = at; at < s.ends[i] {
			heap.Push(&s.events, event{at: at, source: i, size: p.Size})
		}
		return
	}
}

func (s *slow) serve() {
	s.serial++
	if len(s.fifo) > 0 {
		j := &s.fifo[0]
		j.begun = s.now
		s.waits.Add(&s.waits, big.NewInt(s.now-j.arrived))
		heap.Push(&s.events, event{at: s.now + j.needs, source: -1, serial: s.serial})
	}
}

func (s *slow) advance(h int64) {
	for len(s.events) > 0 && (s.events[0].at < h || s.events[0].at == h && s.events[0].source < 0) {
		e := heap.Pop(&s.events).(event)
		if e.source < 0 && e.serial != s.serial {
			continue
		}
		s.now = e.at
		if e.source < 0 {
			s.fifo = s.fifo[1:]
			s.serve()
			continue
		}
		c := &s.counts[e.source]
		c.Offered++
		if len(s.fifo) == s.buffer {
			c.Dropped++
		} else {
			c.Accepted++
			needs := int64(s.svc.Time(e.size, s.rng))
			s.waiting[e.source].Add(units.Time(s.ahead()))
			s.fifo = append(s.fifo, job{source: e.source, arrived: s.now, needs: needs})
			if len(s.fifo) == 1 {
				s.serve()
			}
		}
		s.arrival(e.source)
	}
	s.now = h
}

// ahead is how long a packet that arrives now waits.
func (s *slow) ahead() (w int64) {
	for i, j := range s.fifo {
		if w += j.needs; i == 0 {
			w -= s.now - j.begun
		}
	}
	return w
}

func (s *slow) setService(svc Service) {
	from, to := big.NewInt(int64(s.svc.Nominal())), big.NewInt(int64(svc.Nominal()))
	s.svc = svc
	for i := range s.fifo {
		j := &s.fifo[i]
		if i == 0 {
			j.needs -= s.now - j.begun
			j.begun = s.now
		}
		n := new(big.Int).Mul(big.NewInt(j.needs), to)
		n.Add(n, from).Sub(n, big.NewInt(1)).Div(n, from)
		j.needs = n.Int64()
	}
	if len(s.fifo) > 0 {
		s.serial++
		heap.Push(&s.events, event{at: s.now + s.fifo[0].needs, source: -1, serial: s.serial})
	}
}

// foreseenWaits is the sum of waits with those of the packets that still wait.
func (s *slow) foreseenWaits() *big.Int {
	sum, at := new(big.Int).Set(&s.waits), s.now
	for i, j := range s.fifo {
		if i == 0 {
			at = j.begun + j.needs
			continue
		}
		sum.Add(sum, big.NewInt(at-j.arrived))
		at += j.needs
	}
	return sum
}

func (s *slow) total() (c Counts) {
	for _, x := range s.counts {
		c.Offered, c.Accepted, c.Dropped = c.Offered+x.Offered, c.Accepted+x.Accepted, c.Dropped+x.Dropped
	}
	return c
}
