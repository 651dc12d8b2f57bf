// Package request is the plant of requests: each is a job that an instance serves by itself, for a time drawn from the
// job's class, after those that came before it or that are less urgent.
//
// # Why an engine of its own
//
// A packet belongs to a flow, whose rule says where it goes. Most of package packet is about the many packets for which
// nothing is decided: lattices of constant-rate flows, rules that are on their way, a slow path. A request belongs to
// no flow, has no rule, and for each of them something is decided, by what the replies to others said. So nothing of
// that applies here, and what is left is a queueing network with a decision in the middle:
//
//	source -> stage of the NIC (queue, rate) -> decision -> link -> instance (queue, one server) -> link -> reply
//	                                               |  ^
//	                                               held
//
// The decision is Dispatch of package dispatch, which hosts the very policies that a NIC would have. That picture is
// one station: the instances of a service on a node. A rack has many, and a dispatcher before them, whose decision is
// the same with nodes for instances; in a chain, what has left one station comes to the next, on the same NIC or over
// the dispatcher.
//
// # Time
//
// Time is whole picoseconds. What was true until an instant is recorded before anything happens in it. Then comes what
// the fleet of instances does, where their number can change, and then, in this order: faults of nodes and of the
// dispatcher; services that end, by the instances' numbers; requests that reach instances; probes that do; replies that
// reach their NIC; answers to probes that do; what comes back to a dispatcher; requests that reach their node; the
// stages' decisions, by the nodes' numbers; requests that come, by the sources' order. Within a kind what was sent
// first is first, of what takes the same way: fewer passes, and then links with a shorter delay, come before others.
// Where a delay is 0, what follows an event is part of it.
//
// # Speed
//
// An instance has at most one event, the end of its service, and these are the leaves of one tournament tree, however
// many stations there are. The stages' decisions are those of another. Everything else that is under way takes equally
// long as others of its kind, so each kind is a list whose head is its next event; requests that went through the
// pipeline more than once have a list for each number of passes, and so has each delay that a link to instances has.
// Requests lie in one slice, and lists are links in it, so that nothing is allocated once a run has reached its usual
// size.
//
// A branch that nothing foretells costs more than a hundred instructions. So it is none whether an instance has another
// job, nor which of two drawn instances has fewer. Whether a service ends next or a request comes is one still.
package request
