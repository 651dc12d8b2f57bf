package ovs_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw/ovs/openflow"
)

var be = binary.BigEndian

// fake is a switch that speaks OpenFlow and does what no real one can be made to do: refuse one request, break off in
// the middle, give a port another number. It has rules and forwards nothing.
type fake struct {
	address string
	listen  net.Listener

	mu      sync.Mutex
	conns   []net.Conn
	ports   map[string]uint32
	rules   map[string]*fakeRule                       // by table, priority and match
	refuse  func(t openflow.Type, body []byte) bool    // nil refuses nothing
	breakAt func(t openflow.Type) (before, after bool) // breaks the connection before, or after, a message is obeyed
	mute    bool                                       // says nothing more
	seen    chan openflow.FlowMod                      // if not nil, gets every flow-mod
}

type fakeRule struct {
	mod            openflow.FlowMod
	match, do      []byte // as they came
	made           time.Time
	packets, bytes uint64
}

func newFake(t testing.TB) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "of")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{
		address: "unix:" + l.Addr().String(), listen: l, rules: map[string]*fakeRule{},
		ports: map[string]uint32{"uplink": 1, "sink": 2, "a": 3, "b": 4, "c": 5, "d": 6},
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			serving.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		f.hangUp()
		serving.Wait()
		_ = os.RemoveAll(dir)
	})
	return f
}

// hangUp breaks all connections.
func (f *fake) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		_ = c.Close()
	}
	f.conns = nil
}

// with changes something under the lock.
func (f *fake) with(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// flows lists the rules of flows, in order of their cookies.
func (f *fake) flows() []*fakeRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []*fakeRule
	for _, r := range f.rules {
		if r.mod.Cookie>>39&1 == 0 {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *fakeRule) int { return int(a.mod.Cookie&0xffff) - int(b.mod.Cookie&0xffff) })
	return all
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	_, _ = c.Write(openflow.AppendHello(nil, 1))
	for {
		head := make([]byte, openflow.HeaderLen)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		var h openflow.Header
		if h.Parse(head) != nil {
			return
		}
		body := make([]byte, h.Length-openflow.HeaderLen)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		out, err := f.obey(h, body)
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

var errBreak = errors.New("the fake breaks off")

// obey handles a message and returns the answer.
func (f *fake) obey(h openflow.Header, body []byte) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var before, after bool
	if f.breakAt != nil {
		if before, after = f.breakAt(h.Type); before {
			return nil, errBreak
		}
	}
	if f.mute {
		return nil, nil
	}
	if f.refuse != nil && f.refuse(h.Type, body) {
		return answer(openflow.TypeError, h.XID, 0, 5, 0, 1), nil // flow-mod failed: table is full
	}
	var out []byte
	switch h.Type {
	case openflow.TypeEchoRequest:
		out = openflow.AppendEchoReply(nil, h.XID, body)
	case openflow.TypeBarrierRequest:
		out = answer(openflow.TypeBarrierReply, h.XID)
	case openflow.TypeFlowMod:
		f.flowMod(body)
	case openflow.TypeMultipartRequest:
		out = f.multipart(h.XID, body)
	}
	if after {
		return nil, errBreak
	}
	return out, nil
}

// answer builds a message.
func answer(t openflow.Type, xid uint32, body ...byte) []byte {
	b := []byte{openflow.Version, byte(t), 0, 0, 0, 0, 0, 0}
	be.PutUint32(b[4:], xid)
	b = append(b, body...)
	be.PutUint16(b[2:], uint16(len(b)))
	return b
}

func (f *fake) flowMod(body []byte) {
	var m openflow.FlowMod
	if m.Parse(body) != nil {
		return
	}
	if f.seen != nil {
		f.seen <- m
	}
	n := (int(be.Uint16(body[42:])) + 7) &^ 7
	match, do := body[40:40+n], body[40+n:]
	key := fmt.Sprintf("%d/%d/%x", m.Table, m.Priority, match)
	r := f.rules[key]
	ours := r != nil && (r.mod.Cookie^m.Cookie)&m.CookieMask == 0
	switch {
	case m.Command == openflow.Add:
		f.rules[key] = &fakeRule{mod: m, match: match, do: do, made: time.Now()}
	case m.Command == openflow.ModifyStrict && ours:
		r.mod.Do, r.do = m.Do, do
	case m.Command == openflow.DeleteStrict && ours:
		delete(f.rules, key)
	case m.Command == openflow.Delete:
		maps.DeleteFunc(f.rules, func(_ string, r *fakeRule) bool { return (r.mod.Cookie^m.Cookie)&m.CookieMask == 0 })
	}
}

func (f *fake) multipart(xid uint32, body []byte) []byte {
	kind := body[1]
	reply := []byte{0, kind, 0, 0, 0, 0, 0, 0}
	switch kind {
	case 0: // what it is
		desc := make([]byte, 4*256+32)
		copy(desc[256:], "fake")
		copy(desc[512:], "1.0")
		reply = append(reply, desc...)
	case 13: // ports
		for _, name := range slices.Sorted(maps.Keys(f.ports)) {
			p := make([]byte, 64)
			be.PutUint32(p, f.ports[name])
			copy(p[16:], name)
			reply = append(reply, p...)
		}
	case 1: // rules
		cookie, mask := be.Uint64(body[24:]), be.Uint64(body[32:])
		for _, r := range f.rules {
			if (r.mod.Cookie^cookie)&mask != 0 {
				continue
			}
			e := make([]byte, 48)
			be.PutUint16(e, uint16(48+len(r.match)+len(r.do)))
			e[2] = r.mod.Table
			age := time.Since(r.made)
			be.PutUint32(e[4:], uint32(age/time.Second))
			be.PutUint32(e[8:], uint32(age%time.Second))
			be.PutUint16(e[12:], r.mod.Priority)
			be.PutUint16(e[14:], r.mod.Idle)
			be.PutUint16(e[18:], r.mod.Flags)
			be.PutUint64(e[24:], r.mod.Cookie)
			be.PutUint64(e[32:], r.packets)
			be.PutUint64(e[40:], r.bytes)
			reply = append(append(append(reply, e...), r.match...), r.do...)
		}
	}
	return answer(openflow.TypeMultipartReply, xid, reply...)
}

// setPort gives a port a number, or with 0 takes it away, and says so. One that gets another number goes and comes
// again.
func (f *fake) setPort(name string, number uint32) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var said []byte
	say := func(what byte, number uint32) {
		body := make([]byte, 8+64)
		body[0] = what
		be.PutUint32(body[8:], number)
		copy(body[8+16:], name)
		said = append(said, answer(openflow.TypePortStatus, 0, body...)...)
	}
	if was := f.ports[name]; was != 0 {
		say(1, was)
		delete(f.ports, name)
	}
	if number != 0 {
		say(0, number)
		f.ports[name] = number
	}
	_, err := f.conns[len(f.conns)-1].Write(said)
	return err
}

// packetIn sends a frame up, as the first of the rules for misses does.
func (f *fake) packetIn(frame []byte) error {
	body := make([]byte, 16, 64+len(frame))
	be.PutUint32(body, 0xffffffff)
	be.PutUint16(body[4:], uint16(len(frame)))
	body[6] = 1
	be.PutUint64(body[8:], 0x51dc<<48|1<<39)
	body = append(body, 0, 1, 0, 12, 0x80, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0) // in_port=1
	body = append(append(body, 0, 0), frame...)
	f.mu.Lock()
	c := f.conns[len(f.conns)-1]
	f.mu.Unlock()
	_, err := c.Write(answer(openflow.TypePacketIn, 0, body...))
	return err
}
