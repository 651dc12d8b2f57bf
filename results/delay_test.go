package results

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuantile(t *testing.T) {
	buckets := []Bucket{{High: 0, Count: 500}, {Low: 10, High: 20, Count: 490}, {Low: 256, High: 257, Count: 10}}
	for _, c := range []struct{ perMille, want int64 }{
		{0, 0}, {1, 0}, {500, 0}, {501, 20}, {900, 20}, {990, 20}, {991, 257}, {999, 257}, {1000, 257},
	} {
		if got := Quantile(buckets, c.perMille); got != c.want {
			t.Errorf("%d per mille: %d, want %d", c.perMille, got, c.want)
		}
	}
	// A rank is rounded up: of three packets, the second is the median and the third all beyond two thirds.
	three := []Bucket{{High: 1, Count: 1}, {High: 2, Count: 1}, {High: 3, Count: 1}}
	for _, c := range []struct{ perMille, want int64 }{{333, 1}, {334, 2}, {500, 2}, {666, 2}, {667, 3}, {1000, 3}} {
		if got := Quantile(three, c.perMille); got != c.want {
			t.Errorf("%d per mille of three: %d, want %d", c.perMille, got, c.want)
		}
	}
	if got := Quantile([]Bucket{{High: 1, Count: 1 << 62}, {High: 2, Count: 1 << 61}}, 999); got != 2 {
		t.Errorf("of very many packets: %d, want 2", got)
	}
	if got := Quantile(nil, 500); got != 0 {
		t.Errorf("of no packets: %d, want 0", got)
	}
}

// The tables of delays are there when there are delays, under a checksum like all others, and the same from memory.
func TestDelaysInARecord(t *testing.T) {
	dir := t.TempDir()
	small(t, create(t, dir, Options{Overwrite: true}))
	rec := open(t, dir)
	m := NewMemory()
	small(t, m)
	latencies, err := rec.Latencies()
	if d := cmp.Diff(m.Latencies, latencies); d != "" || len(latencies) != 3 || err != nil {
		t.Error(err, d)
	}
	var buckets []Bucket
	for _, scope := range []string{"run", "instance", "flow"} {
		b, err := rec.Buckets(scope)
		if err != nil || len(b) != 2 {
			t.Errorf("%s: %d buckets, %v", scope, len(b), err)
		}
		buckets = append(buckets, b...)
	}
	if d := cmp.Diff(m.Buckets, buckets); d != "" {
		t.Error(d)
	}
	for _, name := range []string{latencyName, histogramName} {
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2]++
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := rec.Latencies(); err == nil || !strings.Contains(err.Error(), latencyName+": the file is damaged") {
		t.Error(err)
	}
	if _, err := rec.Buckets("run"); err == nil ||
		!strings.Contains(err.Error(), histogramName+": the file is damaged") {
		t.Error(err)
	}

	without := files(t, written(t, 1))
	if without[latencyName] != "" || without[histogramName] != "" {
		t.Error("a run without delays has tables of them")
	}
}

// A processed packet without a delay breaks the run's balance.
func TestEveryProcessedPacketHasADelay(t *testing.T) {
	for _, c := range []struct {
		count int64
		holds bool
	}{{75, true}, {74, false}, {76, false}} {
		var k Checker
		k.Latency(&Latency{Scope: "run", Kind: "wait", Count: c.count})
		k.Latency(&Latency{Scope: "flow", Kind: "wait", Count: 1})
		got := k.Result(&Totals{Offered: 100, Processed: 75, Queued: 25})
		if got.Holds != c.holds || !c.holds && got.Where != "delays of the run" {
			t.Errorf("%d delays of 75 packets: %+v", c.count, got)
		}
	}
}
