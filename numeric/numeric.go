// Package numeric is the arithmetic that all parts must do alike, with the same bits on amd64 and on arm64.
//
// math.Exp and math.Log have an implementation for each architecture, and Go may fuse a product and a sum unless a
// conversion stands between them. The functions and draws here are written in plain operations, each of them rounded.
package numeric

import "math"

// Slack is the share of a limit by which a number may exceed it and still count as equal. It covers what is lost when
// rates are added up, divided and compared in floating point, and is far less than anybody could measure.
const Slack = 1e-9

// Exceeds reports whether a load of 0 or more is beyond a limit of 0 or more, in any one unit. A load that equals the
// limit within the rounding of both is not beyond it.
func Exceeds(load, limit float64) bool { return load > float64(limit*(1+Slack)) }

// Ceil is the least whole number from 0 to most that x does not exceed, in the sense of Exceeds. It is most if x
// exceeds that too, and 0 for NaN.
func Ceil(x float64, most int) int {
	if !(x > 0) {
		return 0
	}
	if x >= float64(most) {
		return most
	}
	n := math.Floor(x)
	if n < 1 || Exceeds(x, n) {
		n++
	}
	return int(n)
}

// GCD is the greatest common divisor of two numbers of 0 or more. That of 0 and another is the other.
func GCD(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
