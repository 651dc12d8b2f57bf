package request

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
)

// What of the slow and obvious engine is about racks.

// leave has a request leave its node.
func (b *brute) leave(j *bruteJob) {
	if len(b.e.dispatchers) == 0 {
		b.end(j)
		return
	}
	j.where = "in"
	j.left = dispatch.Load{Workers: int32(len(j.entry.sent))}
	for _, other := range b.jobs {
		if (other.where == "waiting" || other.where == "placed") && b.station(other) == j.entry {
			j.left.Queue++
		}
	}
	for _, id := range j.entry.host.Instances() {
		if j.entry.host.Placed(id) == 0 {
			j.left.Idle++
		}
	}
	b.later(b.e.far, evReturn, 0, -1, func() { b.back(j) })
}

func (b *brute) front(j *bruteJob) *dispatcher { return &b.e.dispatchers[j.entry.service] }

// back has a request come back to the dispatcher.
func (b *brute) back(j *bruteJob) {
	b.seen["returns"]++
	d, nic := b.front(j), b.nics[j.node]
	b.replies[d.host]++
	w := b.work(j, d.host)
	if nic.known && j.epoch == nic.epoch {
		w.At = flow.Instance(j.node + 1)
	}
	d.host.Returned(b.time(), w, j.left)
	if j.fate == "" && j.hop < len(b.e.classes[j.class].path) {
		b.note(j, j.node+1, "handed")
	} else if j.fate == "" {
		b.note(j, j.node+1, "replied")
	}
	if j.fate != "" || j.hop == len(b.e.classes[j.class].path) {
		b.end(j)
	} else {
		b.dispatch(j)
	}
	b.retryFront(d)
}

// dispatch asks the dispatcher for a node.
func (b *brute) dispatch(j *bruteJob) {
	d := &b.e.dispatchers[b.service(j)]
	j.where = "front"
	if b.dead {
		b.note(j, 0, "offered")
		b.lost(j, "rejected")
		b.end(j)
		return
	}
	w := b.work(j, d.host)
	a := d.host.Dispatch(b.time(), w)
	if a.Verdict != policy.Place {
		b.note(j, 0, "offered")
	}
	if a.Verdict != policy.Hold {
		b.send(j, d, a)
		return
	}
	b.refs++
	if !d.host.Hold(b.time(), w, b.refs) {
		b.lost(j, "rejected")
		b.end(j)
		return
	}
	b.held[b.refs] = j
	b.seen["held in front"] = max(b.seen["held in front"], int64(d.host.Held()))
}

func (b *brute) send(j *bruteJob, d *dispatcher, a policy.Answer) {
	if a.Verdict == policy.Drop {
		b.lost(j, "rejected")
		b.end(j)
		return
	}
	b.seen["sent"]++
	b.seen["passes in front"] += int64(a.Passes)
	j.node, j.where = int(d.host.Instances()[a.Slot])-1, "out"
	j.entry, j.epoch = b.station(j), b.nics[j.node].epoch
	b.note(j, j.node+1, "offered")
	b.later(b.e.far, evEnter, 0, -1, func() {
		if b.nics[j.node].down {
			b.lost(j, "link")
			b.strand(j)
			return
		}
		b.enter(j)
	})
}

func (b *brute) retryFront(d *dispatcher) {
	b.next(d.host, func(j *bruteJob, a policy.Answer) {
		if a.Verdict == policy.Place {
			b.note(j, 0, "handed")
		}
		b.send(j, d, a)
	})
}

func (b *brute) retryFronts() {
	for s := range b.e.dispatchers {
		b.retryFront(&b.e.dispatchers[s])
	}
}

// strand keeps a request that was lost at a node until the dispatcher knows of the node's death.
func (b *brute) strand(j *bruteJob) {
	nic := b.nics[j.node]
	if nic.undetected == 0 {
		b.mourn(j)
		return
	}
	j.where = "limbo"
	nic.limbo = append(nic.limbo, j)
}

func (b *brute) mourn(j *bruteJob) {
	b.front(j).host.Ended(b.time(), b.work(j, b.front(j).host), 0)
	b.end(j)
}

// isDown says whether a fault holds at a time.
func (b *brute) isDown(kind string, node int, t int64) bool {
	for _, f := range b.e.sc.Faults {
		if f.Kind == kind && f.Node == node && int64(f.At) <= t && (f.For == 0 || t < int64(f.At+f.For)) {
			return true
		}
	}
	return false
}

// faults queues what will happen.
func (b *brute) faults() {
	times := func(kind string, node int) (begin, end []int64) {
		for _, f := range b.e.sc.Faults {
			from, to := int64(f.At), int64(f.At+f.For)
			if f.Kind != kind || f.Node != node {
				continue
			}
			if !slices.Contains(begin, from) && (from == 0 || !b.isDown(kind, node, from-1)) {
				begin = append(begin, from)
			}
			if f.For > 0 && !b.isDown(kind, node, to) && !slices.Contains(end, to) {
				end = append(end, to)
			}
		}
		return begin, end
	}
	const many = 1000
	for n := range b.nics {
		begin, end := times("node-death", n+1)
		for _, t := range begin {
			b.at(t, evFault, nodeDown*many+n, -1, func() { b.die(n) })
			b.at(t+int64(b.e.sc.Nodes.Detection), evFault, detected*many+n, -1, func() { b.detect(n, t) })
		}
		for _, t := range end {
			b.at(t, evFault, nodeUp*many+n, -1, func() { b.rise(n) })
		}
	}
	begin, end := times("dispatcher-death", 1)
	for _, t := range begin {
		b.at(t, evFault, dispatcherDown*many, -1, b.behead)
	}
	for _, t := range end {
		b.at(t, evFault, dispatcherUp*many, -1, b.crown)
	}
}

func (b *brute) die(n int) {
	nic := b.nics[n]
	b.events = slices.DeleteFunc(b.events, func(e bruteEvent) bool { return e.node == n })
	nic.down, nic.stage, nic.busy, nic.freeAt = true, nil, nil, 0
	nic.undetected++
	for _, st := range b.stationsOf(n) {
		for {
			ref, ok := st.host.Abandon(b.time())
			if !ok {
				break
			}
			delete(b.held, ref)
		}
		for k := range st.sent {
			st.host.Left(b.time(), flow.Instance(k+1))
			st.host.Forget(flow.Instance(k + 1))
			s := b.servers[int(st.first)+k]
			b.changing(s)
			if s.serving != nil {
				s.busy += b.now - s.started
			}
			s.dropped += int64(len(s.queue))
			s.queue, s.serving, s.stays = nil, nil, nil
		}
	}
	var lost []*bruteJob
	for _, j := range b.jobs {
		if j.node == n && (j.where == "waiting" || j.where == "placed") {
			lost = append(lost, j)
			if j.fate == "" {
				b.lost(j, "instance")
			}
			if st := b.station(j); j.where == "placed" {
				st.host.Ended(b.time(), b.work(j, st.host), 0)
			}
		}
	}
	for _, j := range lost {
		b.strand(j)
	}
}

func (b *brute) stationsOf(n int) (all []*station) {
	for s := range b.e.stations {
		if int(b.e.stations[s].node) == n {
			all = append(all, &b.e.stations[s])
		}
	}
	return all
}

func (b *brute) detect(n int, died int64) {
	nic := b.nics[n]
	nic.undetected--
	if nic.known && nic.since <= died {
		b.forget(n)
	}
	gone := nic.limbo
	nic.limbo = nil
	for _, j := range gone {
		b.mourn(j)
	}
	b.welcome(n)
}

func (b *brute) rise(n int) {
	b.nics[n].down = false
	for _, st := range b.stationsOf(n) {
		for k := range st.sent {
			st.host.Joined(b.time(), flow.Instance(k+1))
		}
	}
	b.welcome(n)
}

func (b *brute) welcome(n int) {
	if nic := b.nics[n]; !nic.known && !nic.down && nic.undetected == 0 && !b.dead {
		b.takeIn(n)
	}
	b.retryFronts()
}

func (b *brute) takeIn(n int) {
	b.nics[n].known, b.nics[n].since = true, b.now
	for _, st := range b.stationsOf(n) {
		b.e.dispatchers[st.service].host.Joined(b.time(), flow.Instance(n+1))
	}
}

func (b *brute) forget(n int) {
	b.nics[n].known = false
	b.nics[n].epoch++
	for _, st := range b.stationsOf(n) {
		b.e.dispatchers[st.service].host.Left(b.time(), flow.Instance(n+1))
		b.e.dispatchers[st.service].host.Forget(flow.Instance(n + 1))
	}
}

func (b *brute) behead() {
	b.dead = true
	for s := range b.e.dispatchers {
		for {
			ref, ok := b.e.dispatchers[s].host.Abandon(b.time())
			if !ok {
				break
			}
			j := b.held[ref]
			delete(b.held, ref)
			b.lost(j, "rejected")
			b.end(j)
		}
	}
	for n := range b.nics {
		if b.nics[n].known {
			b.forget(n)
		}
	}
}

func (b *brute) crown() {
	b.dead = false
	for n := range b.nics {
		if !b.nics[n].down {
			b.takeIn(n)
		}
	}
}

// nodes makes the rows of nodes of the window since began. The dispatcher has one if there is anything to say.
func (b *brute) nodes(began int64, span float64) {
	if len(b.e.dispatchers) == 0 {
		return
	}
	for n := range len(b.nics) + 1 {
		count := map[string]int{}
		for _, j := range b.jobs {
			for _, note := range j.notes {
				if note.node == n && note.t >= began {
					count[note.what]++
				}
			}
			if j.fate == "" && (n == 0 && j.where == "front" ||
				slices.Contains([]string{"out", "waiting", "placed", "in"}, j.where) && j.node == n-1) {
				count["has"]++
			}
		}
		rate := func(what string) float64 { return float64(count[what]) / span }
		row := results.Node{T: b.time().Seconds(), Node: int32(n), Offered: rate("offered"), Processed: rate("replied"),
			Queue: float64(count["has"]), DroppedInstance: rate("instance"), DroppedSlowPath: rate("stage"),
			DroppedLink: rate("link"), DroppedRejected: rate("rejected"), HandedOn: rate("handed")}
		row.Dropped = float64(count["instance"]+count["stage"]+count["link"]+count["rejected"]) / span
		if n > 0 {
			row.Flows = int32(count["has"])
			for _, st := range b.stationsOf(n - 1) {
				row.Instances += int32(len(st.host.Instances()))
			}
		} else if row == (results.Node{T: row.T}) {
			continue
		}
		b.nodeRows = append(b.nodeRows, row)
	}
}
