package request

import (
	"math/rand/v2"

	"github.com/smartinco/smartinco/numeric"
)

// The ziggurat of Marsaglia and Tsang (Journal of Statistical Software 5 (2000), no. 8) for the exponential
// distribution: layers of equal area cover its density, and 0 is the lowest of them, with the tail. Nearly every draw
// takes one random word and one product. What the others and the tables need of logarithm and exponential is from
// package numeric, so that every machine draws the same.
const (
	layers    = 256
	tail      = 7.69711747013104972      // r of the paper: where the tail begins
	layerArea = 0.0039496598225815571993 // v of the paper
	places    = 1 << 53                  // in which a layer is divided
)

// layer reaches from 0 to its width. All of the first inside of its places are under the density.
type layer struct {
	inside int64
	place  float64 // width of one
}

// edge is the part of a layer that the density crosses, from near to far and from low to high. There the density, which
// is convex, lies below its chord and above its tangent at middle.
type edge struct {
	low, high   float64
	near, slope float64 // of the chord
	middle, at  float64 // where the tangent touches, and the density there: minus its slope
}

// doubt is more than rounding puts chord, tangent and density off.
const doubt = 1e-12

var ziggurat, edges = func() (z [layers]layer, edges [layers]edge) {
	var width [layers + 1]float64 // the last is 0
	width[0], width[1] = layerArea/numeric.Exp(-tail), tail
	for i := 2; i < layers; i++ {
		width[i] = -numeric.Log(numeric.Exp(-width[i-1]) + layerArea/width[i-1])
	}
	for i := range z {
		far, near := width[i], width[i+1]
		low, high, middle := numeric.Exp(-far), numeric.Exp(-near), (near+far)/2
		z[i] = layer{inside: int64(near / far * places), place: far / places}
		edges[i] = edge{low, high, near, (low - high) / (far - near), middle, numeric.Exp(-middle)}
	}
	return z, edges
}()

// exponential draws from the exponential distribution of mean 1. The lowest 8 bits of a word say the layer, the highest
// 53 the place.
func exponential(r *rand.PCG) float64 {
	word := r.Uint64()
	z, at := &ziggurat[word%layers], int64(word>>11)
	if at < z.inside {
		return float64(float64(at) * z.place)
	}
	return atEdge(r, word%layers, float64(float64(at)*z.place))
}

// atEdge goes on with a draw that the inside of its layer does not decide.
func atEdge(r *rand.PCG, layer uint64, x float64) float64 {
	if layer == 0 {
		return tail + exponential(r) // the distribution has no memory
	}
	e := &edges[layer]
	y := e.low + float64(float64(r.Uint64()>>11)/places*(e.high-e.low))
	chord, tangent := e.high+float64((x-e.near)*e.slope), e.at+float64((e.middle-x)*e.at)
	if y < tangent-doubt || y < chord+doubt && y < numeric.Exp(-x) {
		return x
	}
	return exponential(r)
}

// longest is the longest time that is drawn.
const longest = 1 << 62

// span draws an exponentially distributed time of the given mean, rounded down.
func span(r *rand.PCG, mean int64) int64 {
	x := exponential(r) * float64(mean)
	if x >= longest {
		return longest
	}
	return int64(x)
}

// gaps are the times between the requests of a Poisson process. What is lost by rounding one down is added to the
// next, so that the rate is exact.
type gaps struct{ mean, rest float64 } // ps

// of makes a time of a draw from the exponential distribution of mean 1.
func (g *gaps) of(draw float64) int64 {
	x := float64(draw*g.mean) + g.rest
	if x >= longest {
		return never
	}
	whole := int64(x)
	g.rest = x - float64(whole)
	return whole
}
