package traces

import (
	"math"
	"reflect"
	"testing"

	"github.com/smartinco/smartinco/units"
)

func shaped(t *testing.T, s Shape, o ShapeOptions) *Workload {
	t.Helper()
	w, err := Shaped(s, o)
	if err != nil {
		t.Fatal(err)
	}
	check(t, w)
	return w
}

func TestADayRisesAndFalls(t *testing.T) {
	day := Diurnal{Mean: 100, Amplitude: 0.8, Period: 24 * units.Hour, Peak: 30 * units.Hour}
	for hour, want := range map[units.Time]float64{0: 100, 6: 180, 12: 100, 18: 20, 24: 100, 30: 180, 10: 140} {
		if got := day.Rate(hour * units.Hour); math.Abs(got-want) > 1e-12 {
			t.Errorf("%v packets a second in hour %d, want %v", got, hour, want)
		}
	}
	w := shaped(t, day, ShapeOptions{Step: units.Hour, End: 48 * units.Hour, Flows: 4, Size: 64})
	if packets, bytes := w.Totals(); math.Abs(packets/(100*48*3600)-1) > 1e-12 || bytes != packets*64 {
		t.Errorf("%v packets and %v bytes in two days", packets, bytes)
	}
	if len(w.Flows) != 4 || len(w.Flows[0].Segments) != 48-4 { // around peaks and troughs two hours are equal
		t.Errorf("%d flows of %d segments", len(w.Flows), len(w.Flows[0].Segments))
	}
	still := shaped(t, Diurnal{Mean: 7, Amplitude: 1, Period: 2, Peak: 0}, ShapeOptions{Step: 2, End: 1, Flows: 1})
	if len(still.Flows) != 1 {
		t.Errorf("got %v", still.Flows)
	}
	none := shaped(t, Diurnal{Mean: 7, Amplitude: 1, Period: 4}, ShapeOptions{Step: 4, End: 4, Flows: 1})
	if len(none.Flows) > 0 {
		t.Errorf("at the bottom of a full swing there is %v", none.Flows[0].Segments)
	}
}

func TestAFlashCrowdComesAndGoes(t *testing.T) {
	const s = units.Second
	crowd := FlashCrowd{Base: 10, Factor: 5, Begin: 2 * s, Rise: 4 * s, Hold: 3 * s, Fall: 2 * s}
	o := ShapeOptions{Step: s, End: 13 * s, Flows: 1, Size: 1}
	want := []Segment{
		{0, 2 * s, 20, 20},
		{2 * s, 3 * s, 15, 15}, {3 * s, 4 * s, 25, 25}, {4 * s, 5 * s, 35, 35}, {5 * s, 6 * s, 45, 45},
		{6 * s, 9 * s, 150, 150},
		{9 * s, 10 * s, 40, 40}, {10 * s, 11 * s, 20, 20},
		{11 * s, 13 * s, 20, 20},
	}
	if w := shaped(t, crowd, o); !reflect.DeepEqual(w.Flows[0].Segments, want) {
		t.Errorf("got %v, want %v", w.Flows[0].Segments, want)
	}
	crowd.Rise, crowd.Fall = 0, 0
	want = []Segment{{0, 2 * s, 20, 20}, {2 * s, 5 * s, 150, 150}, {5 * s, 13 * s, 80, 80}}
	if w := shaped(t, crowd, o); !reflect.DeepEqual(w.Flows[0].Segments, want) {
		t.Errorf("got %v, want %v", w.Flows[0].Segments, want)
	}
}

// With a lifetime there are as many flows at once as without, they carry the same at any time, and each ends in time.
func TestFlowsTakeTurns(t *testing.T) {
	crowd := FlashCrowd{Base: 1e6, Factor: 3, Begin: 10 * units.Second, Rise: 5 * units.Second, Hold: 7 * units.Second}
	o := ShapeOptions{Step: units.Second, End: 60 * units.Second, Flows: 6, Size: 64}
	one := shaped(t, crowd, o)
	o.Lifetime = 7 * units.Second
	o.Offset = 3
	turns := shaped(t, crowd, o)
	if n := len(turns.Flows); n < 6*60/7 || n > 6*(60/7+2) {
		t.Errorf("%d flows", n)
	}
	rates := func(w *Workload, at units.Time) (n int, rate float64) {
		for _, f := range w.Flows {
			for _, s := range f.Segments {
				if s.Start <= at && at < s.End {
					n++
					rate += s.Rate()
				}
			}
		}
		return n, rate
	}
	for at := units.Time(0); at < o.End; at += 333 * units.Millisecond {
		n, rate := rates(turns, at)
		m, want := rates(one, at)
		if n != m || math.Abs(rate/want-1) > 1e-9 {
			t.Errorf("at %v %d flows with %v, want %d with %v", at, n, rate, m, want)
		}
	}
	tuples := map[any]bool{}
	begin := map[units.Time]int{}
	for _, f := range turns.Flows {
		life := f.Segments[len(f.Segments)-1].End - f.Segments[0].Start
		if tuples[f.Tuple] || life > o.Lifetime {
			t.Errorf("flow %v lasts %v", f.Tuple, life)
		}
		tuples[f.Tuple] = true
		begin[f.Segments[0].Start]++
	}
	for at, n := range begin {
		if at > 0 && n > 1 {
			t.Errorf("%d flows begin at %v", n, at)
		}
	}
	if !tuples[SyntheticTuple(3)] || tuples[SyntheticTuple(2)] {
		t.Error("the first address is not that of the offset")
	}
	if a, _ := turns.Totals(); math.Abs(a-math.Round(a)) > 1e-3 {
		t.Errorf("%v packets", a)
	}
	o.Lifetime = 1
	if _, err := Shaped(crowd, o); err == nil {
		t.Error("flows of a picosecond are made")
	}
}

// A flow that would be silent all its life is none.
func TestNoFlowInSilence(t *testing.T) {
	o := LoadOptions{Column: "v", Lifetime: 2 * units.Second}
	w, err := ReadLoad(write(t, "load.csv", []byte("v\n1\n0\n0\n0\n0\n1\n")), o)
	if err != nil {
		t.Fatal(err)
	}
	check(t, w)
	const s = units.Second
	want := []Flow{{SyntheticTuple(0), []Segment{{0, s, 1, 0}}}, {SyntheticTuple(1), []Segment{{5 * s, 6 * s, 1, 0}}}}
	if !reflect.DeepEqual(w.Flows, want) {
		t.Errorf("got %v, want %v", w.Flows, want)
	}
}
