package tc

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
)

var capture = flag.Bool("capture", false, "write testdata/requests.txt anew, from what the tc command sends (takes "+
	"root, tc and strace)")

const requestsFile = "testdata/requests.txt"

// The devices of the captured requests, by index.
const p0, v0 = 10, 20

func five(src, dst string, sport, dport uint16, proto uint8) flow.FiveTuple {
	return flow.FiveTuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), SrcPort: sport, DstPort: dport,
		Proto: proto}
}

var (
	udp4 = filter{dev: p0, pref: 10, proto: unix.ETH_P_IP, handle: 6, skipSW: true, to: v0,
		tuple: five("10.1.0.5", "10.2.0.1", 1029, 443, flow.UDP),
		label: label{kind: kindFlow, uplink: p0, a: 1, b: 1000}}
	tcp6 = filter{dev: p0, pref: 11, proto: unix.ETH_P_IPV6, handle: 7,
		tuple: five("2001:db8::1", "2001:db8::2", 1029, 443, flow.TCP), label: label{kind: kindFlow, uplink: p0, a: 2}}
	output = filter{dev: v0, pref: 10, proto: unix.ETH_P_ALL, handle: 1, skipSW: true, to: p0,
		label: label{kind: kindOutput, uplink: p0, a: 1, b: v0}}
)

// The driver's requests, and the tc commands that make the same.
var requests = []struct {
	command string
	request func() request
	differs string // what tc sends and the driver does not, as the kernel does not look at it
}{
	{"tc qdisc add dev p0 clsact", func() request { return clsact(p0) }, ""},
	{"tc filter add dev p0 ingress pref 10 protocol ip handle 6 flower skip_sw ip_proto udp src_ip 10.1.0.5 dst_ip " +
		"10.2.0.1 src_port 1029 dst_port 443 action mirred egress redirect dev v0 cookie " +
		"51dc0c010000000a00000001000003e8",
		udp4.add, ""},
	{"tc filter replace dev p0 ingress pref 11 protocol ipv6 handle 7 flower ip_proto tcp src_ip 2001:db8::1 dst_ip " +
		"2001:db8::2 src_port 1029 dst_port 443 action drop cookie 51dc0c010000000a0000000200000000",
		tcp6.replace, ""},
	{"tc filter add dev v0 ingress pref 10 protocol all handle 1 flower skip_sw action mirred egress redirect dev p0 " +
		"cookie 51dc0c020000000a0000000100000014",
		output.add, ""},
	{"tc filter del dev p0 ingress pref 10 protocol ip handle 6 flower", udp4.remove,
		"options, and no wish to be shown what goes"},
	{"tc filter get dev p0 ingress pref 10 protocol ip handle 6 flower", udp4.show,
		"options, and no wish for an acknowledgement"},
	{"tc filter show dev p0 ingress pref 10 chain 0", func() request { return all(p0, 10, false) }, ""},
	{"tc -br filter show dev p0 ingress pref 10 chain 0", func() request { return all(p0, 10, true) }, ""},
}

// Each request is, to the byte, what the tc command sends for the same.
func TestRequestsAreThoseOfTC(t *testing.T) {
	if *capture {
		captureRequests(t)
	}
	b, err := os.ReadFile(requestsFile)
	if err != nil {
		t.Fatal(err)
	}
	sent := map[string][]byte{}
	for line := range strings.Lines(string(b)) {
		if command, rest, ok := strings.Cut(strings.TrimSpace(line), ": "); ok && !strings.HasPrefix(line, "#") {
			if sent[command], err = hex.DecodeString(rest); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range requests {
		want, got := sent[c.command], c.request()
		got.Seq = 0
		if c.differs == "" {
			if fmt.Sprintf("%x", got.Serialize()) != fmt.Sprintf("%x", want) {
				t.Errorf("%s\ngot  %x\nwant %x", c.command, got.Serialize(), want)
			}
			continue
		}
		if g, w := essence(t, got.Serialize()), essence(t, want); g != w {
			t.Errorf("%s\ngot  %s\nwant %s", c.command, g, w)
		}
	}
}

// essence is a message's type, what it is about, and its attributes without options, in order of their types.
func essence(t *testing.T, b []byte) string {
	m, err := syscall.ParseNetlinkMessage(b)
	if err != nil || len(m) != 1 {
		t.Fatalf("%x: %v", b, err)
	}
	attrs := map[uint16]string{} // printed in order
	for k, v := range attributes(m[0].Data[nl.SizeofTcMsg:]) {
		if k != nl.TCA_OPTIONS {
			attrs[k] = hex.EncodeToString(v)
		}
	}
	return fmt.Sprintf("%d %x %v", m[0].Header.Type, m[0].Data[:nl.SizeofTcMsg], attrs)
}

// captureRequests has strace show what tc sends, in a namespace of its own where nothing of it has an effect.
func captureRequests(t *testing.T) {
	version, err := exec.Command("tc", "-V").Output()
	if err != nil {
		t.Fatal(err)
	}
	text := "# What the tc command sends for the driver's requests: " + strings.TrimSpace(string(version)) +
		"\n# Written by go test ./hw/tc -run TC -capture. p0 has index 10, v0 20; sequence numbers are 0.\n"
	script := "ip link add name p0 index 10 type veth peer name q0 index 11; ip link add name v0 index 20 type veth " +
		"peer name w0 index 21; exec strace -e trace=sendmsg -e write=all "
	for _, c := range requests {
		// The kernel may refuse the command: what counts is what it sends.
		out, _ := exec.Command("unshare", "-n", "sh", "-c", script+c.command).CombinedOutput()
		var sent []byte
		for _, dump := range strings.Split(string(out), "bytes in buffer 0") {
			b := undump(t, dump)
			if len(b) > unix.SizeofNlMsghdr && binary.NativeEndian.Uint16(b[4:]) >= unix.RTM_NEWQDISC {
				sent = b
			}
		}
		if sent == nil {
			t.Fatalf("%s sent nothing:\n%s", c.command, out)
		}
		copy(sent[8:12], make([]byte, 4))
		text += c.command + ": " + hex.EncodeToString(sent) + "\n"
	}
	if err := os.WriteFile(requestsFile, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

var dumpLine = regexp.MustCompile(`(?m)^ \| [0-9a-f]{5}  ([0-9a-f ]{49}) `)

// undump reads strace's dump of a message.
func undump(t *testing.T, s string) (b []byte) {
	for _, m := range dumpLine.FindAllStringSubmatch(s, -1) {
		part, err := hex.DecodeString(strings.ReplaceAll(m[1], " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	return b
}

// What the driver asks for comes back as it is from its parser.
func TestParseFilterReadsWhatWasAskedFor(t *testing.T) {
	for _, want := range []filter{udp4, tcp6, output} {
		b := want.add().Serialize()
		got, ours := parseFilter(b[unix.SizeofNlMsghdr:])
		if !ours || got != want {
			t.Errorf("got  %+v (ours: %v)\nwant %+v", got, ours, want)
		}
	}
	foreign := udp4
	foreign.label = label{}
	if _, ours := parseFilter(foreign.add().Serialize()[unix.SizeofNlMsghdr:]); ours {
		t.Error("a filter of somebody else was taken for ours")
	}
	other := udp4.add()
	other.AddData(nl.NewRtAttr(nl.TCA_CHAIN, nl.Uint32Attr(3)))
	if _, ours := parseFilter(other.Serialize()[unix.SizeofNlMsghdr:]); ours {
		t.Error("a filter of another chain was taken for ours")
	}
}

func TestParseStats(t *testing.T) {
	basic := func(packets uint32, bytes uint64) []byte {
		return append(binary.NativeEndian.AppendUint64(nil, bytes), nl.Uint32Attr(packets)...)
	}
	type part struct {
		kind int
		body []byte
	}
	for _, c := range []struct {
		name  string
		parts []part
		want  count
	}{
		{"nothing", nil, count{}},
		{"in software, without the Ethernet header", []part{{nl.TCA_STATS_BASIC, basic(2, 172)}}, count{2, 200}},
		{"in hardware", []part{{nl.TCA_STATS_BASIC, basic(2, 200)}, {nl.TCA_STATS_BASIC_HW, basic(2, 200)}},
			count{2, 200}},
		{"in both", []part{{nl.TCA_STATS_BASIC, basic(3, 286)}, {nl.TCA_STATS_BASIC_HW, basic(2, 200)}}, count{3, 300}},
		{"beyond 32 bits, in hardware", []part{
			{nl.TCA_STATS_BASIC, basic(1, 500<<32)}, {nl.TCA_STATS_PKT64, nl.Uint64Attr(5<<32 + 1)},
			{nl.TCA_STATS_BASIC_HW, basic(1, 500<<32)}, {nl.TCA_STATS_PKT64, nl.Uint64Attr(5<<32 + 1)},
		}, count{5<<32 + 1, 500 << 32}},
		{"cut short", []part{{nl.TCA_STATS_BASIC, basic(2, 172)[:11]}}, count{}},
	} {
		stats := nl.NewRtAttr(nl.TCA_ACT_STATS, nil)
		for _, p := range c.parts {
			stats.AddRtAttr(p.kind, p.body)
		}
		if got := parseStats(stats.Serialize()[unix.SizeofRtAttr:]); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// The kernel's words are in the error, whether it gives the request back or not.
func TestVerdict(t *testing.T) {
	words := nl.NewRtAttr(nl.NLMSGERR_ATTR_MSG, nl.ZeroTerminated("TC offload is disabled on net device")).Serialize()
	request := udp4.add().Serialize()
	minus := binary.NativeEndian.AppendUint32(nil, uint32(^uint32(unix.EOPNOTSUPP)+1))
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	const said = "operation not supported: TC offload is disabled on net device"
	for _, c := range []struct {
		name  string
		kind  uint16
		flags uint16
		data  []byte
		want  string
	}{
		{"done", unix.NLMSG_DONE, 0, nil, ""},
		{"acknowledged", unix.NLMSG_ERROR, unix.NLM_F_CAPPED, join(make([]byte, 4), request[:16]), ""},
		{"no words", unix.NLMSG_ERROR, 0, join(minus, request), "operation not supported"},
		{"words behind the request", unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, join(minus, request, words), said},
		{"words behind its header", unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS | unix.NLM_F_CAPPED,
			join(minus, request[:16], words), said},
		{"at the end of many", unix.NLMSG_DONE, unix.NLM_F_ACK_TLVS, join(minus, words), said},
		{"cut short", unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, minus, "operation not supported"},
	} {
		err := verdict(syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: c.kind, Flags: c.flags}, Data: c.data})
		if got := fmt.Sprint(err); got != c.want && (err != nil || c.want != "") {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if c.want != "" && !errors.Is(err, unix.EOPNOTSUPP) {
			t.Errorf("%s: %v is not EOPNOTSUPP", c.name, err)
		}
	}
}

// Whatever the kernel answers, the driver neither panics nor takes another's filter for its own.
func FuzzParse(f *testing.F) {
	for _, x := range []filter{udp4, tcp6, output} {
		f.Add(x.add().Serialize()[unix.SizeofNlMsghdr:])
	}
	shown := fakeFilter{flags: make([]byte, 4)}
	f.Add(shown.show(true, false))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, ours := parseFilter(b)
		if ours && (x.label.kind == kindNone || x.handle == 0) {
			t.Errorf("ours: %+v", x)
		}
		activeFeature(b, "hw-tc-offload")
		_ = verdict(syscall.NetlinkMessage{Header: syscall.NlMsghdr{Type: unix.NLMSG_ERROR, Flags: unix.NLM_F_ACK_TLVS},
			Data: b})
	})
}
