// Package queue simulates one finite FIFO queue with one server, packet by packet and exactly, in integer picoseconds:
// many sources feed it, at most B packets are in the system (the one in service included), and a packet that finds B
// is dropped. At a tie a departure comes before an arrival, and arrivals come in the order in which their sources were
// added.
//
// There is no event list. Between two control events nothing but arrivals decides, so a queue is a loop over the
// merge of its sources, and three paths give one and the same result:
//
//   - General takes any arrivals and any service times. A departure is known when its packet is accepted: the server
//     falls idle at d, so it starts at max(d, t). With the last B departures in a ring, "fewer than B in system" is
//     "the one of B acceptances ago has left": one load instead of an event.
//   - Constant knows that all services take S. The departures in the system are then d, d-S, d-2S, ..., so
//     "fewer than B in system" is d-t <= (B-1)*S and the ring disappears (Lindley's recursion with a bound).
//   - Jump counts without stepping. Constant-rate sources into a constant server are one-sided Skorokhod reflection:
//     above saturation the server never idles and only the bound B acts, below only the bound 0 does, and an extremum
//     over the last few arrivals of the interval gives the accepted packets and the backlog. It does not say which
//     source lost a packet nor how long packets waited.
//
// Arrivals are merged by a loser tree whose keys carry the source in their low bits (Knuth, The Art of Computer
// Programming 3, 5.4.1), or by comparing four registers.
//
// # Change of service
//
// SetService acts between two intervals. The packets in the system stay, in their order. What remains of the one in
// service, and the service times of those that wait, are each multiplied by the ratio of the nominal times, new to
// old, and rounded up: the server goes on at another speed. A packet that arrives later draws from the new service.
// The sum of waits is corrected for the packets concerned; a histogram holds what its packets expected on arrival.
package queue
