package orchestrator

import "github.com/smartinco/smartinco/flow"

// table is a column of the flows, by their number, in blocks: one that grows by a flow at a time is never copied, and
// takes no more memory than its flows.
type table[T any] struct {
	blocks []*[tableBlock]T
	n      int
}

const tableBlock = 1 << 10

func (t *table[T]) at(id flow.ID) *T {
	return &t.blocks[uint32(id)/tableBlock][uint32(id)%tableBlock]
}

// grow makes room for so many flows.
func (t *table[T]) grow(n int) {
	for n > len(t.blocks)*tableBlock {
		t.blocks = append(t.blocks, new([tableBlock]T))
	}
	t.n = max(t.n, n)
}
