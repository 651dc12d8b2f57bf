package study

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func only(t *testing.T, text, dir string) *scenarios.Scenario {
	t.Helper()
	st, err := scenarios.Parse("t.yaml", []byte(text), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return st.Runs[0].Scenario
}

// A run knows each of its files as it digested it, whatever another run of the study has found in it since.
func TestChangedFilesAreKnown(t *testing.T) {
	const trex = "name: t\nduration: 1s\nworkload: [{model: {name: trex, file: mix.yaml}}]"
	for _, spoiled := range []string{"", "mix.yaml", "a.pcap", "b.pcap"} {
		for _, again := range []bool{false, true} {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "mix.yaml"), "[{cap_info: [{name: a.pcap}, {name: b.pcap}]}]\n")
			write(t, filepath.Join(dir, "a.pcap"), "one")
			write(t, filepath.Join(dir, "b.pcap"), "two")
			sc, known := only(t, trex, dir), &digests{}
			behind, err := known.of(context.Background(), sc)
			if err != nil || len(behind) != 3 {
				t.Fatalf("%d files, %v; want 3", len(behind), err)
			}
			if spoiled != "" {
				f, err := os.OpenFile(filepath.Join(dir, spoiled), os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				f.WriteString("\n# more")
				f.Close()
			}
			if again {
				if _, err := known.of(context.Background(), sc); err != nil {
					t.Fatal(err)
				}
			}
			switch err := behind.changed(); {
			case spoiled == "" && err != nil:
				t.Error(err)
			case spoiled != "" && (err == nil || !strings.Contains(err.Error(),
				"workload.0.model.file: "+filepath.Join(dir, spoiled)+" was changed")):
				t.Errorf("%s changed, digested again %v: %v", spoiled, again, err)
			}
		}
	}
}

// What the engine reads is what was digested, or there is no record.
func TestAFileThatChangesBeforeTheEngineReadsIt(t *testing.T) {
	dir := t.TempDir()
	times := filepath.Join(dir, "times.csv")
	write(t, times, "1us\n")
	defer func(e engine) { engines["packet"] = e }(engines["packet"])
	engines["packet"] = engine{check: packet.Check,
		make: func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
			write(t, times, "1us\n2us\n")
			return packet.New(sc, w, end, c)
		}}
	sc := only(t, "name: t\nengine: packet\nduration: 1ms\nvnf: {service: empirical, service_file: "+
		"times.csv}\nworkload: [{cbr: {flows: 1, rate: 1kpps}}]", dir)
	out := filepath.Join(dir, "record")
	_, err := One(context.Background(), sc, out, Options{})
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "vnf.service_file: "+times+" was changed") {
		t.Errorf("the run ended with %v", err)
	}
	if rec, err := results.Open(out); err == nil {
		t.Errorf("there is a record, of %+v", rec.Run.Inputs)
	}
}
