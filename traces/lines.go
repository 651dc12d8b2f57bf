package traces

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// lines reads a text file line by line, decompressing it if need be.
type lines struct {
	*source
	scan    *bufio.Scanner
	n       int  // number of the current line, from 1
	endless bool // the last line read has no newline
}

func openLines(path string) (*lines, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	return newLines(s), nil
}

func newLines(s *source) *lines {
	l := &lines{source: s, scan: bufio.NewScanner(s.Reader)}
	l.scan.Buffer(make([]byte, 0, min(1<<16, s.Size())), maxLine)
	l.scan.Split(func(b []byte, atEOF bool) (int, []byte, error) {
		n, line, err := bufio.ScanLines(b, atEOF)
		if n > 0 {
			l.endless = b[n-1] != '\n'
		}
		return n, line, err
	})
	return l
}

// line returns the next line, tidied. ok is false at the end of the file and on an error; fault tells the two apart.
func (l *lines) line() (text string, ok bool) {
	l.next()
	if !l.scan.Scan() {
		return "", false
	}
	l.n++
	return tidy(l.scan.Text()), true
}

// tidy removes what programs put around a line: a CR at its end and a byte order mark, which stands at the beginning of
// a file and so of each file that was joined.
func tidy(line string) string {
	return strings.TrimSuffix(strings.TrimPrefix(line, "\ufeff"), "\r")
}

// notes counts what was peculiar in the file's lines, once they are read.
func (l *lines) notes(cs []Count) []Count {
	if l.n > 0 && l.endless {
		cs = count(cs, "last lines without a newline: a value may be cut there", 1)
	}
	return l.source.notes(cs)
}

func (l *lines) fault() error {
	err := l.scan.Err()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bufio.ErrTooLong):
		err = fmt.Errorf("longer than %d bytes", maxLine)
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = ErrTruncated
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader):
		err = fmt.Errorf("damaged gzip data: %w", err)
	}
	n := l.n + 1
	if l.endless { // what there is of the line was read as one
		n = l.n
	}
	return fmt.Errorf("line %d: %w", n, err)
}

// clip shortens what an error quotes.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

// exact is the largest count up to which a float64 holds every whole number.
const exact = int64(1) << 53

func addExact(a, b int64) (int64, error) {
	if b < 0 || a > math.MaxInt64-b || a+b > exact {
		return 0, fmt.Errorf("counts sum to more than 2^53")
	}
	return a + b, nil
}
