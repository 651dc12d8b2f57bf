package server

import (
	"time"

	"github.com/smartinco/smartinco/hw/trex"
)

// keepEvents is how long events wait for a session that does not fetch them. After that it gets no further ones.
const keepEvents = 10 * time.Second

// session is a client's queue of events.
type session struct {
	seq     uint64
	queue   []dict
	fetched time.Duration // when it last was
}

func (s *Server) session(id uint32) *session {
	q := s.sessions[id]
	if q == nil {
		q = &session{fetched: s.now()}
		s.sessions[id] = q
	}
	return q
}

// emit gives an event to every session.
func (s *Server) emit(t trex.EventType, data dict) {
	for _, q := range s.sessions {
		if len(q.queue) > 0 && s.now()-q.fetched > keepEvents {
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
	q.queue, q.fetched = nil, s.now()
	if events == nil {
		return []dict{}
	}
	return events
}
