package traces

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"strings"
	"time"

	"github.com/smartinco/smartinco/units"
)

// instant is a time of unknown origin, such as since 1970: seconds, and picoseconds from 0 to 10^12 - 1.
type instant struct{ sec, ps int64 }

// minus and plus are exact. ps of the result is from 0 to 10^12 - 1 as well.
func (a instant) minus(b instant) instant { return instant{a.sec - b.sec, a.ps - b.ps}.normal() }

func (a instant) plus(b instant) instant { return instant{a.sec + b.sec, a.ps + b.ps}.normal() }

func (a instant) normal() instant {
	carry := a.ps / int64(picos)
	if a.ps%int64(picos) < 0 {
		carry--
	}
	return instant{a.sec + carry, a.ps - carry*int64(picos)}
}

// time is a as a length of time, or units.Never if a is longer than that can hold.
func (a instant) time() units.Time {
	const most = math.MaxInt64/int64(units.Second) - 1
	if a.sec > most {
		return units.Never
	}
	return units.Time(a.sec)*units.Second + units.Time(a.ps)
}

// seconds is a as a length of time.
func (a instant) seconds() float64 {
	if t := a.time(); t < units.Never {
		return t.Seconds()
	}
	return float64(a.sec) + float64(a.ps)/float64(picos)
}

// floor is the last multiple of step that is not later than a. Both are lengths of time, and step is positive.
func (a instant) floor(step units.Time) instant {
	hi, lo := bits.Mul64(uint64(a.sec), picos)
	lo, carry := bits.Add64(lo, uint64(a.ps), 0)
	rest := bits.Rem64(hi+carry, lo, uint64(step))
	return a.minus(instant{}.add(units.Time(rest)))
}

// portion is the quotient of two lengths of time.
func portion(part, whole instant) float64 {
	if p, w := part.time(), whole.time(); w < units.Never {
		return float64(p) / float64(w)
	}
	return part.seconds() / whole.seconds()
}

// add returns the instant t after a; t is not negative.
func (a instant) add(t units.Time) instant {
	ps := a.ps + int64(t%units.Second)
	return instant{a.sec + int64(t/units.Second) + ps/int64(picos), ps % int64(picos)}
}

// lastDate is in the year 2255: a pcapng holds 64 bits of nanoseconds. Milliseconds since 1970 that are mistaken for
// seconds lie beyond it from April 1970 on.
const lastDate = 9_000_000_000

// plausible checks a time since 1970 that comes from a text.
func (a instant) plausible() error {
	switch {
	case a.sec < 0:
		return fmt.Errorf("%v is before 1970: want a later time", a)
	case a.sec <= lastDate:
		return nil
	}
	return fmt.Errorf("%d s since 1970 are in the year %d: want seconds, and not milli-, micro- or nanoseconds", a.sec,
		time.Unix(a.sec, 0).UTC().Year())
}

// String is a as a date.
func (a instant) String() string { return time.Unix(a.sec, a.ps/1000).UTC().Format(time.RFC3339Nano) }

// date is a as a date, with a as seconds since 1970, cut to a nanosecond.
func (a instant) date() (time.Time, error) {
	if a.sec < 0 || a.sec > lastDate {
		return time.Time{}, fmt.Errorf("time %d s since 1970, want 0 to %d s", a.sec, int64(lastDate))
	}
	return time.Unix(a.sec, a.ps/1000), nil
}

func (a instant) before(b instant) bool { return a.sec < b.sec || a.sec == b.sec && a.ps < b.ps }

func (a instant) compare(b instant) int {
	return cmp.Or(cmp.Compare(a.sec, b.sec), cmp.Compare(a.ps, b.ps))
}

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
