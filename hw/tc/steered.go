package tc

import (
	"sync"
	"time"

	"github.com/smartinco/smartinco/flow"
)

// steered knows when packets of a five-tuple certainly met a rule. In software a packet socket sees every packet before
// the filters do, and a busy machine may read it late, when its rule has come or gone. So the time of arrival decides.
// A packet that came while its rule was being added or removed may have met it or not. It is taken not to have met it,
// so at worst it is delivered twice. It is lost if it took longer than onItsWay to reach the filters and its rule was
// removed meanwhile.
type steered struct {
	mu    sync.Mutex
	spans map[flow.FiveTuple][]span
	ended []flow.FiveTuple // in order, once for each span that has
}

// onItsWay is how long a packet may take to the filters after the kernel has noted its time, which is before it waits
// for a processor.
const onItsWay = 10 * time.Millisecond

// span is a time in which every packet certainly met a rule: from the kernel's confirmation that it was in force until
// onItsWay before the request for its removal.
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

// met reports whether a packet that came at a time certainly met a rule. Callers ask in the order of arrival, so spans
// that ended before this packet are forgotten.
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
