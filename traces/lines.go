package traces

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/smartinco/smartinco/units"
)

// lines reads a text file line by line, decompressing it if need be.
type lines struct {
	*source
	scan *bufio.Scanner
	n    int // number of the current line, from 1
}

func openLines(path string) (*lines, error) {
	s, err := openSource(path)
	if err != nil {
		return nil, err
	}
	l := &lines{source: s, scan: bufio.NewScanner(s.Reader)}
	l.scan.Buffer(make([]byte, 0, 1<<16), maxLine)
	return l, nil
}

// line is the next line; ok is false at the end of the file or on an error, which fault tells apart.
func (l *lines) line() (text string, ok bool) {
	l.next()
	if !l.scan.Scan() {
		return "", false
	}
	l.n++
	return l.scan.Text(), true
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
	case errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader):
		err = fmt.Errorf("damaged gzip data: %w", err)
	}
	return fmt.Errorf("line %d: %w", l.n+1, err)
}

// instant is a time of unknown origin, such as since 1970: seconds, and picoseconds from 0 to 10^12 - 1.
type instant struct{ sec, ps int64 }

// sub is a - b, an error if it is outside ±maxSpan.
func (a instant) sub(b instant) (units.Time, error) {
	const most = int64(maxSpan / units.Second)
	d := a.sec - b.sec
	if d > most || d < -most {
		return 0, fmt.Errorf("times are more than %v apart", maxSpan)
	}
	return units.Time(d)*units.Second + units.Time(a.ps-b.ps), nil
}

// add is t after a; t is not negative.
func (a instant) add(t units.Time) instant {
	ps := a.ps + int64(t%units.Second)
	return instant{a.sec + int64(t/units.Second) + ps/int64(picos), ps % int64(picos)}
}

// date is a as seconds since 1970, cut to a nanosecond.
func (a instant) date() (time.Time, error) {
	const most = 9_000_000_000 // year 2255; a pcapng holds 64 bits of nanoseconds
	if a.sec < 0 || a.sec > most {
		return time.Time{}, fmt.Errorf("time %d s since 1970, want 0 to %d s", a.sec, most)
	}
	return time.Unix(a.sec, a.ps/1000), nil
}

func (a instant) before(b instant) bool { return a.sec < b.sec || a.sec == b.sec && a.ps < b.ps }

// parseSeconds reads decimal seconds that are not negative, such as 1258531221.486539, exactly to the picosecond.
// Further digits are cut off.
func parseSeconds(s string) (instant, error) {
	whole, frac, _ := strings.Cut(s, ".")
	var t instant
	if whole == "" || len(whole) > 15 || len(frac) > 30 {
		return t, fmt.Errorf("%q is not a number of seconds", clip(s))
	}
	for i := range len(whole) {
		d := whole[i] - '0'
		if d > 9 {
			return t, fmt.Errorf("%q is not a number of seconds", clip(s))
		}
		t.sec = t.sec*10 + int64(d)
	}
	for i := range len(frac) {
		d := frac[i] - '0'
		if d > 9 {
			return t, fmt.Errorf("%q is not a number of seconds", clip(s))
		}
		if i < 12 {
			t.ps = t.ps*10 + int64(d)
		}
	}
	for i := len(frac); i < 12; i++ {
		t.ps *= 10
	}
	return t, nil
}

// clip shortens what an error quotes.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "..."
	}
	return s
}

// exact is the largest count that a float64 holds with all smaller ones.
const exact = int64(1) << 53

func addExact(a, b int64) (int64, error) {
	if b < 0 || a > math.MaxInt64-b || a+b > exact {
		return 0, fmt.Errorf("counts sum to more than 2^53")
	}
	return a + b, nil
}
