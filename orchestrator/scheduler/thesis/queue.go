package thesis

// queue is a first-in, first-out queue in blocks. It is never copied as it grows, and uses its blocks again.
type queue[T any] struct {
	blocks   []*[queueBlock]T
	first, n int // the oldest, counted from the beginning of the blocks, and how many there are
}

const queueBlock = 1 << 8

func (q *queue[T]) at(i int) *T { return &q.blocks[uint(i)/queueBlock][uint(i)%queueBlock] }

// front is the oldest; the queue is not empty.
func (q *queue[T]) front() *T { return q.at(q.first) }

func (q *queue[T]) push(x T) {
	end := q.first + q.n
	if end == len(q.blocks)*queueBlock {
		q.blocks = append(q.blocks, new([queueBlock]T))
	}
	*q.at(end) = x
	q.n++
}

// pop takes the oldest off.
func (q *queue[T]) pop() {
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
