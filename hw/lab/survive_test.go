package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What a run can meet that has an end: a table, a pool, a disk.
func TestUsedUp(t *testing.T) {
	t.Parallel()
	lab := config(t, "lfull", func(c *Config) { c.Work, c.Wait = 0, 0 })
	c := &lab
	mustUp(t, lab)

	// The switch takes the rules of two of the four flows. The others go through the orchestrator, packet by packet.
	t.Run("rule table", func(t *testing.T) {
		const fixed = 4 + 2 // the misses, and what comes back from two instances
		db := c.vswitch(t).Database()
		if _, err := db.Vsctl(t.Context(), "--", "--id=@t", "create", "Flow_Table",
			fmt.Sprintf("flow_limit=%d", fixed+2),
			"--", "set", "bridge", bridge, "flow_tables:0=@t"); err != nil {
			t.Fatal(err)
		}
		r := begin(t, c, "6s")
		code, rec := r.ends(t)
		if _, err := db.Vsctl(t.Context(), "clear", "bridge", bridge, "flow_tables"); err != nil {
			t.Fatal(err)
		}
		total := &rec.Run.Totals
		if code != 0 || !rec.Run.Complete || !rec.Run.Conservation.Holds {
			t.Fatalf("exit code %d, %+v\n%s", code, rec.Run.Conservation, r.log)
		}
		if total.RulesInstalled != 2 || total.RulesRejected < 2 {
			t.Errorf("%d rules installed and %d rejected, want 2 and at least the other 2", total.RulesInstalled,
				total.RulesRejected)
		}
		if total.SlowPath < 0.2*total.Offered || total.Processed < 0.5*total.Offered {
			t.Errorf("of %.0f packets %.0f went by the orchestrator, and %.0f were processed: want half of them, and "+
				"most", total.Offered, total.SlowPath, total.Processed)
		}
		flows, err := rec.Flows()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flows {
			if f.Processed == 0 {
				t.Errorf("flow %+v: want packets of each processed", f)
			}
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	// The load asks for a third instance, and there are two ports.
	t.Run("port pool", func(t *testing.T) {
		text, err := os.ReadFile(c.Testbed())
		if err != nil {
			t.Fatal(err)
		}
		third := []byte("      - {in: i3, out: o3}\n")
		if !bytes.Contains(text, third) {
			t.Fatalf("no third port in\n%s", text)
		}
		if err := os.WriteFile(c.Testbed(), bytes.Replace(text, third, nil, 1), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.WriteFile(c.Testbed(), text, 0o644)
		r := begin(t, c, "6s", "autoscaler.policy=target-utilization", "scheduler.limit=100pps")
		code, rec := r.ends(t)
		if code != 0 || !rec.Run.Complete || !strings.Contains(r.log.String(),
			"could not be started: instance 3: docker: instance 3: no port is free: the testbed has 2") {
			t.Fatalf("exit code %d\n%s", code, r.log)
		}
		if total := &rec.Run.Totals; total.Processed < 0.5*total.Offered {
			t.Errorf("processed %.0f of %.0f: those that are there serve on", total.Processed, total.Offered)
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	// The run ends and clears up, and its record says why; what that holds is as good as a killed one's.
	t.Run("disk", func(t *testing.T) {
		disk := t.TempDir()
		if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatal(err)
		}
		defer unix.Unmount(disk, unix.MNT_DETACH)
		r := prepare(t, c, "10min")
		out := filepath.Join(disk, "record")
		for i, arg := range r.Args {
			if arg == r.out {
				r.Args[i] = out
			}
		}
		r.out = out
		r.start(t)
		r.underWay(t)
		filler, err := os.Create(filepath.Join(disk, "filler"))
		if err != nil {
			t.Fatal(err)
		}
		defer filler.Close()
		for {
			if _, err := filler.Write(make([]byte, 4096)); errors.Is(err, unix.ENOSPC) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		code, rec := r.ends(t)
		if code != 1 || rec.Run.Complete || !strings.Contains(rec.Run.Error, "no space left on device") {
			t.Errorf("exit code %d, complete %v, error %q\n%s", code, rec.Run.Complete, rec.Run.Error, r.log)
		}
		if ws, err := rec.Windows(); err != nil || len(ws) < 3 {
			t.Errorf("%d windows, %v", len(ws), err)
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})
}

// A switch that does not come back ends the run, and its record says so. What could not be removed from it, the next
// run removes.
func TestSwitchAway(t *testing.T) {
	t.Parallel()
	lab := config(t, "laway", func(c *Config) { c.Work, c.Wait = 0, 0 })
	c := &lab
	mustUp(t, lab)
	r := begin(t, c, "10min")
	r.underWay(t)
	if err := c.vswitch(t).Kill(); err != nil {
		t.Fatal(err)
	}
	code, rec := r.ends(t)
	if code != 1 || rec.Run.Complete || rec.Run.Error != "the switch has not answered for 30s" {
		t.Errorf("exit code %d, error %q\n%s", code, rec.Run.Error, r.log)
	}
	if ws, err := rec.Windows(); err != nil || len(ws) < 3 {
		t.Errorf("%d windows, %v", len(ws), err)
	}
	smartinco(t, c, "verify", r.out)
	if err := c.vswitch(t).StartDaemon(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := begin(t, c, "2s")
	if code, rec := next.ends(t); code != 0 || !rec.Run.Complete {
		t.Errorf("the next run: exit code %d\n%s", code, next.log)
	}
	nothingIsLeft(t, c)
}
