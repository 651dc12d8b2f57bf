package traces

import "github.com/smartinco/smartinco/numeric"

// Zipf is how n flows share a rate: flow i, from 1 on, has a share in proportion to 1/i to the power s. The shares sum
// to 1; with s = 0 they are equal.
func Zipf(n int, s float64) []float64 {
	shares := make([]float64, n)
	sum := 0.0
	for i := range shares {
		shares[i] = numeric.Exp(float64(-s * numeric.Log(float64(i+1))))
		sum += shares[i]
	}
	for i := range shares {
		shares[i] /= sum
	}
	return shares
}
