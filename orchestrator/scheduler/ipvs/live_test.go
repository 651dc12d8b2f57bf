package ipvs

import (
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
)

var (
	kernel = flag.Bool("kernel", false, "this kernel's IPVS, of user-mode Linux, does what the policies do")
	drawn  = flag.Int("scripts", 20, "random scripts for each scheduler that both do")
)

// Connections come and go, and so do servers: what the running kernel does with each, the policy does as well. It is a
// kernel that nobody else uses, that of user-mode Linux, in which the test is the only process.
func TestLive(t *testing.T) {
	if !*kernel {
		t.Skip("does not apply: make programs holds the policies against a kernel of its own")
	}
	k := newKernel(t)
	round := len(scripts)
	for _, s := range settings {
		t.Run(s.name(), func(t *testing.T) {
			connections := 0
			for _, c := range scripts {
				if c.setting == s {
					lines := steps(c.script)
					connections += s.compare(t, k, &c.servers, func([]flow.ID) (line string) {
						if len(lines) > 0 {
							line, lines = lines[0][0], lines[1:]
						}
						return line
					})
				}
			}
			for seed := range uint64(*drawn) {
				round++
				b, next := s.script(rand.New(rand.NewPCG(seed, 3)), round)
				connections += s.compare(t, k, b, next)
			}
			t.Logf("%d connections", connections)
		})
	}
}

const mostServers = 6

// script draws servers, and lines for them of connections and servers that come and go. next is told which connections
// there are, and says "" in the end.
func (s *setting) script(r *rand.Rand, round int) (b *servers, next func(open []flow.ID) string) {
	n := 1 + r.IntN(mostServers)
	b = &servers{round: round, weights: make([]int32, n), upper: make([]int32, n)}
	for i := range n {
		b.weights[i] = int32(r.IntN([]int{2, 6, 100}[r.IntN(3)]))
		b.upper[i] = int32(r.IntN(6) * r.IntN(2))
	}
	there := make([]bool, n)
	opened, left := 0, 50
	return b, func(open []flow.ID) string {
		if left--; left < 0 {
			return ""
		}
		switch k := r.IntN(20); {
		case left < 50-n && k < 11:
			opened++
			return fmt.Sprint("open ", opened-1)
		case left < 50-n && k < 17 && len(open) > 0:
			return fmt.Sprint("close ", open[r.IntN(len(open))])
		}
		server := r.IntN(n)
		there[server] = !there[server]
		if there[server] {
			return fmt.Sprintf("join %c", 'A'+server)
		}
		return fmt.Sprintf("leave %c", 'A'+server)
	}
}

// compare has a script done by both, and returns how many connections were opened.
func (s *setting) compare(t *testing.T, k *machine, b *servers, next func(open []flow.ID) string) (opened int) {
	if err := k.serve(s, b); err != nil {
		t.Fatal(err)
	}
	defer k.clear()
	h := newHost(t, s, b)
	script := fmt.Sprintf("%s, round %d, weights %v, upper %v:", s.name(), b.round, b.weights, b.upper)
	for {
		line := next(k.open())
		if line == "" {
			return opened
		}
		if strings.HasPrefix(line, "open") {
			opened++
		}
		want, err := k.do(line)
		if err != nil {
			t.Fatal(script, " ", line, ": ", err)
		}
		script += fmt.Sprintf(" %s [%s]", line, want)
		if got := h.do(line); got != want {
			t.Errorf("%s: the policy does [%s]", script, got)
			return opened
		}
	}
}

// machine is a kernel with IPVS. All addresses from 10.0.0.0 are its own.
type machine struct {
	socket  int
	setting *setting
	servers *servers
	conns   map[flow.ID]conn
	there   map[string]bool
}

type conn struct {
	net.Conn
	server string
}

func newKernel(t *testing.T) *machine {
	out, err := exec.Command("sh", "-c", `set -e
		test -d /usr/lib/uml/modules/$(uname -r)
		mount -t tmpfs t /tmp; mkdir /tmp/lib; ln -s /usr/lib/uml/modules /tmp/lib/modules
		modprobe -d /tmp -a ip_vs $(ls /usr/lib/uml/modules/$(uname -r)/kernel/net/netfilter/ipvs |
			sed -n 's/^\(ip_vs_.*\)\.ko.*/\1/p' | grep -v ftp)
		ip link set lo up; ip route add local 10.0.0.0/8 dev lo`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp4", ":80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				at := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().As4()
				c.Write([]byte{'A' - 1 + at[3]})
				io.Copy(io.Discard, c)
			}()
		}
	}()
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_RAW)
	if err != nil {
		t.Fatal(err)
	}
	return &machine{socket: s}
}

// The commands of IPVS' socket options (linux/ip_vs.h).
const (
	addService = 64 + 1024 + 64 + 2
	flush      = 64 + 1024 + 64 + 5
	addServer  = 64 + 1024 + 64 + 7
	delServer  = 64 + 1024 + 64 + 8
	firewall   = 7 // mark of a service with many addresses
)

// order gives IPVS a command, with its struct ip_vs_service_user and, where a server is meant, ip_vs_dest_user.
func (m *machine) order(command int, server int) error {
	var b []byte
	ne, be := binary.NativeEndian, binary.BigEndian
	if s := m.setting; command != flush {
		b = ne.AppendUint32(b, syscall.IPPROTO_TCP)
		if s.marked {
			b = ne.AppendUint32(append(b, make([]byte, 8)...), firewall)
		} else {
			b = append(be.AppendUint16(append(b, virtual.AsSlice()...), 80), 0, 0, 0, 0, 0, 0)
		}
		b = append(b, (s.scheduler + strings.Repeat("\x00", 16-len(s.scheduler)))...)
		b = ne.AppendUint32(b, s.flags())
		b = ne.AppendUint32(b, 0)
		b = ne.AppendUint32(b, 0xffffffff)
	}
	if server >= 0 {
		b = append(b, m.servers.address(server).AsSlice()...)
		b = append(be.AppendUint16(b, 80), 0, 0)
		b = ne.AppendUint32(b, 0) // masquerading
		b = ne.AppendUint32(b, uint32(m.servers.weights[server]))
		b = ne.AppendUint32(b, uint32(m.servers.upper[server]))
		b = ne.AppendUint32(b, 0)
	}
	if err := syscall.SetsockoptString(m.socket, syscall.IPPROTO_IP, command, string(b)); err != nil {
		return fmt.Errorf("IPVS' command %d: %w", command, err)
	}
	return nil
}

func (m *machine) serve(s *setting, b *servers) error {
	m.setting, m.servers, m.conns, m.there = s, b, map[flow.ID]conn{}, map[string]bool{}
	if err := m.order(flush, -1); err != nil {
		return err
	}
	return m.order(addService, -1)
}

func (m *machine) clear() {
	for _, c := range m.conns {
		c.Close()
	}
}

// open are the connections whose servers are there: the kernel drops the packets of others, and does not see their end.
func (m *machine) open() (ids []flow.ID) {
	for id, c := range m.conns {
		if m.there[c.server] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// do carries out a line of a script, as host does.
func (m *machine) do(line string) (string, error) {
	verb, what, _ := strings.Cut(line, " ")
	var id flow.ID
	fmt.Sscan(what, &id)
	said := ""
	var err error
	switch verb {
	case "open":
		said = m.connect(id)
	case "close":
		m.conns[id].Close()
		delete(m.conns, id)
	case "join":
		m.there[what] = true
		err = m.order(addServer, int(what[0]-'A'))
	case "leave":
		m.there[what] = false
		err = m.order(delServer, int(what[0]-'A'))
	}
	if err != nil {
		return "", err
	}
	counts, err := m.counts()
	return said + counts, err
}

func (m *machine) connect(id flow.ID) string {
	t := m.servers.tuple(m.setting, id)
	d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: t.Src.AsSlice(), Port: int(t.SrcPort)}}
	d.Control = func(_, _ string, c syscall.RawConn) (err error) {
		if m.setting.marked {
			c.Control(func(s uintptr) {
				err = syscall.SetsockoptInt(int(s), syscall.SOL_SOCKET, syscall.SO_MARK, firewall)
			})
		}
		return err
	}
	c, err := d.Dial("tcp4", netip.AddrPortFrom(t.Dst, 80).String())
	if err != nil {
		return "-"
	}
	b := make([]byte, 1)
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(b); err != nil {
		return err.Error()
	}
	m.conns[id] = conn{c, string(b)}
	return string(b)
}

// counts are the active and inactive connections of all servers that are there.
func (m *machine) counts() (string, error) {
	text, err := os.ReadFile("/proc/net/ip_vs")
	all := ""
	for line := range strings.Lines(string(text)) {
		var address, weight, active, inactive uint32
		n, _ := fmt.Sscanf(line, "  -> %x:0050 Masq %d %d %d", &address, &weight, &active, &inactive)
		if n == 4 {
			all += fmt.Sprintf(" %c:%d/%d", 'A'-1+address&0xff, active, inactive)
		}
	}
	return all, err
}
