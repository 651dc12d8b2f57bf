package results

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/units"
)

func TestConservation(t *testing.T) {
	even := func(t float64) *Window { return &Window{T: t, Offered: 10, Processed: 10} }
	tests := []struct {
		name  string
		play  func(*Checker)
		run   Totals
		holds bool
		where string
		worst float64
	}{
		{"nothing at all", func(*Checker) {}, Totals{}, true, "", 0},
		{"a queue fills and empties", func(c *Checker) {
			c.Window(&Window{T: 2, Offered: 10, Processed: 8, Queued: 4},
				[]Instance{{Instance: 3, Offered: 10, Processed: 8, Queue: 4}})
			c.Window(&Window{T: 3, Processed: 4}, []Instance{{Instance: 3, Processed: 4}})
		}, Totals{Offered: 20, Processed: 20}, true, "", 0},
		{"a window loses a packet", func(c *Checker) {
			c.Window(even(1), nil)
			c.Window(&Window{T: 2, Offered: 10, Processed: 9}, nil)
			c.Window(even(3), nil)
		}, Totals{}, false, "all instances, window that ends at 2 s", 1},
		{"a cause of loss is missing", func(c *Checker) {
			c.Window(&Window{T: 1, Offered: 10, Processed: 8, Dropped: 2, DroppedLink: 1.5}, nil)
		}, Totals{}, false, "loss by cause, window that ends at 1 s", 0.5},
		{"an instance makes packets", func(c *Checker) {
			c.Window(even(1), []Instance{{Instance: 1, Offered: 10, Processed: 10}, {Instance: 2, Processed: 5}})
		}, Totals{}, false, "instance 2, window that ends at 1 s", 5},
		{"an instance goes with its queue", func(c *Checker) {
			c.Window(&Window{T: 1, Offered: 7, Queued: 7},
				[]Instance{{Instance: 1}, {Instance: 4, Offered: 7, Queue: 7}, {Instance: 9}})
			c.Window(&Window{T: 2, Queued: 7}, []Instance{{Instance: 1}, {Instance: 9}})
		}, Totals{}, false, "missing instance 4, window that ends at 2 s", 7},
		{"a flow ends with packets held", func(c *Checker) {
			c.Flow(&Flow{Flow: 12, Offered: 5, Processed: 3,
				Dropped: 1, Queued: 1})
		}, Totals{}, true, "", 0},
		{"a flow loses packets", func(c *Checker) { c.Flow(&Flow{Flow: 12, Offered: 5, Processed: 3, Dropped: 1}) },
			Totals{}, false, "flow 12", 1},
		{"the run loses packets", func(*Checker) {},
			Totals{Offered: 9, Processed: 4, Queued: 2, Dropped: Drops{Link: 1}}, false, "run", 2},
		{"the noise of summation is no loss", func(*Checker) {}, Totals{Offered: 1e9, Processed: 1e9 - 1.5}, true,
			"run", 1.5},
		{"a broken balance outranks the noise", func(c *Checker) { c.Flow(&Flow{Offered: 1e9, Processed: 1e9 - 1.5}) },
			Totals{Offered: 1}, false, "run", 1},
		{"counters that were read apart", func(c *Checker) {
			c.Skew = 100 * units.Millisecond
			c.Window(&Window{T: 1, Offered: 1000, Processed: 1090}, nil)
		}, Totals{}, true, "all instances, window that ends at 1 s", 90},
		{"more than passes between two readings", func(c *Checker) {
			c.Skew = 100 * units.Millisecond
			c.Window(&Window{T: 1, Offered: 1000, Processed: 1110}, nil)
		}, Totals{}, false, "all instances, window that ends at 1 s", 110},
		{"not a number", func(c *Checker) { c.Flow(&Flow{Flow: 2, Offered: math.NaN()}) }, Totals{}, false, "flow 2",
			math.MaxFloat64},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var c Checker
			test.play(&c)
			r := c.Result(&test.run)
			if r.Holds != test.holds || r.Where != test.where || r.Worst != test.worst || r.Checked < 1 {
				t.Errorf("got %+v, want holds %v, worst %g, where %q", r, test.holds, test.worst, test.where)
			}
		})
	}
}

func TestRound(t *testing.T) {
	for x, want := range map[float64]float64{
		82581.99999999999: 82582, 1e-7: 0, -1e-7: 0, 1.0000004: 1, 1.0000006: 1.000001, -2.5000001: -2.5,
		21504000000.000004: 21504000000, 1e15 + 0.25: 1e15, 1e300: 1e300, math.Inf(-1): math.Inf(-1),
	} {
		if got := Round(x); got != want || math.Signbit(got) != math.Signbit(want) {
			t.Errorf("Round(%v) = %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(Round(math.NaN())) {
		t.Error("NaN became a number")
	}
}

func TestRowsAreRoundedAndTimesAreNot(t *testing.T) {
	m := NewMemory()
	m.Flow(&Flow{Start: 80645e-12, Offered: 82581.99999999999, Processed: 82581.99999999999})
	if f := m.Flows[0]; f.Start != 80645e-12 || f.Offered != 82582 {
		t.Errorf("kept as %+v", f)
	}
}
