package rss

import (
	"bytes"

	"github.com/smartinco/smartinco/flow"
)

// hash is the Toeplitz hash that a NIC computes for receive-side scaling: Microsoft, Windows driver documentation, "RSS
// hashing types". It is of the addresses and, for protocols that have them, the ports; or of one address alone.
type hash struct {
	windows *windows
	fields  fields
}

type fields uint8

const (
	all fields = iota
	source
	destination
)

// presets are Maestro's. For a function that keeps state for each address, Maestro finds a key under which no other
// field counts; here the other fields are left out.
var presets = map[string]hash{
	"5tuple":    {microsoft, all},
	"sym5tuple": {symmetric, all},
	"srcip":     {microsoft, source},
	"dstip":     {microsoft, destination},
}

// microsoft has the 40 bytes of Microsoft's verification suite, which most drivers use where they are given none.
var microsoft = windowsOf([]byte{
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
})

// symmetric gives both directions of a connection the same hash: Woo and Park, "Scalable TCP Session Monitoring with
// Symmetric Receive-side Scaling", 2012.
var symmetric = windowsOf(bytes.Repeat([]byte{0x6d, 0x5a}, 20))

// windows[i][b] is what byte b at position i of the input contributes to the hash: for each of its bits that is set,
// the 32 bits of the key that begin at that bit's position.
type windows [36][256]uint32

func windowsOf(key []byte) *windows {
	w := new(windows)
	bit := func(n int) uint32 { return uint32(key[n/8]>>(7-n%8)) & 1 }
	for i := range w {
		var of [8]uint32
		for j := range of {
			for k := range 32 {
				of[j] = of[j]<<1 | bit(8*i+j+k)
			}
		}
		for b := range w[i] {
			for j := range of {
				if b>>(7-j)&1 == 1 {
					w[i][b] ^= of[j]
				}
			}
		}
	}
	return w
}

func (h hash) of(t *flow.FiveTuple) uint32 {
	var b [36]byte
	in := b[:0]
	if t.Src.Is4() && t.Dst.Is4() {
		src, dst := t.Src.As4(), t.Dst.As4()
		in = append(append(in, src[:]...), dst[:]...)
	} else {
		src, dst := t.Src.As16(), t.Dst.As16()
		in = append(append(in, src[:]...), dst[:]...)
	}
	switch {
	case h.fields == source:
		in = in[:len(in)/2]
	case h.fields == destination:
		clear(in[:len(in)/2])
	case t.Proto == flow.TCP || t.Proto == flow.UDP || t.Proto == flow.SCTP:
		in = append(in, byte(t.SrcPort>>8), byte(t.SrcPort), byte(t.DstPort>>8), byte(t.DstPort))
	}
	sum := uint32(0)
	for i, x := range in {
		sum ^= h.windows[i][x]
	}
	return sum
}
