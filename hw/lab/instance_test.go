package lab

import (
	"errors"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/hw/testbed"
	"github.com/smartinco/smartinco/internal/needs"
)

// DPDK's testpmd runs in containers whose image is made of what this machine has. It polls with a part of a processor,
// which leaves the rest to other tests.
func TestTestpmd(t *testing.T) {
	if err := testpmdMissing(); err != nil {
		needs.This(t, err.Error())
	}
	lab := config(t, "ltestpmd", func(c *Config) { c.Runs, c.Quota = "testpmd", 0.3 })
	c := &lab
	mustUp(t, lab)
	r := begin(t, c, "6s")
	code, rec := r.ends(t)
	if code != 0 || !rec.Run.Complete || !rec.Run.Conservation.Holds {
		t.Fatalf("exit code %d, %+v\n%s", code, rec.Run.Conservation, r.log)
	}
	if total := &rec.Run.Totals; total.Offered < 1000 || total.Processed < 0.5*total.Offered {
		t.Errorf("processed %.0f of %.0f packets", total.Processed, total.Offered)
	}
	smartinco(t, c, "verify", r.out)
	nothingIsLeft(t, c)
}

// Errors name what an instance runs, and what the machine lacks for it.
func TestKinds(t *testing.T) {
	c := Defaults()
	c.Runs = "l2fwd"
	if err := Up(t.Context(), c, nil); err == nil ||
		!strings.Contains(err.Error(), `an instance runs "l2fwd": want forward or testpmd`) {
		t.Errorf("error %v", err)
	}
	for name, k := range programs {
		c := Defaults()
		c.Runs, c.CPUs, c.Ring = name, "1-2,5", 512
		f, err := testbed.Parse("testbed.yaml", []byte(c.testbed("")), ".")
		if err != nil {
			t.Fatal(err)
		}
		d := f.Containers.Docker
		if d.Ready.Log != k.ready || strings.Join(d.Command, "\n") != strings.Join(k.command(&c), "\n") {
			t.Errorf("%s: read as %+v", name, d)
		}
		if RingOf(d.Command) != 512 {
			t.Errorf("%s: a ring of %d slots, want 512, in %q", name, RingOf(d.Command), d.Command)
		}
	}
	t.Setenv("PATH", t.TempDir())
	c.Runs = "testpmd"
	if err := Missing(t.Context(), c); !errors.Is(err, ErrMissing) ||
		!strings.Contains(err.Error(), "no dpdk-testpmd: install DPDK (Debian: dpdk-dev)") {
		t.Errorf("error %v", err)
	}
}
