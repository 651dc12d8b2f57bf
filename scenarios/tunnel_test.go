package scenarios

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// The key tunnel says whose addresses make a flow: here of a packet to port 53 in VXLAN.
func TestTunnelDecidesTheFlow(t *testing.T) {
	ip := func(payload []byte) []byte {
		b := append([]byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, payload...)
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		return b
	}
	ether := append(make([]byte, 12), 8, 0)
	inside := append(ether[:14:14], ip([]byte{4, 1, 0, 53, 0, 8, 0, 0})...)
	vxlan := append([]byte{0x9c, 0x40, 0x12, 0xb5, 0, byte(16 + len(inside)), 0, 0, 8, 0, 0, 0, 0, 0, 7, 0}, inside...)
	frame := append(ether[:14:14], ip(vxlan)...)
	file := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 1, 0, 0, 0}
	for _, x := range []int{1_000_000_000, 0, len(frame), len(frame)} {
		file = binary.LittleEndian.AppendUint32(file, uint32(x))
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, append(file, frame...), 0o644); err != nil {
		t.Fatal(err)
	}
	for tunnel, port := range map[string]uint16{"none": 4789, "inner": 53} {
		text := fmt.Appendf(nil, "name: x\nworkload: [{pcap: {file: %s, tunnel: %s}}]\n", path, tunnel)
		st, err := Parse("t.yaml", text, ".", nil)
		if err != nil {
			t.Fatal(err)
		}
		w, err := st.Runs[0].Scenario.Traffic()
		if err != nil {
			t.Fatal(err)
		}
		if len(w.Flows) != 1 || w.Flows[0].Tuple.DstPort != port {
			t.Errorf("tunnel %s: flows %v, want one to port %d", tunnel, w.Flows, port)
		}
	}
}
