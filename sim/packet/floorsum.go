package packet

import "math/bits"

// floorSum is the sum of floor((a*i + b)/m) over 0 <= i < n, modulo 2^64: the points under a line, counted by Euclid's
// algorithm (Graham, Knuth and Patashnik, Concrete Mathematics, 3.5).
func floorSum(n, a, b, m uint64) (sum uint64) {
	for n > 0 {
		pairs := n / 2 * (n - 1)
		if n%2 == 1 {
			pairs = n * ((n - 1) / 2)
		}
		sum += pairs*(a/m) + n*(b/m)
		a %= m
		hi, lo := bits.Mul64(a, n)
		lo, carry := bits.Add64(lo, b%m, 0)
		if hi += carry; hi == 0 {
			n, b = lo/m, lo%m
		} else {
			n, b = bits.Div64(hi, lo, m)
		}
		a, m = m, a
	}
	return sum
}

// floorSums are the sums of floor((a*i + b)/m) over 0 <= i < n for many b. If these are many for n, the residues of
// a*i modulo m are listed by size: a sum exceeds that for b = 0 by n*floor(b/m), and by one for each residue that b
// modulo m brings to m or beyond. Otherwise each is a floorSum.
type floorSums struct {
	n, a, m  uint64
	zero     uint64   // the sum for b = 0
	residues []uint64 // in groups of those that are equal but for their lowest bits
	groups   []uint32 // where each group begins, and the end; nil for none
	low      uint     // how many bits
}

// newFloorSums prepares for about so many sums.
func newFloorSums(n, a, m uint64, sums int) *floorSums {
	f := &floorSums{n: n, a: a, m: m}
	if n == 0 || n > uint64(sums) {
		return f
	}
	f.zero = floorSum(n, a, 0, m)
	f.low = uint(max(bits.Len64(m-1)-bits.Len64(n), 0))
	f.groups = make([]uint32, (m-1)>>f.low+3)
	f.residues = make([]uint64, n)
	step, r := a%m, uint64(0)
	next := func() {
		if r += step; r >= m {
			r -= m
		}
	}
	for range n {
		f.groups[r>>f.low+2]++
		next()
	}
	for k := range f.groups[1:] {
		f.groups[k+1] += f.groups[k]
	}
	r = 0
	for range n { // where a group begins becomes where it ends, which is where the next one begins
		at := &f.groups[r>>f.low+1]
		f.residues[*at] = r
		*at++
		next()
	}
	return f
}

// sum is the sum for b, modulo 2^64.
func (f *floorSums) sum(b uint64) uint64 {
	if f.groups == nil {
		return floorSum(f.n, f.a, b, f.m)
	}
	q, r := b/f.m, b%f.m
	s := f.zero + f.n*q
	if r == 0 {
		return s
	}
	least := f.m - r
	k := least >> f.low
	from, to := f.groups[k], f.groups[k+1]
	s += f.n - uint64(to)
	for _, r := range f.residues[from:to] {
		if r >= least {
			s++
		}
	}
	return s
}

func gcd(a, b uint64) uint64 {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}
