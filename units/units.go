// Package units holds the quantities of the field - time, packet rate, bit rate, bytes - with the notation in which
// scenarios write them and every report prints them: 10s, 25Mpps, 100Gbps, 64B.
package units

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Time is an instant since the start of a run, or a span between two instants, in picoseconds. The range is ±106 days.
type Time int64

// Spans, to be multiplied: 3 * units.Second.
const (
	Picosecond  Time = 1
	Nanosecond       = 1000 * Picosecond
	Microsecond      = 1000 * Nanosecond
	Millisecond      = 1000 * Microsecond
	Second           = 1000 * Millisecond
	Minute           = 60 * Second
	Hour             = 60 * Minute
)

// Never is later than every instant of a run.
const Never Time = math.MaxInt64

// PPS is a rate in packets per second.
type PPS float64

// BPS is a rate in bits per second.
type BPS float64

// Bytes is a size in bytes.
type Bytes int64

type unit struct {
	name  string
	scale float64
}

var (
	timeUnits = []unit{{"ps", 1}, {"ns", 1e3}, {"us", 1e6}, {"µs", 1e6}, {"ms", 1e9}, {"s", 1e12}, {"min", 60e12},
		{"h", 3600e12}}
	ppsUnits  = []unit{{"pps", 1}, {"kpps", 1e3}, {"Mpps", 1e6}, {"Gpps", 1e9}}
	bpsUnits  = []unit{{"bps", 1}, {"kbps", 1e3}, {"Mbps", 1e6}, {"Gbps", 1e9}, {"Tbps", 1e12}}
	byteUnits = []unit{{"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", 1 << 10}, {"MiB", 1 << 20},
		{"GiB", 1 << 30}}
)

// longest is the largest number of characters of a quantity. The time to read digits grows with the square of their
// number.
const longest = 100

// clip quotes s, or its beginning if s is long.
func clip(s string) string {
	if len(s) <= longest {
		return strconv.Quote(s)
	}
	return fmt.Sprintf("%q... (%d characters)", s[:longest/2], len(s))
}

func parse(s, what string, us []unit) (float64, error) {
	t := strings.TrimSpace(s)
	if len(t) > longest {
		t = ""
	}
	i := len(t)
	for i > 0 && !strings.ContainsRune("0123456789.", rune(t[i-1])) {
		i--
	}
	name := strings.TrimSpace(t[i:])
	v, err := strconv.ParseFloat(strings.ReplaceAll(strings.TrimSpace(t[:i]), "_", ""), 64)
	known := make([]string, len(us))
	for j, u := range us {
		known[j] = u.name
		if u.name == name && err == nil {
			return v * u.scale, nil
		}
	}
	return 0, fmt.Errorf("%s is not a %s: want a number and one of %s, such as %s", clip(s),
		what, strings.Join(known, ", "), example[what])
}

var example = map[string]string{"time": "10s", "packet rate": "25Mpps", "bit rate": "100Gbps", "size": "64B"}

func format(v float64, us []unit) string {
	best := us[0]
	for _, u := range us {
		if u.scale > best.scale && math.Abs(v) >= u.scale {
			best = u
		}
	}
	return strconv.FormatFloat(v/best.scale, 'g', 10, 64) + best.name
}

// ParseTime reads a time such as 10s, 80645ps or 2.5ms. The bare number 0 is a time as well.
func ParseTime(s string) (Time, error) {
	if strings.TrimSpace(s) == "0" {
		return 0, nil
	}
	if t := strings.TrimSpace(s); len(t) <= longest {
		if exact, ok := exactTime(t); ok {
			return exact, nil
		}
	}
	v, err := parse(s, "time", timeUnits)
	if err != nil {
		return 0, err
	}
	if math.Abs(v) >= math.MaxInt64 {
		return 0, fmt.Errorf("%s is outside the range of a time, ±106 days", clip(s))
	}
	return Time(math.Round(v)), nil
}

// exactTime reads plain decimal times that are a whole number of picoseconds, without passing through floating point.
func exactTime(s string) (Time, bool) {
	digits := strings.TrimRightFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	for _, u := range timeUnits {
		if strings.TrimSpace(s[len(digits):]) != u.name {
			continue
		}
		whole, fraction, _ := strings.Cut(digits, ".")
		v, ok := new(big.Int).SetString(whole+fraction, 10)
		if !ok {
			return 0, false
		}
		v.Mul(v, big.NewInt(int64(u.scale)))
		v, rest := v.QuoRem(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(min(len(fraction), 30))), nil),
			new(big.Int))
		return Time(v.Int64()), rest.Sign() == 0 && v.IsInt64() && len(fraction) <= 30 && len(whole) <= 30
	}
	return 0, false
}

// FromSeconds rounds seconds to a Time.
func FromSeconds(s float64) Time { return Time(math.Round(s * float64(Second))) }

// Seconds is t in seconds.
func (t Time) Seconds() float64 { return float64(t) / float64(Second) }

func (t Time) String() string {
	if t == 0 {
		return "0s"
	}
	for _, u := range []struct {
		name string
		span Time
	}{{"s", Second}, {"ms", Millisecond}, {"us", Microsecond}, {"ns", Nanosecond}} {
		whole, rest := t/u.span, t%u.span
		switch {
		case rest == 0:
			return strconv.FormatInt(int64(whole), 10) + u.name
		case (whole >= 100 || whole <= -100) && rest%(u.span/1000) == 0:
			thousandths := max(rest, -rest) / (u.span / 1000)
			return strings.TrimRight(fmt.Sprintf("%d.%03d", int64(whole), int64(thousandths)), "0") + u.name
		}
	}
	return strconv.FormatInt(int64(t), 10) + "ps"
}

// UnmarshalText reads what ParseTime reads.
func (t *Time) UnmarshalText(b []byte) (err error) { *t, err = ParseTime(string(b)); return }

// MarshalText prints t so that UnmarshalText reads it back exactly.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a rate such as 25Mpps.
func (r *PPS) UnmarshalText(b []byte) error {
	v, err := parse(string(b), "packet rate", ppsUnits)
	*r = PPS(v)
	return err
}

// MarshalText prints the rate as String does.
func (r PPS) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r PPS) String() string { return format(float64(r), ppsUnits) }

// UnmarshalText reads a rate such as 100Gbps.
func (r *BPS) UnmarshalText(b []byte) error {
	v, err := parse(string(b), "bit rate", bpsUnits)
	*r = BPS(v)
	return err
}

// MarshalText prints the rate as String does.
func (r BPS) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r BPS) String() string { return format(float64(r), bpsUnits) }

// UnmarshalText reads a size such as 64B.
func (b *Bytes) UnmarshalText(t []byte) error {
	v, err := parse(string(t), "size", byteUnits)
	if err == nil && v != math.Trunc(v) {
		err = fmt.Errorf("%s is not a whole number of bytes", clip(string(t)))
	}
	*b = Bytes(v)
	return err
}

// MarshalText prints the size in bytes.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

func (b Bytes) String() string { return strconv.FormatInt(int64(b), 10) + "B" }
