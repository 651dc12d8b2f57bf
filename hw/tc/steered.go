package tc

import (
	"sync"
	"time"

	"github.com/smartinco/smartinco/flow"
)

// steered knows when packets of which five-tuples met a rule. In software a packet socket sees a packet before the
// filters do, whether it meets one or not, and it is read from there when a busy machine comes to it: its rule may have
// come, or gone, since. So what counts is when the packet came. One that came while its rule was on its way in or out
// may have met it or not; it is taken not to have, so that it is delivered twice at worst. It is lost if it took longer
// than onItsWay from its time to the filters, and its rule was removed meanwhile.
type steered struct {
	mu    sync.Mutex
	spans map[flow.FiveTuple][]span
	ended []flow.FiveTuple // in order, once for each span that has
}

// onItsWay is how long a packet may take from when the kernel notes its time, which is before it waits for a processor,
// to the filters.
const onItsWay = 10 * time.Millisecond

// span is a time in which packets came that met a rule for certain: since the kernel said that it was in force, until
// onItsWay before its removal was asked for.
type span struct{ from, to time.Time } // to is zero while it is

func (s *steered) begin(t flow.FiveTuple, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans[t] = append(s.spans[t], span{from: at})
}

// end is given since when the rule may have been gone.
func (s *steered) end(t flow.FiveTuple, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if all := s.spans[t]; len(all) > 0 && all[len(all)-1].to.IsZero() {
		all[len(all)-1].to = at.Add(-onItsWay)
		s.ended = append(s.ended, t)
	}
}

// met reports whether a packet that came at a time met a rule for certain. Packets are asked for in the order in which
// they came, so what ended before this one is forgotten.
func (s *steered) met(t flow.FiveTuple, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.ended) > 0 {
		old := s.ended[0]
		all := s.spans[old]
		if !all[0].to.Before(at) {
			break
		}
		if s.ended = s.ended[1:]; len(all) == 1 {
			delete(s.spans, old)
		} else {
			s.spans[old] = all[1:]
		}
	}
	for _, x := range s.spans[t] {
		if !at.Before(x.from) && (x.to.IsZero() || !x.to.Before(at)) {
			return true
		}
	}
	return false
}
