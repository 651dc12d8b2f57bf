package flow

// Living is a value for each flow that lives, by its number. It takes memory for the flows that live at a time and for
// their neighbours, in blocks: most flows begin and end in about the order of their numbers.
type Living[T any] struct {
	blocks []*livingBlock[T] // nil where no flow lives
	spare  []*livingBlock[T] // all values zero
	n      int
}

type livingBlock[T any] struct {
	lives int
	of    [livingSize]T
}

const livingSize = 1 << 6

// Begin gives a flow that does not live its value, which is zero. It stays where it is until End.
func (l *Living[T]) Begin(id ID) *T {
	b := uint32(id) / livingSize
	for int(b) >= len(l.blocks) {
		l.blocks = append(l.blocks, nil)
	}
	if l.blocks[b] == nil {
		if k := len(l.spare) - 1; k >= 0 {
			l.blocks[b], l.spare = l.spare[k], l.spare[:k]
		} else {
			l.blocks[b] = new(livingBlock[T])
		}
	}
	l.blocks[b].lives++
	l.n = max(l.n, int(id)+1)
	return &l.blocks[b].of[uint32(id)%livingSize]
}

// End takes the value of a flow that lives away.
func (l *Living[T]) End(id ID) {
	b := l.blocks[uint32(id)/livingSize]
	var zero T
	b.of[uint32(id)%livingSize] = zero
	if b.lives--; b.lives == 0 {
		l.blocks[uint32(id)/livingSize] = nil
		l.spare = append(l.spare, b)
	}
}

// At is the value of a flow that lives.
func (l *Living[T]) At(id ID) *T { return &l.blocks[uint32(id)/livingSize].of[uint32(id)%livingSize] }

// Near is the value of a flow that lives. Of another below Len it is a zero value, or nil.
func (l *Living[T]) Near(id ID) *T {
	if b := l.blocks[uint32(id)/livingSize]; b != nil {
		return &b.of[uint32(id)%livingSize]
	}
	return nil
}

// Len is one more than the greatest number of a flow that began.
func (l *Living[T]) Len() int { return l.n }
