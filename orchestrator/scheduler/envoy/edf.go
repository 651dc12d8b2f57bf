package envoy

// edf is Envoy's schedule of hosts of unlike weights: earliest deadline first. A host that is picked is put back with a
// deadline that is one over its weight of that moment later than the one it was picked by.
type edf struct {
	used  bool    // the schedule is gone by: the weights differ, or hosts start slowly
	order uint64  // of the next entry
	queue []entry // a binary heap
}

type entry struct {
	deadline float64
	order    uint64 // of equal deadlines, that which was set first comes first
	row      int32
}

func (a *entry) before(b *entry) bool {
	return a.deadline < b.deadline || a.deadline == b.deadline && a.order < b.order
}

// start makes the schedule that there is after a number of picks. All but a few of them are made at once: each host is
// given as many as its part of the weights says for certain.
func (e *edf) start(rows []int32, weight func(slot int) float64, picks uint32) {
	// Envoy adds a little to the weights here, so that deadlines that should be equal are so after any number of picks.
	const little = 1e-13
	picks %= 429496729 // a tenth of all 32-bit numbers, as in Envoy
	sum := 0.0
	for _, row := range rows {
		sum += weight(int(row)) + little
	}
	e.order, e.queue = uint64(len(rows)), e.queue[:0]
	made := uint32(0)
	for i, row := range rows {
		w := weight(int(row)) + little
		n := uint32(w * float64(picks) / sum)
		if n > 0 && float64(n)/w >= float64(picks)/sum {
			n--
		}
		made += n
		e.queue = append(e.queue, entry{float64(n+1) / w, uint64(i), row})
	}
	for i := len(e.queue)/2 - 1; i >= 0; i-- {
		e.down(i)
	}
	for ; made < picks; made++ {
		e.pick(weight)
	}
}

// pick takes the host with the earliest deadline, and puts it back.
func (e *edf) pick(weight func(slot int) float64) (slot int, deadline float64) {
	first := &e.queue[0]
	slot, deadline = int(first.row), first.deadline
	first.deadline, first.order = deadline+1/weight(slot), e.order
	e.order++
	e.down(0)
	return slot, deadline
}

func (e *edf) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(e.queue); child++ {
			if e.queue[child].before(&e.queue[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		e.queue[i], e.queue[least] = e.queue[least], e.queue[i]
		i = least
	}
}
