package flow

import (
	"net/netip"
	"testing"
)

func TestFold(t *testing.T) {
	for addr, want := range map[string]uint32{
		"10.7.0.1": 0x0a070001, "2001:db8::1": 0x20010db9, "1:2:3:4:5:6:7:8": 0x1_0002 ^ 0x3_0004 ^ 0x5_0006 ^ 0x7_0008,
	} {
		if got := Fold(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %#x, want %#x", addr, got, want)
		}
	}
}
