package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/smartinco/smartinco/results"
)

// While figures are drawn from what was replayed, no testbed is held: the first signal ends the verb.
func TestASignalEndsTheFiguresOfReplays(t *testing.T) {
	dir := t.TempDir()
	bed, out := filepath.Join(dir, "testbed.yaml"), filepath.Join(dir, "out")
	write(t, bed, `name: figures
switch: {ovs: {address: "tcp:127.0.0.1:1", uplink: p0}}
containers: {docker: {image: i, ports: [{in: a}]}}
generator: {trex: {address: "127.0.0.1:1"}}
`)
	// Simulations that say that they are replays: there is nothing left to replay.
	where := filepath.Join(out, "records", "hw", "fig6")
	quiet(t, "sweep", "lab/fig6", "-o", where)
	records, err := results.Find(where)
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range records {
		path := filepath.Join(dir, "run.json")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var r results.Run
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		r.Plant, r.Engine = "hw", "figures"
		if b, err = json.MarshalIndent(&r, "", "  "); err != nil {
			t.Fatal(err)
		}
		write(t, path, string(b))
	}
	args := []string{"reproduce", "--plant", "hw", "--scenarios", "lab", "--testbed", bed, "-o", out}
	stuckThen(t, work{args: args}, syscall.SIGTERM, 143) // it prints when the first figure is drawn
}
