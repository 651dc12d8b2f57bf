package horus

import (
	"math/bits"
	"math/rand/v2"
)

// draws draws rows.
type draws struct {
	rand *rand.Rand
	asic bool
	turn int // of rows that are taken in turn, with asic
}

// pair draws two rows of n that differ; n is at least 2.
func (d *draws) pair(n int) (x, y int) {
	x, y = d.one(n), d.one(n)
	switch {
	case x != y:
	case y == 0:
		y++
	default:
		y--
	}
	return x, y
}

// one draws a row of n. An ASIC draws by the random bits that number rows. Twice it may hit none; then the rows have
// turns.
func (d *draws) one(n int) int {
	if !d.asic {
		return d.rand.IntN(n)
	}
	word, wide := d.rand.Uint32(), bits.Len(uint(n-1))
	for _, half := range [2]uint32{word >> 16, word & 0xffff} {
		if row := int(half >> (16 - wide)); row < n {
			return row
		}
	}
	row := d.turn % n
	d.turn = row + 1
	return row
}
