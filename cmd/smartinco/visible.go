package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// visible is an output for people: characters that would move the cursor, change colours or hide text are escaped as in
// a Go string, so that no name in a file or a record can do that to a terminal. Several goroutines may write: the verb,
// and the one that handles signals.
type visible struct {
	w    io.Writer
	mu   sync.Mutex
	left []byte // the beginning of a character, of which the rest is still to come
}

func (v *visible) Write(b []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := len(b)
	b = append(v.left, b...)
	v.left = nil
	var s strings.Builder
	for len(b) > 0 {
		if len(b) < utf8.UTFMax && !utf8.FullRune(b) {
			v.left = append(v.left, b...)
			break
		}
		r, size := utf8.DecodeRune(b)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&s, `\x%02x`, b[0])
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			s.Write(b[:size])
		default:
			s.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		b = b[size:]
	}
	if _, err := io.WriteString(v.w, s.String()); err != nil {
		return 0, err
	}
	return n, nil
}

// terminal is the terminal behind w, or nil.
func terminal(w io.Writer) *os.File {
	if v, ok := w.(*visible); ok {
		w = v.w
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return f
}

// Bounds of an error's text: a file can be wrong in a million places, and a value can be as long as a file.
const (
	mostLines  = 100
	mostOfLine = 2000 // bytes
)

// brief is the text of an error, cut to what a person reads.
func brief(err error) string {
	lines := strings.Split(err.Error(), "\n")
	more := len(lines) - mostLines
	if more > 0 {
		lines = lines[:mostLines]
	}
	for i, l := range lines {
		if cut := len(l) - mostOfLine; cut > 0 {
			lines[i] = fmt.Sprintf("%s ... and %d bytes more", strings.ToValidUTF8(l[:mostOfLine], ""), cut)
		}
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("... and %d lines more", more))
	}
	return strings.Join(lines, "\n")
}
