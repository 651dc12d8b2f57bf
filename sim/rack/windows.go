package rack

import (
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// sum is what has been put together of a node for a window.
type sum struct{ results.Node }

// lose books packets a second that the dispatcher has lost.
func (s *sum) lose(rate float64) {
	s.Offered += rate
	s.Dropped += rate
	s.DroppedRejected += rate
}

// record writes the window that ends at t.
func (r *rack) record(t units.Time, rec results.NodeRecorder) error {
	end := t.Seconds()
	for n := range r.sums {
		r.sums[n] = sum{results.Node{T: end, Node: int32(n)}}
	}
	r.fates = append(r.fates, make([]fate, len(r.pieces)-len(r.fates))...)
	r.leak(t)
	r.rows.instances = r.rows.instances[:0]
	win := results.Window{T: end}
	for _, l := range r.lives[1:] {
		r.tell(l, t, &win)
	}
	r.rows.nodes = r.rows.nodes[:0]
	for n := range r.sums {
		s := &r.sums[n]
		if n == 0 {
			win.Offered += s.Offered
			win.Dropped += s.Dropped
			win.DroppedRejected += s.DroppedRejected
			if s.Offered == 0 {
				continue
			}
		}
		r.rows.nodes = append(r.rows.nodes, s.Node)
	}
	rec.Nodes(r.rows.nodes)
	r.began = t
	return rec.Window(&win, r.rows.instances)
}

// tell adds to the window that ends at t what a life says of it, or of the part of it before its death.
func (r *rack) tell(l *life, t units.Time, win *results.Window) {
	d := (t - r.began).Seconds()
	x, part := &l.row, l.row.length.Seconds()/d
	gone, lost := l.to < t, 0.0
	if gone {
		if lost = l.queue; x.length > 0 {
			lost = x.Queued
		}
		x.Queued, x.Instances, x.Used, x.Flows = 0, 0, 0, 0
	}
	l.queue = x.Queued
	if x.length == 0 && lost == 0 && l.leaked == 0 {
		return // it is not there yet, or no more
	}
	n := results.Node{Offered: float64(x.Offered*part) + l.leaked/d, Processed: x.Processed * part, Flows: x.Flows,
		Instances: x.Instances, Queue: x.Queued, DroppedInstance: float64(x.DroppedInstance*part) + lost/d,
		DroppedESwitch: x.DroppedESwitch * part, DroppedSlowPath: x.DroppedSlowPath * part,
		DroppedLink: float64(x.DroppedLink*part) + l.leaked/d, DroppedRejected: x.DroppedRejected * part,
		Dropped: float64(x.Dropped*part) + (lost+l.leaked)/d}
	l.rx += float64(n.Offered * d)
	l.tx += float64(n.Processed * d)
	r.sums[l.node].add(&n)
	in := results.Instance{T: win.T, Instance: l.id, State: results.StateReady, Flows: x.Flows, Offered: n.Offered,
		Processed: n.Processed, Dropped: n.Dropped, Queue: n.Queue, Utilization: x.utilization}
	if gone {
		in.State = results.StateFailed
	}
	r.rows.instances = append(r.rows.instances, in)

	win.Offered += n.Offered
	win.Ingress += float64(x.Ingress * part)
	win.Processed += n.Processed
	win.Dropped += n.Dropped
	win.SlowPath += float64(x.SlowPath * part)
	win.ProcessedBits += float64(x.ProcessedBits * part)
	win.Instances += x.Instances
	win.Used += x.Used
	win.Flows += x.Flows
	win.Reordered += x.Reordered
	win.DroppedInstance += n.DroppedInstance
	win.DroppedESwitch += n.DroppedESwitch
	win.DroppedSlowPath += n.DroppedSlowPath
	win.DroppedLink += n.DroppedLink
	win.DroppedRejected += n.DroppedRejected
	win.Queued += n.Queue
	l.row, l.leaked = row{}, 0
}

func (s *sum) add(n *results.Node) {
	s.Offered += n.Offered
	s.Processed += n.Processed
	s.Dropped += n.Dropped
	s.Flows += n.Flows
	s.Instances += n.Instances
	s.Queue += n.Queue
	s.DroppedInstance += n.DroppedInstance
	s.DroppedESwitch += n.DroppedESwitch
	s.DroppedSlowPath += n.DroppedSlowPath
	s.DroppedLink += n.DroppedLink
	s.DroppedRejected += n.DroppedRejected
}
