package rss

import "github.com/smartinco/smartinco/flow"

// key is the 40 bytes of Microsoft's verification suite, which most drivers use where they are given none.
var key = [40]byte{
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
}

// windows[i][b] is what byte b at position i of the input contributes to the hash: for each of its bits that is set,
// the 32 bits of the key that begin at that bit's position.
var windows = func() (w [36][256]uint32) {
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
}()

// toeplitz is the hash that a NIC computes for receive-side scaling, of the addresses and, for protocols that have
// them, the ports: Microsoft, Windows driver documentation, "RSS hashing types".
func toeplitz(t *flow.FiveTuple) uint32 {
	var b [36]byte
	in := b[:0]
	if t.Src.Is4() && t.Dst.Is4() {
		src, dst := t.Src.As4(), t.Dst.As4()
		in = append(append(in, src[:]...), dst[:]...)
	} else {
		src, dst := t.Src.As16(), t.Dst.As16()
		in = append(append(in, src[:]...), dst[:]...)
	}
	if t.Proto == flow.TCP || t.Proto == flow.UDP || t.Proto == flow.SCTP {
		in = append(in, byte(t.SrcPort>>8), byte(t.SrcPort), byte(t.DstPort>>8), byte(t.DstPort))
	}
	hash := uint32(0)
	for i, x := range in {
		hash ^= windows[i][x]
	}
	return hash
}
