package rss

// problem asks which buckets of overloaded cores go to which underloaded ones. It is solved as the released RSS++
// solves it, in single precision.
type problem struct {
	over    []float32 // by how much each overloaded core is above the mean
	under   []float32 // by how much each underloaded one is below it
	buckets []bucket
}

type bucket struct {
	over int // the overloaded core that has it
	load float32
}

const (
	maxRuns      = 10
	goodEnough   = 0.01 // square imbalance at which the search ends; a core with less room takes no more
	firstAllowed = -0.01
)

// allowance is how far a run may go beyond the mean: of what it takes from overloaded cores, and of what it gives to
// underloaded ones. The first run stays below it on both sides.
type allowance struct{ over, under float32 }

func (a allowance) times(f float32) allowance { return allowance{a.over * f, a.under * f} }

// between is the point at the share m of the way from a to b.
func (a allowance) between(b allowance, m float32) allowance {
	return allowance{a.over + float32((b.over-a.over)*m), a.under + float32((b.under-a.under)*m)}
}

// phases of the search for an allowance, after the first run.
type phase uint8

const (
	widening phase = iota // until it makes things worse
	narrowing
	returning
)

// solve gives for each bucket the underloaded core that takes it, or -1, with the sum of squared imbalances that is
// left and the number of runs. The released program says that it keeps the best of its runs, and never notes which that
// is: it keeps the last. best keeps the best.
func (p *problem) solve(best bool) (to []int, square float32, runs int) {
	a := allowance{firstAllowed, firstAllowed}
	low, high := a, a
	var at phase
	var last, m float32
	var bestTo []int
	var bestSquare float32
	for runs = 1; ; runs++ {
		var left allowance
		to, square, left = p.run(a)
		if best && (bestTo == nil || square < bestSquare) {
			bestTo, bestSquare = to, square
		}
		if runs == maxRuns || square < goodEnough {
			break
		}
		used, worse, end := a, square > last, false
		switch {
		case runs == 1:
			a = left
		case at == widening && !worse:
			a = a.times(1.5)
		case at == widening:
			at, high, m = narrowing, a, 0.5
			a = a.times(0.5)
		case at == narrowing && !worse:
			m /= 2
			end = m < 0.01
			a = low.between(high, m)
		case at == narrowing:
			at, low, m = returning, a, 0.5
			a = low.between(high, m)
		case at == returning && !worse:
			m = (1 + m) / 2
			end = m > 0.99
			a = low.between(high, m)
		case at == returning:
			at, high, m = narrowing, a, 0.5
			a = low.between(high, m)
		}
		if end {
			break
		}
		last = square
		if runs+1 == maxRuns && runs > 1 {
			a = used // meant to be the best; it is the one before
		}
	}
	if best {
		return bestTo, bestSquare, runs
	}
	return to, square, runs
}

// run gives the greatest bucket of the most overloaded core to the most underloaded one while that has room; a bucket
// that has none anywhere stays. left is the imbalance of both sides.
func (p *problem) run(a allowance) (to []int, square float32, left allowance) {
	to = make([]int, len(p.buckets))
	of := make([]ranked, len(p.over)) // the buckets of each core
	for i, b := range p.buckets {
		to[i] = -1
		of[b.over].push(i, b.load)
	}
	var over, under ranked
	for i, load := range p.over {
		over.push(i, load)
	}
	for i, load := range p.under {
		under.push(i, load)
	}
	settle := func(sum *float32, load float32) {
		square += float32(load * load)
		*sum += max(load, -load)
	}
	for len(over) > 0 && len(under) > 0 {
		o := over.pop()
		b := of[o.id].pop()
		if u := under.top(); b.load < u.load+a.under {
			under.pop()
			u.load -= b.load
			o.load -= b.load
			to[b.id] = u.id
			if u.load > goodEnough {
				under.push(u.id, u.load)
			} else {
				settle(&left.under, u.load)
			}
		}
		if o.load > -a.over && len(of[o.id]) > 0 {
			over.push(o.id, o.load)
		} else {
			settle(&left.over, o.load)
		}
	}
	for len(over) > 0 {
		settle(&left.over, over.pop().load)
	}
	for len(under) > 0 {
		settle(&left.under, under.pop().load)
	}
	return to, square, left
}

// ranked has the greatest load at its end, and of equal ones that with the lowest number.
type ranked []loaded

type loaded struct {
	id   int
	load float32
}

func (r ranked) top() loaded { return r[len(r)-1] }

func (r *ranked) pop() loaded {
	x := r.top()
	*r = (*r)[:len(*r)-1]
	return x
}

func (r *ranked) push(id int, load float32) {
	*r = append(*r, loaded{})
	i := len(*r) - 1
	for ; i > 0 && ((*r)[i-1].load > load || (*r)[i-1].load == load && (*r)[i-1].id < id); i-- {
		(*r)[i] = (*r)[i-1]
	}
	(*r)[i] = loaded{id, load}
}
