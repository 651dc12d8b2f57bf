package theory

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.6g, want %.6g", what, got, want)
	}
}

// crommelin is the distribution function of the wait in M/D/1, up to the factor 1-load (Crommelin 1932).
func crommelin(load, t float64) (sum float64) {
	term := func(k int, x float64) float64 { // (-x)^k/k! e^x
		v := math.Exp(x)
		for i := 1; i <= k; i++ {
			v *= -x / float64(i)
		}
		return v
	}
	for k := 0; float64(k) <= t; k++ {
		sum += term(k, load*(t-float64(k)))
	}
	return sum
}

func TestWorkloadIsCrommelins(t *testing.T) {
	for _, load := range []float64{0.3, 0.7, 1.2} {
		f := workload(load, deterministic, func(f []float64) bool { return len(f) <= 8*grid })
		for i := range f {
			want := crommelin(load, float64(i)/grid)
			near(t, "F", f[i]/want, 1, 2e-5)
		}
	}
}

// embedded is M/D/1/K by the chain embedded at departures (Gross and Harris, 5.1.8) and Little's law.
func embedded(a float64, k int) (loss, wait float64) {
	arrivals := make([]float64, k+1)
	arrivals[0] = math.Exp(-a)
	for i := 1; i <= k; i++ {
		arrivals[i] = arrivals[i-1] * a / float64(i)
	}
	pi := make([]float64, k)
	pi[0] = 1
	for j := 0; j+1 < k; j++ {
		v := pi[j] - pi[0]*arrivals[j]
		for i := 1; i <= j; i++ {
			v -= pi[i] * arrivals[j-i+1]
		}
		pi[j+1] = v / arrivals[0]
	}
	sum, system := 0.0, 0.0
	for _, p := range pi {
		sum += p
	}
	scale := 1 / (pi[0]/sum + a)
	for n, p := range pi {
		system += float64(n) * p / sum * scale
	}
	system += float64(k) * (1 - scale)
	return 1 - scale, system/(a*scale) - 1
}

func TestMD1K(t *testing.T) {
	for _, c := range []struct {
		load float64
		room int
	}{{0.5, 2}, {0.9, 8}, {1.2, 16}, {2, 4}} {
		loss, wait, _ := md1k(c.load, c.room)
		wantLoss, wantWait := embedded(c.load, c.room)
		near(t, "loss", loss, wantLoss, 2e-6)
		near(t, "wait", wait, wantWait, 1e-4)
	}
}

// A queue with a large limit is one without.
func TestMM1K(t *testing.T) {
	loss, wait, tail := mm1k(0.7, 200)
	_, wantWait, wantTail := mm1k(0.7, 0)
	near(t, "loss", loss, 0, 1e-12)
	near(t, "wait", wait, wantWait, 1e-9)
	near(t, "wait", wantWait, 0.7/0.3, 1e-12)
	for _, at := range []float64{0, 1, 10} {
		near(t, "tail", tail(at), wantTail(at), 1e-9)
	}
	near(t, "p99", p99(wantTail), math.Log(70)/0.3, 1e-9)
	loss, wait, tail = mm1k(1, 2) // 1/3 of the time each number; half of the accepted wait for one service
	near(t, "loss", loss, 1.0/3, 1e-12)
	near(t, "wait", wait, 0.5, 1e-12)
	near(t, "p99", p99(tail), math.Log(50), 1e-9)
}

// At a vanishing difference of the two service times M/G/1 is M/D/1.
func TestMG1(t *testing.T) {
	_, wait, tail := mg1(0.6, mix{{1 - 1e-9, 0.5}, {1 + 1e-9, 0.5}})
	_, want, wantTail := md1k(0.6, 0)
	near(t, "wait", wait, want, 1e-6)
	near(t, "wait", want, 0.75, 1e-9)
	for _, at := range []float64{0, 0.3, 1.7, 4, 5.1234} {
		near(t, "tail", tail(at), wantTail(at), 1e-4)
		near(t, "tail", wantTail(at), 1-(1-0.6)*crommelin(0.6, at), 1e-5)
	}
	_, wait, _ = mg1(0.6, mix{{0.2, 0.5}, {1.8, 0.5}})
	near(t, "Pollaczek-Khinchine", wait, 0.6*1.64/0.8, 1e-12)
	_, _, tail = md1k(1.2, 16)
	near(t, "tail of M/D/1/16", tail(14.942208), 0.0215874, 1e-6)
	near(t, "p99 of M/D/1/16", p99(tail), 14.973385, 1e-5)
}

// Values of printed tables.
func TestErlangB(t *testing.T) {
	for _, c := range []struct {
		load    float64
		servers int
		want    float64
	}{{1, 1, 0.5}, {5, 10, 0.018385}, {2, 4, 0.095238}, {8, 8, 0.235570}} {
		near(t, "blocking", erlangB(c.load, c.servers), c.want, 1e-6)
	}
}

// Erlang's C of 8 servers at 6.4 erlangs, by its definition.
func TestErlangC(t *testing.T) {
	sum, term := 0.0, 1.0
	for n := range 8 {
		sum += term
		term *= 6.4 / float64(n+1)
	}
	last := term / (1 - 0.8)
	near(t, "waiting", erlangC(6.4, 8), last/(sum+last), 1e-12)
	near(t, "waiting, one server", erlangC(0.7, 1), 0.7, 1e-12)
}

// Join the shorter of two queues lies between two queues at random and one queue for both, and loses nothing: both
// servers are busy for the load.
func TestShortestOfTwo(t *testing.T) {
	for _, load := range []float64{0.3, 0.8} {
		one := 2*load + erlangC(2*load, 2)*load/(1-load)
		got := shortestOfTwo(load)
		if apart := 2 * load / (1 - load); got <= one || got >= apart {
			t.Errorf("at %g there are %g in the system, want more than %g and fewer than %g", load, got, one, apart)
		}
	}
}
