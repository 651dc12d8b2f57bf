package lab

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/hw/internal/process"
	"github.com/smartinco/smartinco/hw/ovs/vswitch"
	"github.com/smartinco/smartinco/results"
)

// experiment is a run of a few flows at a rate that any machine can do.
const experiment = `
name: experiment
duration: %s
instances: {initial: 2, min: 2, max: 3}
scheduler: {policy: round-robin, limit: 100kpps}
autoscaler: {policy: none, interval: 500ms}
telemetry: {window: 500ms}
workload:
  - cbr: {flows: 4, interval: 300ms, rate: 100pps}
`

// replaying is smartinco replay as a process of its own.
type replaying struct {
	*exec.Cmd
	lab *Config
	out string // directory of the record
	log *bytes.Buffer
}

// begin begins a run of the experiment.
func begin(t *testing.T, c *Config, duration string, sets ...string) *replaying {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "experiment.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, experiment, duration), 0o644); err != nil {
		t.Fatal(err)
	}
	r := &replaying{lab: c, out: filepath.Join(dir, "record"), log: &bytes.Buffer{}}
	args := []string{"replay", file, "--testbed", c.Testbed(), "-o", r.out}
	for _, s := range sets {
		args = append(args, "--set", s)
	}
	r.Cmd = exec.Command(c.Program, args...)
	r.Stdout, r.Stderr = r.log, r.log
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() })
	return r
}

// ends waits for the run and returns its exit code and its record.
func (r *replaying) ends(t *testing.T) (int, *results.Record) {
	t.Helper()
	_ = r.Wait() // the code says it
	rec, err := results.Open(r.out)
	if err != nil {
		t.Fatalf("%v\n%s", err, r.log)
	}
	return r.ProcessState.ExitCode(), rec
}

// underWay waits until the run has recorded some windows.
func (r *replaying) underWay(t *testing.T) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(50 * time.Millisecond) {
		rec, err := results.Open(r.out)
		if err != nil {
			continue
		}
		if ws, err := rec.Windows(); err == nil && len(ws) >= 3 {
			return
		}
	}
	t.Fatalf("the run has recorded no window after a minute:\n%s", r.log)
}

// smartinco runs the program and returns what it printed.
func smartinco(t *testing.T, c *Config, args ...string) string {
	t.Helper()
	out, err := exec.Command(c.Program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("smartinco %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// nothingIsLeft looks for containers and rules.
func nothingIsLeft(t *testing.T, c *Config) {
	t.Helper()
	if containers, rules := left(t, c); containers+rules != 0 {
		t.Errorf("%d containers and %d rules are left", containers, rules)
	}
}

func left(t *testing.T, c *Config) (containers, rules int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, containers, err := docker.Count(ctx, docker.Config{Testbed: c.Name})
	if err != nil {
		t.Fatal(err)
	}
	address := "unix:" + c.path("ovs/"+bridge+".mgmt")
	out, err := exec.CommandContext(ctx, "ovs-ofctl", "-O", "OpenFlow13", "dump-flows", address).Output()
	if err != nil {
		t.Fatal(err)
	}
	return containers, len(regexp.MustCompile(`cookie=0x51dc`).FindAll(out, -1))
}

// An experiment on real containers, real rules and real packets, and what can go wrong with each of them.
func TestReplay(t *testing.T) {
	lab := config(t, "lreplay")
	lab.Work, lab.Wait = 0, 0
	c := &lab
	mustUp(t, lab)

	// A run ends with a record that verifies, and leaves nothing.
	t.Run("whole", func(t *testing.T) {
		if out := smartinco(t, c, "hw", "doctor", "--testbed", c.Testbed()); strings.Contains(out, "FAIL") {
			t.Errorf("the doctor says:\n%s", out)
		}
		r := begin(t, c, "4s")
		code, rec := r.ends(t)
		if code != 0 || !rec.Run.Complete || rec.Run.Plant != "hw" || rec.Run.Engine != lab.Name {
			t.Fatalf("exit code %d, %+v\n%s", code, rec.Run, r.log)
		}
		total := &rec.Run.Totals
		if !rec.Run.Conservation.Holds || total.Offered < 1000 || total.Processed < 0.5*total.Offered || total.RulesInstalled < 4 {
			t.Errorf("conservation %+v, totals %+v", rec.Run.Conservation, total)
		}
		flows, err := rec.Flows()
		if err != nil || len(flows) != 4 {
			t.Errorf("%d flows, %v", len(flows), err)
		}
		for _, f := range flows {
			if f.Offered == 0 || f.Instance != f.Flow%2+1 {
				t.Errorf("flow %+v: want packets, on the instances in turn", f)
			}
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	t.Run("interrupted", func(t *testing.T) {
		r := begin(t, c, "10min")
		r.underWay(t)
		if err := r.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		code, rec := r.ends(t)
		if code != 130 || rec.Run.Complete || !strings.HasPrefix(rec.Run.Error, "stopped at ") || rec.Run.Tables == nil {
			t.Errorf("exit code %d, complete %v, error %q\n%s", code, rec.Run.Complete, rec.Run.Error, r.log)
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	// A killed run leaves rules and containers; the testbed is cleared by hw clean, or by the next run.
	for _, by := range []string{"clean", "run"} {
		t.Run("killed, cleared by "+by, func(t *testing.T) {
			r := begin(t, c, "10min")
			r.underWay(t)
			if out, err := exec.Command(c.Program, "hw", "clean", "--testbed", c.Testbed()).CombinedOutput(); err == nil || !bytes.Contains(out, []byte("the testbed is in use")) {
				t.Errorf("clean during a run: %v, %s", err, out)
			}
			if err := r.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_, rec := r.ends(t)
			if ws, err := rec.Windows(); err != nil || len(ws) < 3 || rec.Run.Complete {
				t.Errorf("the record of the killed run: %d windows, complete %v, %v", len(ws), rec.Run.Complete, err)
			}
			smartinco(t, c, "verify", r.out)
			if containers, rules := left(t, c); containers != 2 || rules == 0 {
				t.Errorf("the killed run has left %d containers and %d rules, want 2 and some", containers, rules)
			}
			said := ""
			if by == "clean" {
				said = smartinco(t, c, "hw", "clean", "--testbed", c.Testbed())
			} else {
				next := begin(t, c, "2s")
				code, rec := next.ends(t)
				if said = next.log.String(); code != 0 || !rec.Run.Complete {
					t.Errorf("the next run: exit code %d, %+v", code, rec.Run)
				}
			}
			if !regexp.MustCompile(`removed .*2 containers and [1-4] rules?`).MatchString(said) {
				t.Errorf("%s said: %s", by, said)
			}
			nothingIsLeft(t, c)
		})
	}

	// The flows of a killed instance move to another, a new one takes its place, and the loss is counted.
	t.Run("instance killed", func(t *testing.T) {
		r := begin(t, c, "6s", "faults=[{kind: instance-death, at: 2s, instance: 1}]")
		code, rec := r.ends(t)
		if code != 0 || !strings.Contains(r.log.String(), "instance 1 died") {
			t.Fatalf("exit code %d\n%s", code, r.log)
		}
		flows, err := rec.Flows()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flows {
			if f.Instance == 1 {
				t.Errorf("flow %+v is on the dead instance", f)
			}
		}
		is, err := rec.Instances()
		if err != nil {
			t.Fatal(err)
		}
		last := map[int32]string{}
		for _, i := range is {
			last[i.Instance] = i.State
		}
		if last[1] != "failed" || last[2] != "ready" || last[3] == "" {
			t.Errorf("states at the end: %v", last)
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	// Open vSwitch is killed and started: its rules come back, and the run goes on.
	t.Run("switch restarted", func(t *testing.T) {
		r := begin(t, c, "12s")
		r.underWay(t)
		s, err := vswitch.At(c.path("ovs"), c.namespace())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Appctl(t.Context(), "exit"); err != nil {
			t.Fatal(err)
		}
		for s.Running() {
			time.Sleep(20 * time.Millisecond)
		}
		if err := s.StartDaemon(t.Context()); err != nil {
			t.Fatal(err)
		}
		code, rec := r.ends(t)
		if code != 0 || !rec.Run.Complete || !strings.Contains(r.log.String(), "the switch is lost") || !strings.Contains(r.log.String(), "the switch is back") {
			t.Fatalf("exit code %d\n%s", code, r.log)
		}
		ws, err := rec.Windows()
		if err != nil || len(ws) < 3 {
			t.Fatalf("%d windows, %v", len(ws), err)
		}
		if w := ws[len(ws)-1]; w.Processed < 100 {
			t.Errorf("the last window processed %g packets a second of %g: want traffic to flow again", w.Processed, w.Offered)
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	// Without a generator there is no run: it ends, and its record says why.
	t.Run("generator killed", func(t *testing.T) {
		r := begin(t, c, "10min")
		r.underWay(t)
		if err := process.End(c.generates, unix.SIGKILL, time.Minute); err != nil {
			t.Fatal(err)
		}
		code, rec := r.ends(t)
		if code != 1 || rec.Run.Complete || !strings.HasPrefix(rec.Run.Error, "the generator has not answered for") {
			t.Errorf("exit code %d, error %q\n%s", code, rec.Run.Error, r.log)
		}
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})
}
