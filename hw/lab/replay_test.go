package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/hw/internal/process"
	"github.com/smartinco/smartinco/hw/ovs/vswitch"
	"github.com/smartinco/smartinco/results"
)

// experiment is a run of a few flows at a rate that any machine can handle.
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

// prepare makes a run of the experiment that has not begun.
func prepare(t *testing.T, c *Config, duration string, sets ...string) *replaying {
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
	return r
}

func (r *replaying) start(t *testing.T) {
	t.Helper()
	r.Stdout, r.Stderr = r.log, r.log
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Process.Kill() })
}

// begin begins a run of the experiment.
func begin(t *testing.T, c *Config, duration string, sets ...string) *replaying {
	t.Helper()
	r := prepare(t, c, duration, sets...)
	r.start(t)
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
	waitFor(t, "a record of three windows", func() bool { return len(r.windows()) >= 3 })
}

// windows returns the windows that are in the record by now.
func (r *replaying) windows() []results.Window {
	rec, err := results.Open(r.out)
	if err != nil {
		return nil
	}
	ws, _ := rec.Windows()
	return ws
}

// until waits until the newest states of the instances in the record are the wanted ones.
func (r *replaying) until(t *testing.T, what string, is func(states map[int32]string) bool) {
	t.Helper()
	waitFor(t, what, func() bool {
		rec, err := results.Open(r.out)
		if err != nil {
			return false
		}
		rows, err := rec.Instances()
		states := map[int32]string{}
		for _, row := range rows {
			states[row.Instance] = row.State
		}
		return err == nil && is(states)
	})
}

// interrupt interrupts a run once it is long enough, and checks that it ends in good order.
func (r *replaying) interrupt(t *testing.T) *results.Record {
	t.Helper()
	if err := r.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	code, rec := r.ends(t)
	if code != 143 || rec.Run.Complete || !strings.HasPrefix(rec.Run.Error, "stopped at ") || rec.Run.Tables == nil ||
		!rec.Run.Conservation.Holds {
		t.Errorf("exit code %d, complete %v, error %q, conservation %+v\n%s", code, rec.Run.Complete, rec.Run.Error,
			rec.Run.Conservation, r.log)
	}
	return rec
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("after two minutes there is not yet %s", what)
		}
	}
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

// leftovers are what a run may leave in a lab.
type leftovers struct {
	containers, rules int
	ports             []string // of the bridge, beside those of the generator
	devices           []string // in the lab's namespace, beside those of the generator
	groups            []string // control groups of containers
}

func nothingIsLeft(t *testing.T, c *Config) {
	t.Helper()
	if l := left(t, c); !reflect.DeepEqual(l, leftovers{}) {
		t.Errorf("left: %+v", l)
	}
}

func left(t *testing.T, c *Config) (l leftovers) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	_, l.containers, err = docker.Count(ctx, docker.Config{Host: c.Docker, Testbed: c.Name})
	must(err)
	out, err := exec.CommandContext(ctx, "ovs-ofctl", "-O", "OpenFlow13", "dump-flows",
		"unix:"+c.path("ovs/"+bridge+".mgmt")).Output()
	must(err)
	l.rules = len(regexp.MustCompile(`cookie=0x51dc`).FindAll(out, -1))
	ports, err := c.vswitch(t).Database().Vsctl(ctx, "list-ports", bridge)
	must(err)
	theirs := []string{ovsLinks[0].far, ovsLinks[1].far, ovsLinks[0].port, ovsLinks[1].port}
	for _, p := range strings.Fields(ports) {
		if !slices.Contains(theirs, p) {
			l.ports = append(l.ports, p)
		}
	}
	h, err := c.links()
	must(err)
	defer h.Close()
	devices, err := h.LinkList()
	must(err)
	for _, d := range devices {
		if name := d.Attrs().Name; d.Type() == "veth" && !slices.Contains(theirs, name) {
			l.devices = append(l.devices, name)
		}
	}
	groups, err := filepath.Glob(filepath.Join(cgroups, "*", c.namespace(), "*", "cgroup.procs"))
	must(err)
	for _, g := range groups {
		if name := filepath.Base(filepath.Dir(g)); name != "rest" {
			l.groups = append(l.groups, name)
		}
	}
	return l
}

func (c *Config) vswitch(t *testing.T) *vswitch.Instance {
	t.Helper()
	s, err := vswitch.At(c.path("ovs"), c.namespace())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// containers returns the processes of the running instances, by instance, and the files by which the engine holds their
// network namespaces.
func (c *Config) containers(t *testing.T) (pids map[int]int, namespaces []string) {
	t.Helper()
	options := []client.Opt{client.FromEnv, client.WithAPIVersionNegotiation()}
	if c.Docker != "" {
		options = append(options, client.WithHost(c.Docker))
	}
	cli, err := client.NewClientWithOpts(options...)
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	list, err := cli.ContainerList(t.Context(),
		container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "smartinco.testbed="+c.Name))})
	if err != nil {
		t.Fatal(err)
	}
	pids = map[int]int{}
	for _, x := range list {
		is, err := cli.ContainerInspect(t.Context(), x.ID)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(x.Labels["smartinco.instance"])
		if err != nil {
			t.Fatal(err)
		}
		pids[n] = is.State.Pid
		namespaces = append(namespaces, is.NetworkSettings.SandboxKey)
	}
	return pids, namespaces
}

// An experiment on real containers, real rules and real packets, and what can go wrong with each of them.
func TestReplay(t *testing.T) {
	t.Parallel()
	lab := config(t, "lreplay", func(c *Config) { c.Work, c.Wait = 0, 0 })
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
		if !rec.Run.Conservation.Holds || total.Offered < 1000 || total.Processed < 0.5*total.Offered ||
			total.RulesInstalled < 4 {
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
		r.interrupt(t)
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	// A killed run leaves rules and containers; the testbed is cleared by hw clean, or by the next run.
	for _, by := range []string{"clean", "run"} {
		t.Run("killed, cleared by "+by, func(t *testing.T) {
			r := begin(t, c, "10min")
			r.underWay(t)
			if out, err := exec.Command(c.Program, "hw", "clean", "--testbed", c.Testbed()).CombinedOutput(); err ==
				nil || !bytes.Contains(out, []byte("the testbed is in use")) {
				t.Errorf("clean during a run: %v, %s", err, out)
			}
			pids, namespaces := c.containers(t)
			if err := r.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_, rec := r.ends(t)
			if ws, err := rec.Windows(); err != nil || len(ws) < 3 || rec.Run.Complete {
				t.Errorf("the record of the killed run: %d windows, complete %v, %v", len(ws), rec.Run.Complete, err)
			}
			smartinco(t, c, "verify", r.out)
			if l := left(t, c); l.containers != 2 || l.rules == 0 || len(l.ports) != 4 || len(l.devices) != 4 ||
				len(pids) != 2 {
				t.Errorf("the killed run has left %+v and processes %v, want those of 2 instances", l, pids)
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
			for _, pid := range pids {
				if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
					t.Errorf("process %d of an instance: %v", pid, err)
				}
			}
			for _, file := range namespaces {
				// The engine removes the file within a minute. Until then it is an empty one, and no namespace.
				var is unix.Statfs_t
				if err := unix.Statfs(file, &is); err == nil && is.Type == unix.NSFS_MAGIC {
					t.Errorf("the network namespace %s of an instance is still there", file)
				}
			}
		})
	}

	// The flows of a killed instance move to another, a new one takes its place, and the loss is counted. That there is
	// a loss is certain, since the instance was stopped first, and packets waited in it.
	t.Run("instance killed", func(t *testing.T) {
		r := begin(t, c, "10min")
		r.underWay(t)
		pids, _ := c.containers(t)
		if pids[1] == 0 {
			t.Fatalf("processes %v", pids)
		}
		for _, signal := range []syscall.Signal{unix.SIGSTOP, unix.SIGKILL} {
			if err := unix.Kill(pids[1], signal); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		r.until(t, "instance 3 in the place of instance 1", func(states map[int32]string) bool {
			return states[1] == "failed" && states[2] == "ready" && states[3] == "ready"
		})
		rec := r.interrupt(t)
		if !strings.Contains(r.log.String(), "instance 1 died: exit code 137: killed") {
			t.Errorf("said: %s", r.log)
		}
		if total := &rec.Run.Totals; total.Dropped.Instance < 50 ||
			total.Processed+total.Dropped.Instance < 0.5*total.Offered || !rec.Run.Conservation.Holds {
			t.Errorf("totals %+v, conservation %+v: want a loss at the instance", total, rec.Run.Conservation)
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
		smartinco(t, c, "verify", r.out)
		nothingIsLeft(t, c)
	})

	// Open vSwitch is killed and started: its rules come back, and the run goes on.
	t.Run("switch restarted", func(t *testing.T) {
		r := begin(t, c, "10min")
		r.underWay(t)
		s := c.vswitch(t)
		if _, err := s.Appctl(t.Context(), "exit"); err != nil {
			t.Fatal(err)
		}
		for s.Running() {
			time.Sleep(20 * time.Millisecond)
		}
		before := len(r.windows())
		if err := s.StartDaemon(t.Context()); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "traffic again", func() bool {
			ws := r.windows()
			return len(ws) > before+2 && ws[len(ws)-1].Processed > 100
		})
		r.interrupt(t)
		for _, want := range []string{"the switch is lost", "the switch is back"} {
			if !strings.Contains(r.log.String(), want) {
				t.Errorf("not %q in\n%s", want, r.log)
			}
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
		// For all that the run knows it goes on to send, which is remembered until it has been seen to.
		mustUp(t, *c)
		smartinco(t, c, "hw", "clean", "--testbed", c.Testbed())
	})
}
