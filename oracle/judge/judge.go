// Package judge gives the judges their random cases.
package judge

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

var (
	seed  = flag.Uint64("seed", 1, "seed of the random cases")
	times = flag.Float64("times", 1, "how many cases, as a multiple of the usual number")
	only  = flag.Int("case", -1, "the only case to run; -1 for all")
)

// All reports whether the usual number of cases runs, or more.
func All() bool { return *times >= 1 && *only < 0 }

// shown is how many cases that differ are printed before the judge stops.
const shown = 5

// Cases runs n cases. Each is given a random stream of its own, so that one which differs can be run again alone. The
// error says what differs.
func Cases(t *testing.T, name string, n int, one func(*rand.Rand) error) {
	t.Helper()
	n = max(1, int(float64(n)**times))
	streams, failed := numeric.Streams("oracle/"+name), 0
	for i := range n {
		if *only >= 0 && i != *only {
			continue
		}
		if err := one(rand.New(streams.At(*seed, uint64(i)))); err != nil {
			t.Errorf("-seed %d -case %d: %v", *seed, i, err)
			if failed++; failed == shown {
				t.Fatalf("%d of the first %d cases differ", failed, i+1)
			}
		}
	}
	t.Logf("%d cases, seed %d: %d differ", n, *seed, failed)
}

// Of draws one of these.
func Of[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// Chance is true with a probability.
func Chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// Time is a span in our unit, and Duration one in Go's, cut off to nanoseconds.
func Time(d time.Duration) units.Time     { return units.Time(d) * units.Nanosecond }
func Duration(t units.Time) time.Duration { return time.Duration(t / units.Nanosecond) }
