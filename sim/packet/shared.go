package packet

import (
	"io"
	"math/rand/v2"

	"github.com/smartinco/smartinco/results"
)

// What the engine of requests has in common with this one: measured service times, and histograms.

// Times is a distribution of service times.
type Times = distribution

// NewTimes makes a distribution in which values[i], in picoseconds from 0 to a second, is drawn with a probability in
// proportion to weights[i].
func NewTimes(values []int64, weights []uint64) (*Times, error) {
	return newDistribution(values, weights)
}

// ReadTimes reads lines of a service time, in picoseconds where it has no unit, and its weight, 1 without one. An error
// begins with a colon and the number of its line.
func ReadTimes(r io.Reader) (*Times, error) { return readTimes(r) }

// Draw draws a time.
func (d *distribution) Draw(r *rand.PCG) int64 { return d.draw(r) }

// Spans counts spans of time, in picoseconds, in the buckets of a record.
type Spans = spans

// Add counts a span, which is not negative.
func (s *spans) Add(v int64) { s.add(v) }

// Merge adds the spans of another.
func (s *spans) Merge(o *Spans) { s.merge(o) }

// Row is the spans as a record has them, with the buckets behind them; false without any.
func (s *spans) Row(scope string, number int, kind string) (row results.Latency, buckets []results.Bucket, ok bool) {
	n := s.n()
	if n == 0 {
		return row, nil, false
	}
	row = results.Latency{Scope: scope, Number: int32(number), Kind: kind, Count: int64(n),
		Mean: s.sum.over(n), Max: s.longest}
	for i, c := range s.counts {
		if c > 0 {
			lo, hi := Bounds(s.first + i)
			buckets = append(buckets, results.Bucket{Scope: scope, Number: row.Number, Kind: kind,
				Low: int64(lo), High: int64(hi), Count: int64(c)})
		}
	}
	for _, q := range []struct {
		perMille int64
		to       *int64
	}{{500, &row.P50}, {900, &row.P90}, {990, &row.P99}, {999, &row.P999}} {
		*q.to = min(results.Quantile(buckets, q.perMille), s.longest)
	}
	return row, buckets, true
}

// Wide is a whole number of 128 bits, for sums of picoseconds.
type Wide = wide

// Add adds v.
func (w *wide) Add(v uint64) { w.add(v) }

// AddProduct adds n*v.
func (w *wide) AddProduct(n, v uint64) { w.addProduct(n, v) }

// AddWide adds v.
func (w *wide) AddWide(v Wide) { w.addWide(v) }

// Over is the quotient by n, which is above 0.
func (w wide) Over(n uint64) float64 { return w.over(n) }
