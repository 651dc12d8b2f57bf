package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/internal/needs"
)

// standIn is the program with the stand-in for DOCA Flow, as make standin builds it.
var standIn = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("smartinco-lab-test-%d", os.Getpid()), "smartinco-standin")
	build := exec.Command("go", "build", "-tags", "doca,standin,netgo,osusergo", "-ldflags",
		"-linkmode external -extldflags -static",
		"-o", path, "../../cmd/smartinco")
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "CGO_CFLAGS=-g -O2")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// The same lab with another switch: the driver for DOCA Flow and its shim, on the stand-in for the SDK, which forwards
// the packets. What the lab's other tests hold of runs holds here too.
func TestReplayOnDOCA(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		needs.This(t, "no gcc: the stand-in for DOCA Flow is in C")
	}
	lab := config(t, "ldoca")
	lab.Switch, lab.Work, lab.Wait = "doca", 0, 0
	var err error
	if lab.Program, err = standIn(); err != nil {
		t.Fatal(err)
	}
	c := &lab
	mustUp(t, lab)
	if got := status(t, lab); got != everything {
		t.Errorf("up: %s", got)
	}
	other := lab
	other.Switch = "ovs"
	if err := Up(t.Context(), other, func(string) {}); err == nil ||
		!strings.Contains(err.Error(), "up with switch doca") {
		t.Errorf("up with another switch: %v", err)
	}
	if out := smartinco(t, c, "hw", "doctor", "--testbed", c.Testbed()); strings.Contains(out, "FAIL") ||
		!strings.Contains(out, "running stand-in") {
		t.Errorf("the doctor says:\n%s", out)
	}
	nothing := func(t *testing.T) {
		t.Helper()
		if _, containers, err := docker.Count(t.Context(), docker.Config{Testbed: c.Name}); err != nil ||
			containers != 0 {
			t.Errorf("%d containers are left, %v", containers, err)
		}
	}

	t.Run("whole", func(t *testing.T) {
		r := begin(t, c, "4s")
		code, rec := r.ends(t)
		total := &rec.Run.Totals
		if code != 0 || !rec.Run.Complete || !rec.Run.Conservation.Holds || total.Offered < 1000 ||
			total.Processed < 0.5*total.Offered || total.RulesInstalled != 4 {
			t.Fatalf("exit code %d, %+v\n%s", code, rec.Run, r.log)
		}
		flows, err := rec.Flows()
		if err != nil || len(flows) != 4 {
			t.Errorf("%d flows, %v", len(flows), err)
		}
		for _, f := range flows {
			if f.Processed == 0 || f.Offered != f.Processed+f.Dropped+f.Queued || f.Instance != f.Flow%2+1 {
				t.Errorf("flow %+v: want its packets, all of them, through the instances in turn", f)
			}
		}
		smartinco(t, c, "verify", r.out)
		nothing(t)
	})

	// The flows of a killed instance are moved to another.
	t.Run("instance killed", func(t *testing.T) {
		r := begin(t, c, "6s", "faults=[{kind: instance-death, at: 2s, instance: 1}]")
		code, rec := r.ends(t)
		flows, err := rec.Flows()
		if code != 0 || err != nil || !rec.Run.Conservation.Holds || rec.Run.Totals.Moves == 0 {
			t.Fatalf("exit code %d, %v, %+v\n%s", code, err, rec.Run, r.log)
		}
		for _, f := range flows {
			if f.Instance == 1 || f.Processed < f.Offered/3 {
				t.Errorf("flow %+v: want it through another instance", f)
			}
		}
		smartinco(t, c, "verify", r.out)
		nothing(t)
	})

	// The switch ends with its program, and what is left of a killed run are containers.
	t.Run("killed", func(t *testing.T) {
		r := begin(t, c, "10min")
		r.underWay(t)
		if err := r.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = r.Wait()
		if _, containers, err := docker.Count(t.Context(), docker.Config{Testbed: c.Name}); containers != 2 {
			t.Errorf("the killed run has left %d containers, %v", containers, err)
		}
		next := begin(t, c, "2s")
		if code, rec := next.ends(t); code != 0 || !rec.Run.Complete ||
			!strings.Contains(next.log.String(), "2 containers and 0 rules") {
			t.Errorf("the next run: exit code %d, %+v\n%s", code, rec.Run, next.log)
		}
		nothing(t)
	})
}
