package packet

import (
	"container/heap"

	"github.com/smartinco/smartinco/flow"
)

// byNext is a heap of flows by their next packet, or a list in no order while it is loose. A flow is on one at a time,
// at pace.pos.
type byNext struct {
	paces []pace
	ids   []flow.ID
	loose bool
}

// add takes a flow in and remove takes one out. fix moves the flow at position i, whose next packet has changed, to its
// place.
func (m *byNext) add(f flow.ID) {
	if m.Push(f); !m.loose {
		heap.Fix(m, len(m.ids)-1)
	}
}

func (m *byNext) remove(i int) {
	k := len(m.ids) - 1
	m.Swap(i, k)
	m.ids = m.ids[:k]
	if i < k {
		m.fix(i)
	}
}

func (m *byNext) fix(i int) {
	if !m.loose {
		heap.Fix(m, i)
	}
}

// order makes a heap of it, after which it is kept one.
func (m *byNext) order() {
	m.loose = false
	heap.Init(m)
}

// Len, Less, Swap, Push and Pop make it a heap.Interface.
func (m *byNext) Len() int { return len(m.ids) }

// Less is by next packet, then by number.
func (m *byNext) Less(a, b int) bool {
	x, y := m.ids[a], m.ids[b]
	s, t := m.paces[x].due(), m.paces[y].due()
	return s < t || s == t && x < y
}

// Swap keeps the flows' positions.
func (m *byNext) Swap(a, b int) {
	m.ids[a], m.ids[b] = m.ids[b], m.ids[a]
	m.paces[m.ids[a]].pos, m.paces[m.ids[b]].pos = int32(a), int32(b)
}

// Push appends a flow.
func (m *byNext) Push(x any) {
	m.paces[x.(flow.ID)].pos = int32(len(m.ids))
	m.ids = append(m.ids, x.(flow.ID))
}

// Pop removes the last.
func (m *byNext) Pop() any {
	k := len(m.ids) - 1
	f := m.ids[k]
	m.ids = m.ids[:k]
	return f
}
