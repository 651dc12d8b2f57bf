package katran

import (
	"encoding/binary"
	"math/bits"

	"github.com/smartinco/smartinco/flow"
)

// The seeds with which Katran hashes packets: 512 virtual addresses, and the entries of the rings of all of them.
const (
	seed6 = 512
	seed  = seed6 * entries
)

// hashPacket is the hash of a packet's source address and of its ports. An address of IPv6 is hashed to a word first.
func hashPacket(t *flow.FiveTuple) uint32 {
	var b [8]byte
	if t.Src.Is4() {
		src := t.Src.As4()
		copy(b[:], src[:])
	} else {
		src := t.Src.As16()
		binary.LittleEndian.PutUint32(b[:], jhash(src[:], seed6))
	}
	binary.BigEndian.PutUint16(b[4:], t.SrcPort)
	binary.BigEndian.PutUint16(b[6:], t.DstPort)
	return jhash(b[:], seed)
}

// jhash is the kernel's hash of bytes, which is Bob Jenkins' lookup3, as on machines of the little end first.
func jhash(key []byte, seed uint32) uint32 {
	a := 0xdeadbeef + uint32(len(key)) + seed
	b, c := a, a
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(key[i:]) }
	for ; len(key) > 12; key = key[12:] {
		a, b, c = a+word(0), b+word(4), c+word(8)
		a, c = (a-c)^bits.RotateLeft32(c, 4), c+b
		b, a = (b-a)^bits.RotateLeft32(a, 6), a+c
		c, b = (c-b)^bits.RotateLeft32(b, 8), b+a
		a, c = (a-c)^bits.RotateLeft32(c, 16), c+b
		b, a = (b-a)^bits.RotateLeft32(a, 19), a+c
		c, b = (c-b)^bits.RotateLeft32(b, 4), b+a
	}
	if len(key) == 0 {
		return c
	}
	var rest [12]byte
	copy(rest[:], key)
	key = rest[:]
	a, b, c = a+word(0), b+word(4), c+word(8)
	c = (c ^ b) - bits.RotateLeft32(b, 14)
	a = (a ^ c) - bits.RotateLeft32(c, 11)
	b = (b ^ a) - bits.RotateLeft32(a, 25)
	c = (c ^ b) - bits.RotateLeft32(b, 16)
	a = (a ^ c) - bits.RotateLeft32(c, 4)
	b = (b ^ a) - bits.RotateLeft32(a, 14)
	return (c ^ b) - bits.RotateLeft32(b, 24)
}

// murmur3 is the first half of Austin Appleby's MurmurHash3_x64_128 of two words.
func murmur3(x, y uint64, seed uint32) uint64 {
	const c1, c2 = 0x87c37b91114253d5, 0x4cf5ad432745937f
	h1, h2 := uint64(seed), uint64(seed)
	h1 ^= bits.RotateLeft64(x*c1, 31) * c2
	h1 = (bits.RotateLeft64(h1, 27)+h2)*5 + 0x52dce729
	h2 ^= bits.RotateLeft64(y*c2, 33) * c1
	h2 = (bits.RotateLeft64(h2, 31)+h1)*5 + 0x38495ab5
	h1, h2 = h1^16, h2^16
	h1 += h2
	h2 += h1
	return mix(h1) + mix(h2)
}

func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
