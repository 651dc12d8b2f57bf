package docker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw"
)

// The engine's answers as it gives them with control groups of version 2, of version 1, and of a container that has
// ended.
func TestUsage(t *testing.T) {
	f := &fake{api: "1.41", answer: map[string]string{
		"GET /containers/json": `[{"Id":"c2","State":"running","Labels":{"smartinco.instance":"2"}},
			{"Id":"c1","State":"running","Labels":{"smartinco.instance":"1"}},
			{"Id":"c3","State":"running","Labels":{"smartinco.instance":"3"}},
			{"Id":"c4","State":"running","Labels":{"smartinco.instance":"4"}}]`,
		"GET /containers/c1/stats": `{"cpu_stats":{"cpu_usage":{"total_usage":1500000000}},
			"memory_stats":{"usage":5000000,"stats":{"inactive_file":1000000}}}`,
		"GET /containers/c2/stats": `{"cpu_stats":{"cpu_usage":{"total_usage":7}},
			"memory_stats":{"usage":300,"stats":{"total_inactive_file":100}}}`,
		"GET /containers/c3/stats": `{"cpu_stats":{"cpu_usage":{"total_usage":0}},"memory_stats":{}}`,
	}}
	e, err := f.open(t)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Usage(t.Context()); err != nil || len(got) > 0 {
		t.Errorf("before any container: %v, %v", got, err)
	}
	if _, err := e.List(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := e.Usage(t.Context())
	want := []hw.Usage{{Instance: 1, CPU: 1500 * time.Millisecond, Memory: 4000000}, {Instance: 2, CPU: 7, Memory: 200}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v: want %v", got, err, want)
	}
	e.config.Quota = 0.3 // of which the first has then used 5 s
	got, err = e.Usage(t.Context())
	if err != nil || len(got) != 2 || got[0].CPU != 5*time.Second || got[0].Memory != 4000000 {
		t.Errorf("with a quota: %v, %v: want 5 s of it", got, err)
	}
	for apart, times := range map[string]int{"00": 1, "01": 2} { // seconds: asked together, once or again
		f.answer["GET /containers/c1/stats"] = `{"read":"2026-01-01T00:00:00.95Z","cpu_stats":` +
			`{"cpu_usage":{"total_usage":1500000000}}}`
		f.answer["GET /containers/c2/stats"] = `{"read":"2026-01-01T00:00:` + apart + `.99Z","cpu_stats":` +
			`{"cpu_usage":{"total_usage":7}}}`
		f.seen = nil
		got, err := e.Usage(t.Context())
		asked := strings.Count(strings.Join(f.seen, " "), "/c1/stats")
		if err != nil || len(got) != 2 || asked != times {
			t.Errorf("read in the seconds 00 and %s: %v, %v, asked %d times: want %d", apart, got, err, asked, times)
		}
	}
	f.answer["GET /containers/c1/stats"] = "500 no such group"
	if _, err := e.Usage(t.Context()); err == nil || !strings.Contains(err.Error(), "instance 1: ") {
		t.Errorf("error %v", err)
	}
}
