package policy

// Queue is a first-in, first-out queue of a policy's own. It is in blocks, so it is never copied as it grows, and it
// uses its blocks again. The zero Queue is empty.
type Queue[T any] struct {
	blocks   []*[queueBlock]T
	first, n int // the oldest, counted from the beginning of the blocks, and how many there are
}

const queueBlock = 1 << 8

// Len is how many there are.
func (q *Queue[T]) Len() int { return q.n }

// Front is the oldest, until it is taken off. The queue must not be empty.
func (q *Queue[T]) Front() *T { return q.at(q.first) }

func (q *Queue[T]) at(i int) *T { return &q.blocks[uint(i)/queueBlock][uint(i)%queueBlock] }

// Push puts one at the end.
func (q *Queue[T]) Push(x T) {
	end := q.first + q.n
	if end == len(q.blocks)*queueBlock {
		q.blocks = append(q.blocks, new([queueBlock]T))
	}
	*q.at(end) = x
	q.n++
}

// Pop takes the oldest off. The queue must not be empty.
func (q *Queue[T]) Pop() {
	q.first++
	q.n--
	switch {
	case q.n == 0:
		q.first = 0
	case q.first == queueBlock:
		used := q.blocks[0]
		copy(q.blocks, q.blocks[1:])
		q.blocks[len(q.blocks)-1] = used
		q.first = 0
	}
}
