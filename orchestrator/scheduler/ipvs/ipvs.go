// Package ipvs has the schedulers of IPVS, the Linux kernel's load balancer, which Kubernetes and Docker Swarm use.
//
// They are made again from the kernel's rules and held against a running kernel. A real server is an instance, and a
// connection is a flow. A connection is active while the flow lives, and inactive for some time after its end. A server
// whose connections, of both kinds, reach its upper threshold (instances.maxconn) takes none until they are below three
// quarters of it. Where no server takes a connection, IPVS refuses it, and so is the flow.
//
// The kernel puts a new server at the head of its list. So the list is read from the newest instance to the oldest, and
// of equal servers the newest wins, whatever scheduler.ties says.
package ipvs

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

const source = "Linux 6.1, net/netfilter/ipvs/ip_vs_"

// The state of all rows, and where all differ from their sources.
const (
	state = "the list, its servers' inactive connections and which of them are at their thresholds"
	lacks = "persistence, lower thresholds and weights that change are not there; flows of an instance that has left " +
		"go on, where IPVS drops the packets of connections to a server that was deleted"
)

// refused is the reason of a flow that no server takes: the second one of each row.
const refused = "no server takes it: refused"

func reasons(first string) []string { return []string{first, refused} }

// Options are those that all schedulers of the family have.
type Options struct {
	Inactive units.Time `yaml:"inactive" default:"120s" min:"0"`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
inactive: how long a flow that has ended counts as an inactive connection; the kernel's 120s are those of a TCP
	connection that was closed
`
}

// server is what IPVS knows of an instance beyond the View.
type server struct {
	inactive int32 // connections
	over     bool  // the upper threshold was reached, and the connections are not yet below three quarters of it
}

// service is the servers in the order of IPVS' list.
type service struct {
	plain    bool       // neither weights nor thresholds count
	servers  []server   // by number; those that left keep what they have, should they be taken back
	order    []int32    // rows of the View, that of the newest server first
	keep     units.Time // how long a connection is inactive
	inactive ring
	changed  func(joined bool, at int) // a server came to, or left, a position of the list; may be nil
}

func newService(o Options) service { return service{keep: o.Inactive} }

// Observe keeps the list and the connections.
func (s *service) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Joined:
		if n := int(v.IDs[e.Slot]) + 1 - len(s.servers); n > 0 {
			s.servers = append(s.servers, make([]server, n)...)
		}
		s.relieve(v, e.Slot)
		for i, slot := range s.order {
			if slot >= int32(e.Slot) {
				s.order[i]++
			}
		}
		s.order = slices.Insert(s.order, 0, int32(e.Slot))
		s.tell(true, 0)
	case policy.Left:
		at := slices.Index(s.order, int32(e.Slot))
		s.order = slices.Delete(s.order, at, at+1)
		for i, slot := range s.order {
			if slot > int32(e.Slot) {
				s.order[i]--
			}
		}
		s.tell(false, at)
	case policy.Placed:
		if most := v.MaxConn[e.Slot]; !s.plain && most > 0 && s.connections(v, e.Slot) >= most {
			s.at(v, e.Slot).over = true
		}
	case policy.Ended:
		if e.Slot < 0 || s.plain { // IPVS drops the packets of a server that was deleted, and sees no end
			return
		}
		s.at(v, e.Slot).inactive++
		s.inactive.push(closed{v.Now + s.keep, e.Work.At})
		s.expire(v)
	}
}

func (s *service) tell(joined bool, at int) {
	if s.changed != nil {
		s.changed(joined, at)
	}
}

// expire forgets the inactive connections whose time is over. It comes before any look at them.
func (s *service) expire(v *policy.View) {
	for s.inactive.n > 0 && s.inactive.first().at <= v.Now {
		c := s.inactive.pop()
		s.servers[c.id].inactive--
		if slot, there := slices.BinarySearch(v.IDs, c.id); there {
			s.relieve(v, slot)
		}
	}
}

// relieve notes that a server is below three quarters of its threshold again.
func (s *service) relieve(v *policy.View, slot int) {
	if x := s.at(v, slot); x.over && int64(s.connections(v, slot))*4 < int64(v.MaxConn[slot])*3 {
		x.over = false
	}
}

// at is the server of a row.
func (s *service) at(v *policy.View, slot int) *server { return &s.servers[v.IDs[slot]] }

func (s *service) connections(v *policy.View, slot int) int32 {
	return v.Flows[slot] + s.at(v, slot).inactive
}

// available reports whether a server takes connections.
func (s *service) available(v *policy.View, slot int) bool {
	return s.plain || v.Weight[slot] > 0 && !s.at(v, slot).over
}

// overhead is IPVS' measure of the load of a server: an active connection counts as 256 inactive ones.
func (s *service) overhead(v *policy.View, slot int) int64 {
	return int64(v.Flows[slot])<<8 + int64(s.at(v, slot).inactive)
}

// log takes down all servers with their scores.
func (s *service) log(v *policy.View, log *policy.Weighed, score func(slot int) float64) {
	if log == nil {
		return
	}
	for slot := range v.IDs {
		if s.available(v, slot) {
			log.Add(slot, score(slot), true)
		} else {
			log.Add(slot, 0, false)
		}
	}
}

// answer places in a row, or refuses where it is -1.
func answer(slot int) policy.Answer {
	if slot < 0 {
		return policy.Answer{Verdict: policy.Drop, Why: 1}
	}
	return policy.Answer{Slot: slot}
}

// closed is a connection that is inactive until a time.
type closed struct {
	at units.Time
	id flow.Instance
}

// ring is a queue of them. They come in order of time, since all are inactive for the same time.
type ring struct {
	buf     []closed // its length is a power of 2, or 0
	head, n int
}

func (r *ring) first() *closed { return &r.buf[r.head] }

func (r *ring) push(c closed) {
	if r.n == len(r.buf) {
		grown := make([]closed, max(64, 2*len(r.buf)))
		k := copy(grown, r.buf[r.head:])
		copy(grown[k:], r.buf[:r.head])
		r.buf, r.head = grown, 0
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = c
	r.n++
}

func (r *ring) pop() closed {
	c := r.buf[r.head]
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	return c
}
