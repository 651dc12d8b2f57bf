package numeric

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream is the generator of the consumer that has this name, such as "scheduler/ties". It depends on the seed and on
// the name alone: a new consumer takes a new name and changes no draw of another. A name begins with the folder or the
// layer that draws. It is written at the call, where at most its end may be computed, as in "scheduler/policy/" + name:
// a test then finds two calls that may give the same name.
func Stream(seed uint64, name string) *rand.Rand { return rand.New(Streams(name).At(seed, 0)) }

// Numbered is a family of streams under one name, for a consumer that draws for each of many things: instances, flows,
// blocks of work. No stream depends on another, so they can be drawn from in any order and on any number of cores.
type Numbered struct {
	base, step uint64
	mixed      bool
}

// golden is 2^64 over the golden ratio, made odd: its multiples lie far apart in the word.
const golden = 0x9e3779b97f4a7c15

// chosen are the words of consumers that are older than the making of words from names. Their draws are in records, so
// they keep them. Nothing is added here: a new name needs no entry.
var chosen = map[string]Numbered{
	"scheduler/ties":  {base: 0x7363686564756c65, step: golden}, // "schedule" in ASCII
	"sim/service":     {base: 0x7365727669636573, step: golden}, // "services"; by instance
	"traces/phases":   {step: 1},                                // by copy
	"traces/arrivals": {base: 1 << 40 * golden % (1 << 64), step: golden, mixed: true},
	"traces/flows":    {base: 2 << 40 * golden % (1 << 64), step: golden, mixed: true}, // by block of sessions
	"traces/packets":  {base: 3 << 40 * golden % (1 << 64), step: golden, mixed: true}, // by flow
}

// Streams finds the streams under a name. It costs more than At, so a consumer of many streams calls it once.
func Streams(name string) Numbered {
	if n, ok := chosen[name]; ok {
		return n
	}
	hash := sha256.Sum256([]byte(name))
	return Numbered{base: binary.BigEndian.Uint64(hash[:]), step: golden, mixed: true}
}

// At is the source of stream number i, of which rand.New makes a generator. It is a PCG whose state begins with the
// seed in the upper 64 bits and a word made from name and number in the lower 64. Unless the name is in the table, the
// word is the first 8 bytes of the name's SHA-256 plus i times golden, mixed. Different numbers have different words,
// and near ones far words.
func (n Numbered) At(seed, i uint64) *rand.PCG {
	x := n.base + i*n.step
	if n.mixed {
		x ^= x >> 32
		x *= 0xd6e8feb86659fd93
		x ^= x >> 32
	}
	return rand.NewPCG(seed, x)
}
