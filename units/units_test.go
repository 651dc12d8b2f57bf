package units

import (
	"encoding"
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	var (
		tm Time
		p  PPS
		b  BPS
		s  Bytes
	)
	for _, c := range []struct {
		into  encoding.TextUnmarshaler
		text  string
		value func() float64
		want  float64
	}{
		{&tm, "10s", func() float64 { return float64(tm) }, 10e12},
		{&tm, "80645ps", func() float64 { return float64(tm) }, 80645},
		{&tm, "2.5ms", func() float64 { return float64(tm) }, 2.5e9},
		{&tm, "1h", func() float64 { return float64(tm) }, 3600e12},
		{&tm, "-3 us", func() float64 { return float64(tm) }, -3e6},
		{&tm, "0", func() float64 { return float64(tm) }, 0},
		{&p, "25Mpps", func() float64 { return float64(p) }, 25e6},
		{&p, "0.5 kpps", func() float64 { return float64(p) }, 500},
		{&b, "100Gbps", func() float64 { return float64(b) }, 100e9},
		{&s, "64B", func() float64 { return float64(s) }, 64},
		{&s, "2KiB", func() float64 { return float64(s) }, 2048},
	} {
		if err := c.into.UnmarshalText([]byte(c.text)); err != nil || c.value() != c.want {
			t.Errorf("%q: got %g, %v; want %g", c.text, c.value(), err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		into encoding.TextUnmarshaler
		text string
	}{
		{new(Time), "10"}, {new(Time), "s"}, {new(Time), "10 parsecs"}, {new(Time), "1e300h"}, {new(Time), ""},
		{new(Time), "NaNs"},
		{new(PPS), "25"}, {new(PPS), "25Gbps"}, {new(BPS), "10Gbs"}, {new(Bytes), "1.5B"}, {new(Bytes), "64"},
	} {
		if err := c.into.UnmarshalText([]byte(c.text)); err == nil {
			t.Errorf("%q was accepted as a %T", c.text, c.into)
		}
	}
}

// A quantity of millions of digits is refused at once, and in few words.
func TestLongTextsAreRefused(t *testing.T) {
	for _, unit := range []string{"ps", "h", "pps", "bps", "B", "furlongs"} {
		for _, digits := range []string{strings.Repeat("7", 1<<24), "0." + strings.Repeat("3", 1<<24),
			strings.Repeat(" ", 1<<20) + strings.Repeat("_", 1<<24)} {
			for _, into := range []encoding.TextUnmarshaler{new(Time), new(PPS), new(BPS), new(Bytes)} {
				if err := into.UnmarshalText([]byte(digits + unit)); err == nil || len(err.Error()) > 1000 {
					t.Fatalf("%d digits of %s as a %T: an error of %d characters", len(digits),
						unit, into, len(fmt.Sprint(err)))
				}
			}
		}
	}
	var tm Time
	if err := tm.UnmarshalText([]byte("0." + strings.Repeat("0", 80) + "1s")); err != nil || tm != 0 {
		t.Errorf("%v, %v", tm, err)
	}
}

// What is printed reads back as the same time, to the picosecond.
func FuzzTime(f *testing.F) {
	for _, v := range []int64{0, 1, 999, 1000, 80645, 1e12, 330e12, -1, int64(Never)} {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, v int64) {
		text := Time(v).String()
		got, err := ParseTime(text)
		if v == -1<<63 {
			return // has no positive counterpart; no run has it
		}
		if err != nil || got != Time(v) {
			t.Errorf("%d printed as %s reads as %d, %v", v, text, int64(got), err)
		}
	})
}

// A text that is accepted prints as one with the same meaning, and no text panics.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"10s", "2.5ms", "1e3ps", "Inf h", "0x1p4ns", "25Mpps", "64B", "1_0s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseTime(s); err == nil {
			if again, err := ParseTime(v.String()); err != nil || again != v {
				t.Errorf("%q is %s, which reads as %v, %v", s, v, again, err)
			}
		}
		new(PPS).UnmarshalText([]byte(s))
		new(BPS).UnmarshalText([]byte(s))
		new(Bytes).UnmarshalText([]byte(s))
	})
}
