package flow

import "testing"

// A column grows by any number of flows, and a value stays where it is.
func TestColumn(t *testing.T) {
	var c Column[int]
	var at []*int
	for _, n := range []int{1, 2, 2, 1, columnBlock, columnBlock + 1, 5*columnBlock + 7} {
		c.Grow(n)
		for id := len(at); id < c.Len(); id++ {
			p := c.At(ID(id))
			if *p != 0 {
				t.Fatalf("flow %d begins with %d", id, *p)
			}
			*p = id
			at = append(at, p)
		}
		for id, p := range at {
			if c.At(ID(id)) != p || *p != id {
				t.Fatalf("after growing to %d: flow %d has %d at %p, was at %p", n, id, *p, c.At(ID(id)), p)
			}
		}
	}
	if c.Len() != 5*columnBlock+7 {
		t.Errorf("room for %d", c.Len())
	}
}
