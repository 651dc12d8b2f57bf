package zmtp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// script is a peer whose every byte is known beforehand; what we say to it is kept.
type script struct {
	io.Reader
	said bytes.Buffer
}

func (s *script) Write(b []byte) (int, error) { return s.said.Write(b) }

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The mechanism, and the rest of the greeting.
var nullRest = "4e554c4c" + strings.Repeat("00", 48)

// The bytes are those of a recorded session of TRex v3.08 with a libzmq client (see ../testdata/README.md): greeting,
// READY, a ping and its answer.
func TestHandshakeAndRequestAsRecorded(t *testing.T) {
	const ping = `{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {}}`
	const pong = `{"id":1,"jsonrpc":"2.0","result":{"ts":91.028280565863015}}` + "\n"
	server := unhex(t, "ff00000000000000017f 0300"+nullRest+
		"04190552454144590b536f636b65742d5479706500000003524550"+"0100003c"+hex.EncodeToString([]byte(pong)))
	s := &script{Reader: bytes.NewReader(server)}
	c, err := Handshake(s, REQ)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(nil, []byte(ping)); err != nil {
		t.Fatal(err)
	}
	// The recorded client's signature has a 1 in the unused eighth byte; ours has 0, as the RFC has it.
	want := unhex(t, "ff00000000000000007f 0300"+nullRest+
		"04260552454144590b536f636b65742d5479706500000003524551084964656e7469747900000000"+"0100003b"+
		hex.EncodeToString([]byte(ping)))
	if !bytes.Equal(s.said.Bytes(), want) {
		t.Errorf("we said\n%x\nwant\n%x", s.said.Bytes(), want)
	}
	frames, err := c.Recv()
	if err != nil || len(frames) != 2 || len(frames[0]) != 0 || string(frames[1]) != pong {
		t.Errorf("received %q, %v", frames, err)
	}
}

func TestHandshakeRefuses(t *testing.T) {
	ok := "ff00000000000000007f 0300" + nullRest
	for _, c := range []struct{ name, hex, want string }{
		{"HTTP", hex.EncodeToString([]byte(strings.Repeat("HTTP/1.1 400 Bad Request\r\n", 4))), "greeting begins with"},
		{"version 2", "ff00000000000000007f 0100" + nullRest, "version 1"},
		{"CURVE", "ff00000000000000007f 0300" + strings.Replace(nullRest, "4e554c4c00", "4355525645", 1), `"CURVE"`},
		{"a message first", ok + "000141", "message where READY"},
		{"another command", ok + "0405045049 4e47", "where READY was expected"},
		{"wrong partner", ok + "04190552454144590b536f636b65742d5479706500000003505542", `"PUB" socket`},
		{"cut short", ok + "04190552454144590b536f636b65", "EOF"},
		{"value longer than the command", ok + "04190552454144590b536f636b65742d54797065ffffffff505542", "cut short"},
	} {
		_, err := Handshake(&script{Reader: bytes.NewReader(unhex(t, c.hex))}, REQ)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestMessagesOfAllSizes(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	deadline := time.Now().Add(10 * time.Second)
	a.SetDeadline(deadline)
	b.SetDeadline(deadline)
	done := make(chan *Conn)
	// Over a pipe a write waits for its reader, so each side reads while it writes.
	go func() { c, _ := Handshake(buffered(b), REP); done <- c }()
	req, err := Handshake(buffered(a), REQ)
	if err != nil {
		t.Fatal(err)
	}
	rep := <-done
	for _, size := range []int{0, 1, 255, 256, 70000, 1 << 20} {
		want := [][]byte{nil, bytes.Repeat([]byte{7}, size)}
		if err := req.Send(want...); err != nil {
			t.Fatal(err)
		}
		got, err := rep.Recv()
		if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Fatalf("%d bytes: %d frames, %v", size, len(got), err)
		}
	}
}

// buffered writes in the background.
func buffered(c net.Conn) io.ReadWriter {
	w := make(chan []byte, 64)
	go func() {
		for b := range w {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	}()
	return struct {
		io.Reader
		io.Writer
	}{c, writerFunc(func(b []byte) (int, error) { w <- bytes.Clone(b); return len(b), nil })}
}

type writerFunc func([]byte) (int, error)

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestHostileFrames(t *testing.T) {
	for _, c := range []struct{ name, hex string }{
		{"a length of 2^63", "028000000000000000"},
		{"one byte too long", "020000000001000001"},
		{"unknown flags", "f000"},
		{"endless frames", strings.Repeat("0100", 100)},
	} {
		conn := &Conn{r: newReader(unhex(t, c.hex))}
		if _, err := conn.Recv(); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v, want an ErrProtocol", c.name, err)
		}
	}
	conn := &Conn{r: newReader(unhex(t, "02000000000100000041"))}
	if _, err := conn.Recv(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut message: %v, want an unexpected EOF", err)
	}
}

// Whatever arrives, Handshake and Recv end with a message or an error, and what they accept has the limits promised.
func FuzzConn(f *testing.F) {
	f.Add(unhex(f, "ff00000000000000017f 0300"+nullRest+"04190552454144590b536f636b65742d5479706500000003524550"+
		"0100000141"))
	f.Add(unhex(f, "ff00000000000000017f 0300"+nullRest+"0405052345"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Handshake(&script{Reader: bytes.NewReader(b)}, REQ)
		if err != nil {
			return
		}
		for {
			frames, err := c.Recv()
			if err != nil {
				return
			}
			if len(frames) == 0 || len(frames) > maxFrames {
				t.Fatalf("%d frames", len(frames))
			}
		}
	})
}
