package traces

import "math/rand/v2"

// stream is the generator of block number block of what kind names, for one seed. Streams do not depend on each other,
// so blocks can be drawn in any order and on any number of cores.
func stream(seed, kind, block uint64) *rand.Rand {
	x := (kind<<40 ^ block) * 0x9e3779b97f4a7c15 // spread over the word, so that near blocks have far seeds
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return rand.New(rand.NewPCG(seed, x))
}

// The kinds of streams.
const (
	streamArrivals = 1 + iota
	streamFlows
	streamPackets
)
