package haproxy

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
)

var (
	program = flag.String("program", "", "an HAProxy 2.6, which does what the policies do")
	drawn   = flag.Int("scripts", 20, "random scripts for each configuration that both do")
)

// Connections come and go, and so do servers: what the running program does with each, the policy does as well.
func TestLive(t *testing.T) {
	if *program == "" {
		t.Skip("does not apply: go test -program haproxy holds the policies against the program")
	}
	if _, err := exec.LookPath(*program); err != nil {
		t.Skip("no HAProxy: install the package haproxy: ", err)
	}
	servers := newServers(t)
	for _, s := range settings {
		t.Run(strings.ReplaceAll(s.lines, "\n", ", "), func(t *testing.T) {
			connections := 0
			for _, c := range scripts {
				if c.lines == s.lines {
					lines := steps(c.script)
					connections += s.compare(t, servers, &c.backend, func([]flow.ID) (line string) {
						if len(lines) > 0 {
							line, lines = lines[0][0], lines[1:]
						}
						return line
					})
				}
			}
			for seed := range uint64(*drawn) {
				b, next := s.script(rand.New(rand.NewPCG(seed, 3)))
				connections += s.compare(t, servers, b, next)
			}
			t.Logf("%d connections", connections)
		})
	}
}

const mostServers = 8

// script draws a backend, and lines for it of connections and servers that come and go. next is told which connections
// there are, and says "" in the end.
func (s *setting) script(r *rand.Rand) (b *backend, next func(open []flow.ID) string) {
	n := 1 + r.IntN(mostServers)
	b = &backend{make([]int32, n), make([]int32, n), make([]bool, n)}
	for i := range n {
		b.weights[i] = int32(r.IntN([]int{2, 6, 257}[r.IntN(3)]))
		if s.limited {
			b.most[i] = int32(r.IntN(4) * min(1, r.IntN(3)))
		}
		b.down[i] = r.IntN(4) == 0
	}
	b.down[r.IntN(n)] = false
	all, up := 0, 0
	for i, w := range b.weights {
		if all = numeric.GCD(all, int(w)); !b.down[i] {
			up = numeric.GCD(up, int(w))
		}
	}
	if all != up { // the program's map goes by the weights of servers that are yet to come
		clear(b.down)
	}
	down, opened, left := slices.Clone(b.down), 0, 60
	return b, func(open []flow.ID) string {
		if left--; left < 0 {
			return ""
		}
		switch k := r.IntN(20); {
		case opened == 0 || k < 11 || k < 17 && len(open) == 0:
			opened++
			return fmt.Sprint("open ", opened-1)
		case k < 17:
			return fmt.Sprint("close ", open[r.IntN(len(open))])
		}
		server := r.IntN(n)
		down[server] = !down[server]
		if down[server] {
			return fmt.Sprintf("leave %c", 'A'+server)
		}
		return fmt.Sprintf("join %c", 'A'+server)
	}
}

// compare has a script done by both, and returns how many connections were opened.
func (s *setting) compare(t *testing.T, servers string, b *backend, next func(open []flow.ID) string) (opened int) {
	a, err := start(servers, s.lines, b)
	if err != nil {
		t.Fatal(err)
	}
	defer a.stop()
	p := s.policy(t)
	if p, ok := p.(*keyHashed); ok {
		a.key = p.key
	}
	h := newHost(t, p, b)
	script := fmt.Sprintf("%q; weights %v, maxconn %v, down %v:", s.lines, b.weights, b.most, b.down)
	for {
		line := next(a.open())
		if line == "" {
			return opened
		}
		if strings.HasPrefix(line, "open") {
			opened++
		}
		want, err := a.do(line)
		if err != nil {
			t.Fatal(script, " ", line, ": ", err)
		}
		script += fmt.Sprintf(" %s [%s]", line, want)
		if got := h.do(line); got != want {
			t.Errorf("%s: the policy does [%s]", script, got)
			return opened
		}
		if strings.HasPrefix(line, "join") && want != "" {
			return opened // HAProxy 2.6 does not count what a server takes from the queue when it comes: its issue 2744
		}
	}
}

// newServers starts servers that say their letter to who connects. They are the sockets A, B ... of a folder.
func newServers(t *testing.T) string {
	dir := t.TempDir()
	for i := range mostServers {
		name := string(rune('A' + i))
		l, err := net.Listen("unix", filepath.Join(dir, name))
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
					io.WriteString(c, name)
					io.Copy(io.Discard, c)
				}()
			}
		}()
	}
	return dir
}

// proxy is a running HAProxy, with the sockets f for connections and s for commands.
type proxy struct {
	dir     string
	cmd     *exec.Cmd
	cli     net.Conn
	replies *bufio.Reader
	conns   map[flow.ID]net.Conn
	queued  map[flow.ID]bool
	said    chan said
	key     func(t *flow.FiveTuple, to []byte) []byte // what is hashed, if anything is
}

// said is the server's letter that a connection got, or - where it was closed.
type said struct {
	flow   flow.ID
	letter string
}

func start(servers, lines string, b *backend) (*proxy, error) {
	dir, err := os.MkdirTemp("", "haproxy")
	if err != nil {
		return nil, err
	}
	p := &proxy{dir: dir, conns: map[flow.ID]net.Conn{}, queued: map[flow.ID]bool{}, said: make(chan said, 100)}
	var text strings.Builder
	fmt.Fprintf(&text, `global
  nbthread 1
  stats socket %[1]s/s level admin
  stats timeout 1h
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
  timeout queue 1h
  option abortonclose
frontend f
  bind unix@%[1]s/f accept-proxy
  default_backend b
backend b
`, dir)
	for line := range strings.SplitSeq(lines, "\n") {
		fmt.Fprintf(&text, "  %s\n", line)
	}
	for i, weight := range b.weights {
		fmt.Fprintf(&text, "  server %c unix@%s/%c weight %d", 'A'+i, servers, 'A'+i, weight)
		if b.most[i] > 0 {
			fmt.Fprintf(&text, " maxconn %d", b.most[i])
		}
		if b.isDown(i) {
			text.WriteString(" disabled")
		}
		text.WriteString("\n")
	}
	config := filepath.Join(dir, "c")
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	var log strings.Builder
	p.cmd = exec.Command(*program, "-db", "-f", config)
	p.cmd.Stdout, p.cmd.Stderr = &log, &log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 2000 {
		if p.cli, err = net.Dial("unix", filepath.Join(dir, "s")); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("%w\n%s\n%s", err, text.String(), log.String())
	}
	p.replies = bufio.NewReader(p.cli)
	_, err = p.command("prompt")
	return p, err
}

func (p *proxy) stop() {
	if p.cli != nil {
		p.cli.Close()
	}
	for _, c := range p.conns {
		c.Close()
	}
	p.cmd.Process.Kill()
	p.cmd.Wait()
	os.RemoveAll(p.dir)
}

const tries = 20000 // of asking for something that must come

// command asks for something on the socket for commands. An answer ends with the prompt.
func (p *proxy) command(line string) (string, error) {
	p.cli.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(p.cli, line+"\n"); err != nil {
		return "", err
	}
	var b strings.Builder
	for !strings.HasSuffix(b.String(), "\n> ") {
		c, err := p.replies.ReadByte()
		if err != nil {
			return "", fmt.Errorf("%s: %q: %w", line, b.String(), err)
		}
		b.WriteByte(c)
	}
	return strings.TrimSuffix(b.String(), "\n> "), nil
}

// now is how many connections the backend has, and how many of them are in its queue.
func (p *proxy) now() (all, queued int, err error) {
	text, err := p.command("show stat b 2 -1")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.SplitSeq(text, "\n") {
		if f := strings.Split(line, ","); len(f) > 4 && f[1] == "BACKEND" {
			queued, err = strconv.Atoi(f[2])
			all, _ = strconv.Atoi(f[4])
			return all, queued, err
		}
	}
	return 0, 0, fmt.Errorf("no backend in %q", text)
}

// open are the connections that are there or wait.
func (p *proxy) open() (ids []flow.ID) {
	for id := range p.conns {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// do carries out a line of a script, as host does.
func (p *proxy) do(line string) (string, error) {
	verb, what, _ := strings.Cut(line, " ")
	var id flow.ID
	fmt.Sscan(what, &id)
	switch verb {
	case "open":
		return p.connect(id)
	case "close":
		return p.close(id)
	case "leave":
		return p.set(what, "maint")
	}
	return p.set(what, "ready")
}

func (p *proxy) connect(id flow.ID) (string, error) {
	c, err := net.Dial("unix", filepath.Join(p.dir, "f"))
	if err != nil {
		return "", err
	}
	tuple, key := tupleOf(id), []byte(nil)
	if p.key != nil {
		key = p.key(&tuple, nil)
	}
	if _, err := c.Write(header(&tuple, key)); err != nil {
		return "", err
	}
	p.conns[id] = c
	go func() {
		b := make([]byte, 1)
		if _, err := c.Read(b); err != nil {
			b[0] = '-'
		}
		p.said <- said{id, string(b)}
	}()
	for range tries {
		select {
		case s := <-p.said:
			return p.note(s), nil
		case <-time.After(100 * time.Microsecond):
		}
		if _, queued, err := p.now(); err != nil {
			return "", err
		} else if queued > len(p.queued) {
			p.queued[id] = true
			return fmt.Sprintf("%d:queued", id), nil
		}
	}
	return "", fmt.Errorf("nothing was heard of it, of %d connections with %d in the queue", len(p.conns), len(p.queued))
}

// note takes down what became of a connection.
func (p *proxy) note(s said) string {
	delete(p.queued, s.flow)
	if s.letter == "-" {
		p.conns[s.flow].Close()
		delete(p.conns, s.flow)
	}
	return fmt.Sprintf("%d:%s", s.flow, s.letter)
}

func (p *proxy) close(id flow.ID) (string, error) {
	p.conns[id].Close()
	delete(p.conns, id)
	if p.queued[id] {
		delete(p.queued, id)
		if s := <-p.said; s.flow != id {
			return "", fmt.Errorf("flow %d went to %s when one that waits had gone", s.flow, s.letter)
		}
	}
	for range tries {
		all, _, err := p.now()
		if err != nil {
			return "", err
		}
		if all == len(p.conns) {
			return p.dequeued()
		}
	}
	return "", fmt.Errorf("its end is not seen")
}

// set gives a server another state, maint or ready.
func (p *proxy) set(server, state string) (string, error) {
	said, err := p.command(fmt.Sprintf("set server b/%s state %s", server, state))
	if err == nil && strings.TrimSpace(said) != "" {
		err = fmt.Errorf("HAProxy says %q", said)
	}
	if err != nil {
		return "", err
	}
	return p.dequeued()
}

// dequeued waits for what is said of the connections that have left the queue.
func (p *proxy) dequeued() (string, error) {
	_, queued, err := p.now()
	if err != nil {
		return "", err
	}
	var all []said
	for len(p.queued) > queued {
		select {
		case s := <-p.said:
			p.note(s)
			all = append(all, s)
		case <-time.After(10 * time.Second):
			return "", fmt.Errorf("nothing was heard of a connection that had waited")
		}
	}
	slices.SortFunc(all, func(a, b said) int { return int(a.flow - b.flow) })
	var text []string
	for _, s := range all {
		text = append(text, fmt.Sprintf("%d:%s", s.flow, s.letter))
	}
	return strings.Join(text, " "), nil
}

// header is version 2 of the PROXY protocol's: who connects to whom, and a unique id.
func header(t *flow.FiveTuple, id []byte) []byte {
	b := []byte("\r\n\r\n\x00\r\nQUIT\n\x21\x21\x00\x00")
	if t.Src.Is4() {
		b[13] = 0x11
	}
	for _, a := range []netip.Addr{t.Src, t.Dst} {
		b = append(b, a.AsSlice()...)
	}
	b = binary.BigEndian.AppendUint16(b, t.SrcPort)
	b = binary.BigEndian.AppendUint16(b, t.DstPort)
	b = append(b, 5)
	b = binary.BigEndian.AppendUint16(b, uint16(len(id)))
	b = append(b, id...)
	binary.BigEndian.PutUint16(b[14:], uint16(len(b)-16))
	return b
}
