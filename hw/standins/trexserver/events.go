package trexserver

import (
	"time"

	"github.com/smartinco/smartinco/hw/trex"
)

// keepEvents is how long events wait for a session that does not fetch them. Later ones are dropped, and seq has no
// gap.
const keepEvents = 10 * time.Second

// session is a client's queue of events.
type session struct {
	seq   uint64
	queue []dict
	since time.Duration // when the first of the queue came
}

func (s *Server) session(id uint32) *session {
	q := s.sessions[id]
	if q == nil {
		q = &session{}
		s.sessions[id] = q
	}
	return q
}

// emit gives an event to every session.
func (s *Server) emit(t trex.EventType, data dict) {
	for _, q := range s.sessions {
		if len(q.queue) == 0 {
			q.since = s.now()
		} else if s.now()-q.since > keepEvents {
			continue
		}
		q.queue = append(q.queue, dict{"name": "trex-event", "type": t, "seq": q.seq, "data": data})
		q.seq++
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// emitBoth gives a profile's event and then its port's.
func (p *port) emitBoth(t trex.EventType, profile string) {
	p.server.emit(t+trex.EventProfile, dict{"port_id": p.id, "profile_id": profile})
	p.server.emit(t, dict{"port_id": p.id})
}

func (s *Server) fetch(id uint32) []dict {
	q := s.session(id)
	events := q.queue
	q.queue = nil
	if events == nil {
		return []dict{}
	}
	return events
}
