package flow

// Column is a value for each flow, by its number, in blocks: one that grows by a flow at a time is never copied, and
// takes no more memory than its flows.
type Column[T any] struct {
	blocks []*[columnBlock]T
	n      int
}

const columnBlock = 1 << 8

// At is the value of a flow that Grow has made room for. It stays where it is.
func (c *Column[T]) At(id ID) *T {
	return &c.blocks[uint32(id)/columnBlock][uint32(id)%columnBlock]
}

// Len is how many flows there is room for, as Grow was asked.
func (c *Column[T]) Len() int { return c.n }

// Grow makes room for so many flows. Those that are new have the zero value.
func (c *Column[T]) Grow(n int) {
	for n > len(c.blocks)*columnBlock {
		c.blocks = append(c.blocks, new([columnBlock]T))
	}
	c.n = max(c.n, n)
}
