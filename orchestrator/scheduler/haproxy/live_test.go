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
	"github.com/smartinco/smartinco/internal/needs"
	"github.com/smartinco/smartinco/numeric"
)

var (
	program = flag.String("program", "", "an HAProxy 2.6, which does what the policies do")
	drawn   = flag.Int("scripts", 20, "random scripts for each configuration that both do")
)

// Connections come and go, and so do servers: what the running program does with each, the policy does as well.
func TestLive(t *testing.T) {
	needsProgram(t)
	folder := newServers(t)
	for _, s := range settings {
		t.Run(s.name(), func(t *testing.T) {
			connections := 0
			for _, c := range scripts {
				if c.lines == s.lines {
					p := s.begin(t, folder, &c.servers)
					for _, step := range steps(c.script) {
						if !p.do(step[0]) {
							break
						}
					}
					connections += p.stop()
				}
			}
			for seed := range uint64(*drawn) {
				d := s.draw(rand.New(rand.NewPCG(seed, 3)))
				p := s.begin(t, folder, &d.servers)
				for line := "open 0"; p.do(line) && p.lines < 60; {
					if line = d.connection(p.open()); d.r.IntN(20) > 16 {
						line = d.server()
					}
				}
				connections += p.stop()
			}
			t.Logf("%d connections", connections)
		})
	}
}

// The same where the limits of servers rise with the connections of the backend.
func TestLiveMinConn(t *testing.T) {
	needsProgram(t)
	folder := newServers(t)
	for _, s := range settings {
		if !s.limited {
			continue
		}
		t.Run(s.name(), func(t *testing.T) {
			connections := 0
			for seed := range uint64(*drawn) {
				d := s.draw(rand.New(rand.NewPCG(seed, 5)))
				d.rising()
				p := s.begin(t, folder, &d.servers)
				for line := "open 0"; p.do(line) && p.lines < 80; {
					if line = d.connection(p.open()); d.r.IntN(40) > 38 {
						line = d.server()
					}
				}
				connections += p.stop()
			}
			t.Logf("%d connections", connections)
		})
	}
}

// Servers that come start slowly, in the program's own time. They come and go early in a second, each time somewhat
// later, and connections in its middle, so that it is sure what comes before a server gets more, and what after.
func TestLiveSlowStart(t *testing.T) {
	needsProgram(t)
	folder := newServers(t)
	for _, s := range settings[:ways] {
		for seed := range uint64(2) {
			t.Run(fmt.Sprint(s.name(), ", ", seed), func(t *testing.T) {
				t.Parallel()
				s.limited = false // the limits grow with the seconds of the program's clock
				d := s.draw(rand.New(rand.NewPCG(seed, 4)))
				d.slow = 3
				p := s.begin(t, folder, &d.servers)
				defer func() { t.Logf("%d connections", p.stop()) }()
				for second := range 6 {
					ok := p.do(fmt.Sprint("at ", second*1020))
					for k := 0; ok && second > 0 && k < 2; k++ {
						ok = p.do(d.server())
					}
					ok = ok && p.do(fmt.Sprint("at ", second*1000+500))
					for k := 0; ok && k < 12; k++ {
						ok = p.do(d.connection(p.open()))
					}
					if !ok {
						return
					}
				}
			})
		}
	}
}

func needsProgram(t *testing.T) {
	if *program == "" {
		t.Skip("does not apply: go test -program haproxy holds the policies against the program")
	}
	if _, err := exec.LookPath(*program); err != nil {
		needs.This(t, "no HAProxy: install the package haproxy")
	}
}

const mostServers = 8

// drawing is servers that were drawn, for which lines of a script are drawn.
type drawing struct {
	servers
	r      *rand.Rand
	isDown []bool
	opened int
}

func (s *setting) draw(r *rand.Rand) *drawing {
	n := 1 + r.IntN(mostServers)
	d := &drawing{servers{weights: make([]int32, n), most: make([]int32, n), down: make([]bool, n)}, r, nil, 1}
	for i := range n {
		d.weights[i] = int32(r.IntN([]int{2, 6, 257}[r.IntN(3)]))
		if s.limited {
			d.most[i] = int32(r.IntN(4) * min(1, r.IntN(3)))
		}
		d.down[i] = r.IntN(4) == 0
	}
	d.down[r.IntN(n)] = false
	all, up := 0, 0
	for i, w := range d.weights {
		if all = numeric.GCD(all, int(w)); !d.down[i] {
			up = numeric.GCD(up, int(w))
		}
	}
	if all != up { // the program's map goes by the weights of servers that are yet to come
		clear(d.down)
	}
	d.isDown = slices.Clone(d.down)
	return d
}

// rising draws limits that rise, of most servers.
func (d *drawing) rising() {
	d.full, d.least = 1+d.r.IntN(30), make([]int32, len(d.most))
	for i := range d.most {
		d.most[i] = int32(d.r.IntN(10))
		d.least[i] = int32(d.r.IntN(1 + d.r.IntN(5)))
	}
}

// server has one come or go.
func (d *drawing) server() string {
	server := d.r.IntN(len(d.isDown))
	d.isDown[server] = !d.isDown[server]
	if d.isDown[server] {
		return fmt.Sprintf("leave %c", 'A'+server)
	}
	return fmt.Sprintf("join %c", 'A'+server)
}

// connection has one come or, of those that are open, go.
func (d *drawing) connection(open []flow.ID) string {
	if len(open) == 0 || d.r.IntN(17) < 11 {
		d.opened++
		return fmt.Sprint("open ", d.opened-1)
	}
	return fmt.Sprint("close ", open[d.r.IntN(len(open))])
}

// pair is a program and a policy, which do the same.
type pair struct {
	*proxy
	*host
	script string
	lines  int
	opened int
}

func (s *setting) begin(t *testing.T, folder string, b *servers) *pair {
	a, err := start(folder, s.lines, b)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{proxy: a, host: newHost(t, s.policy(t), b)}
	if k, ok := p.p.(*keyHashed); ok {
		a.key = k.key
	}
	p.script = fmt.Sprintf("%s; weights %v, maxconn %v, minconn %v, fullconn %d, down %v:", s.name(), b.weights, b.most,
		b.least, b.full, b.down)
	return p
}

// do carries out a line of a script, and says whether the script can go on.
func (p *pair) do(line string) bool {
	p.lines++
	want, err := p.proxy.do(line)
	p.script += fmt.Sprintf(" %s [%s]", line, want)
	if err != nil {
		p.t.Fatal(p.script, ": ", err)
	}
	if strings.HasPrefix(line, "open") {
		p.opened++
	}
	if got := p.host.do(line); got != want {
		p.t.Errorf("%s: the policy does [%s]", p.script, got)
		return false
	}
	if behind := time.Since(p.zero) - p.at; p.at > 0 && behind > 350*time.Millisecond {
		p.t.Logf("the machine is too slow to go on, by %v", behind)
		return false
	}
	// HAProxy 2.6 does not count what a server takes from the queue when it comes: its issue 2744.
	return want == "" || !strings.HasPrefix(line, "join")
}

func (p *pair) open() []flow.ID { return p.proxy.open() }

func (p *pair) stop() (opened int) {
	p.proxy.stop()
	return p.opened
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
	zero    time.Time                                 // when the script began
	at      time.Duration                             // since then
	key     func(t *flow.FiveTuple, to []byte) []byte // what is hashed, if anything is
}

// said is the server's letter that a connection got, or - where it was closed.
type said struct {
	flow   flow.ID
	letter string
}

func start(folder, lines string, b *servers) (*proxy, error) {
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
	if b.full > 0 {
		fmt.Fprintf(&text, "  fullconn %d\n", b.full)
	}
	if b.slow > 0 {
		fmt.Fprintf(&text, "  default-server slowstart %ds\n", b.slow)
	}
	for i, weight := range b.weights {
		fmt.Fprintf(&text, "  server %c unix@%s/%c weight %d", 'A'+i, folder, 'A'+i, weight)
		if b.most[i] > 0 {
			fmt.Fprintf(&text, " maxconn %d", b.most[i])
		}
		if b.least != nil && b.least[i] > 0 {
			fmt.Fprintf(&text, " minconn %d", b.least[i])
		}
		if b.startsDown(i) {
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
	case "at":
		if id == 0 {
			p.zero = time.Now()
		}
		p.at = time.Duration(id) * time.Millisecond
		time.Sleep(time.Until(p.zero.Add(p.at)))
		return "", nil
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
		case <-time.After(2 * time.Millisecond):
		}
		if _, queued, err := p.now(); err != nil {
			return "", err
		} else if queued > len(p.queued) {
			p.queued[id] = true
			return fmt.Sprintf("%d:queued", id), nil
		}
	}
	return "", fmt.Errorf("nothing was heard of it; %d connections are there, %d wait", len(p.conns), len(p.queued))
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
