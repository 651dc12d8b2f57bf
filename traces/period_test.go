package traces

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// The period of a rate is the fraction that was meant, and a whole number where it can be.
func TestPeriodsOfRates(t *testing.T) {
	for _, c := range []struct {
		rate float64
		want Period
	}{
		{1e6, Period{1_000_000, 1}},
		{100e9 / (84 * 8) / 32, Period{215_040, 1}}, // of Figure 9
		{3e6, Period{1_000_000, 3}},
		{9e6, Period{1_000_000, 9}},
		{4.65e6, Period{20_000_000, 93}},
		{148.8e6, Period{625_000, 93}},
		{99e9 / (84 * 8) / 10, Period{2_240_000, 33}},
		{300e9, Period{10, 3}},
		{0.1, Period{10 * units.Second, 1}},
		{0.3, Period{10 * units.Second, 3}},
		{MostRate, Period{1, 1}},
		{1e-3, Period{1000 * units.Second, 1}},
	} {
		if got, err := PeriodOf(c.rate); err != nil || got != c.want {
			t.Errorf("%g pps: %+v, %v; want %+v", c.rate, got, err, c.want)
		}
	}
	for _, rate := range []float64{0, -1, 0.9e-6, 1.001e12, math.NaN(), math.Inf(1)} {
		if p, err := PeriodOf(rate); err == nil {
			t.Errorf("%g pps has a period, %+v", rate, p)
		}
	}
}

// The short way to a whole number of picoseconds gives what exact arithmetic gives, on either side of what rounding may
// have done to the rate.
func TestWholePeriodsAreExact(t *testing.T) {
	r, whole, not := rand.New(rand.NewPCG(3, 4)), 0, 0
	for range 2000 {
		rate := 1e12 / math.Round(math.Exp2(60*r.Float64()))
		for range 3 {
			rate = math.Nextafter(rate, 0)
		}
		for range 7 {
			if rate = math.Nextafter(rate, math.Inf(1)); rate < LeastRate || rate > MostRate {
				continue
			}
			x := new(big.Rat).SetFloat64(rate)
			want := near(x.Quo(big.NewRat(int64(units.Second), 1), x))
			if got, err := PeriodOf(rate); err != nil || got != want {
				t.Fatalf("%g pps: %+v, %v; want %+v", rate, got, err, want)
			}
			if want.Whole() {
				whole++
			} else {
				not++
			}
		}
	}
	if whole < 1000 || not < 1000 {
		t.Errorf("%d periods are whole and %d are not: too few", whole, not)
	}
}

// A rate of R gives n packets within n/R, to the packet, whatever R and however long.
func TestARateIsMetToThePacket(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	half := big.NewRat(1, 2)
	for range 20_000 {
		rate := math.Exp(r.Float64()*math.Log(1e14)) * 1e-3 // 1 a 1,000 s to 100 Gpps
		if r.IntN(2) == 0 {
			rate = math.Ceil(rate)
		}
		p, err := PeriodOf(rate)
		if err != nil {
			t.Fatal(err)
		}
		span := units.Time(r.Int64N(int64(3600*units.Second))) + 1
		// Within 2^-51 of the rate.
		exact, _ := new(big.Rat).SetFloat64(rate), 0
		want, _ := exact.Mul(exact, big.NewRat(int64(span), int64(units.Second))).Float64()
		n := p.Before(span)
		if math.Abs(float64(n)-want) > 1+want*0x1p-51 {
			t.Fatalf("%g pps: %d packets in %v, want %f", rate, n, span, want)
		}
		for _, k := range []int64{n - 1, n} {
			x := new(big.Rat).Mul(big.NewRat(int64(p.Num), p.Den), big.NewRat(k, 1))
			x.Add(x, half)
			if at := p.At(k); at != units.Time(new(big.Int).Quo(x.Num(), x.Denom()).Int64()) || (at < span) != (k < n) {
				t.Fatalf("%g pps: packet %d comes at %v, %d before %v", rate, k, at, n, span)
			}
		}
	}
	if p := Every(units.Never); p.At(2) != units.Never || p.Before(units.Never) != 1 {
		t.Error("a time beyond the range is not Never")
	}
	for _, n := range []int64{10, 1 << 53, math.MaxInt64} { // packets in a picosecond, as a recording may have them
		if got := Spread(1, n).Before(units.Never); got != math.MaxInt64 {
			t.Errorf("%d packets a picosecond: %d come before the end of time, want %d", n, got, int64(math.MaxInt64))
		}
		if got := Spread(1, n).Before(1); got < n/2 || got > n/2+1 { // to the nearest picosecond
			t.Errorf("%d packets a picosecond: %d come before 1 ps, want half of them", n, got)
		}
	}
}

// A flow with a rate is played as the packet engine has it: packet n at n/R, with the remainder carried.
func TestARateIsPlayedToThePacket(t *testing.T) {
	w := Staircase(StaircaseOptions{Flows: 1, Start: 7, End: units.Millisecond, Rate: 148.8e6, Size: 64})
	var got []units.Time
	for p, err := range packets(w.Stream().flows, 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, p.at)
	}
	if want := []units.Time{7, 6727, 13448, 20168, 26889}; len(got) != 148_800 || !slices.Equal(got[:5], want) {
		t.Errorf("%d packets, the first at %v; want 148800, %v", len(got), got[:5], want)
	}
	if s := w.Flows[0].Segments[0]; math.Abs(s.Rate()/148.8e6-1) > 1e-15 {
		t.Errorf("the rate is %.17g, want 148.8e6", s.Rate())
	}
}

// Evenly spaced sessions carry the remainder, too.
func TestConstantArrivalsCarryTheRemainder(t *testing.T) {
	times, err := Arrivals{Process: "constant", Rate: 3}.times(context.Background(), nil, 2*units.Second)
	third := units.Time(333_333_333_333)
	want := []units.Time{0, third, 2*third + 1, units.Second, units.Second + third, units.Second + 2*third + 1}
	if err != nil || !slices.Equal(times, want) {
		t.Errorf("%v, %v; want %v", times, err, want)
	}
}

// At a high rate the rounding of every gap to a picosecond does not bias the mean. The mean of 1e7 gaps of 7.3 ps has a
// standard error of 0.0003 of a gap; rounding down would make it 0.07 of a gap too short.
func TestRandomArrivalsHaveTheirMean(t *testing.T) {
	for _, p := range []Process{
		{Kind: "poisson", Seed: 3}, {Kind: "on-off", On: units.Microsecond, Off: units.Picosecond, Seed: 3},
	} {
		w := Staircase(StaircaseOptions{Flows: 1, End: 73 * units.Microsecond, Rate: 1e12 / 7.3, Size: 64, Process: p})
		if n := len(readOf(w)); math.Abs(float64(n)/1e7-1) > 0.0015 {
			t.Errorf("%s: %d packets, want 10000000", p.Kind, n)
		}
	}
}

// An error says what cannot be had, and what can.
func TestBurstsHaveAPacketAPicosecondAtMost(t *testing.T) {
	p := Process{Kind: "on-off", On: units.Nanosecond, Off: units.Microsecond}
	if err := p.Check(Every(1001)); err != nil {
		t.Error(err)
	}
	if err := p.Check(Every(1000)); err == nil {
		t.Error("a burst of more than a packet a picosecond is taken")
	}
}
