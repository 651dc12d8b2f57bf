package lab

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/hw/internal/process"
	"github.com/smartinco/smartinco/hw/ovs/vswitch"
	"github.com/smartinco/smartinco/hw/testbed"
	"github.com/smartinco/smartinco/internal/needs"
)

// program builds this repository's program, statically linked, of which a lab is made.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("smartinco-lab-test-%d", os.Getpid()), "smartinco")
	build := exec.Command("go", "build", "-o", path, "../../cmd/smartinco")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	if os.Getenv("LAB_TEST_CLOCK") != "" {
		fmt.Fprintln(os.Stderr, becomeClocked())
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(filepath.Join(os.TempDir(), fmt.Sprintf("smartinco-lab-test-%d", os.Getpid())))
	os.Exit(code)
}

var labs atomic.Int32

// config configures a lab that belongs to the test and this process, and is taken down at the test's end.
func config(t *testing.T, name string, change ...func(*Config)) Config {
	t.Helper()
	c := Defaults()
	c.Name, c.Dir, c.Ports = fmt.Sprint(name, os.Getpid()), filepath.Join(t.TempDir(), "lab"), 3
	for _, f := range change {
		f(&c)
	}
	needs.Root(t, "a lab makes network namespaces and devices")
	if err := Missing(t.Context(), c); err != nil {
		needs.This(t, strings.ReplaceAll(err.Error(), "lab: missing: ", ""))
	}
	var err error
	if c.Program, err = program(); err != nil {
		t.Fatal(err)
	}
	// An address of this process' own, which nobody takes meanwhile: all of 127.0.0.0/8 is this machine.
	pid := os.Getpid()
	c.Listen = fmt.Sprintf("127.%d.%d.%d:%d", 1+pid>>16&127, pid>>8&255, pid&255, 4511+labs.Add(1))
	t.Cleanup(func() {
		if err := Down(context.Background(), c); err != nil {
			t.Error(err)
		}
	})
	return c
}

func mustUp(t *testing.T, c Config) {
	t.Helper()
	if err := Up(t.Context(), c, func(string) {}); err != nil {
		log, _ := os.ReadFile(c.path("generator.log"))
		t.Fatalf("%v\n%s", err, log)
	}
}

// status returns the names of the parts that are up.
func status(t *testing.T, c Config) string {
	t.Helper()
	parts, err := Status(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var up []string
	for _, p := range parts {
		if p.Up {
			up = append(up, p.Name)
		}
	}
	return strings.Join(up, ", ")
}

const everything = "network, switch, generator, instances, testbed file"

// A lab comes up, carries packets through real containers by real rules, and goes without a trace. What does not belong
// to it stays, even if it looks alike.
func TestUpAndDown(t *testing.T) {
	c := config(t, "ltest")
	ctx := t.Context()
	mustUp(t, c)
	if got := status(t, c); got != everything {
		t.Errorf("up: %s", got)
	}
	mustUp(t, c) // changes nothing
	if got := len(c.generators()); got != 1 {
		t.Errorf("after a second up there are %d generators", got)
	}

	moved := c
	moved.Listen = strings.Replace(c.Listen, ":", ":1", 1)
	for _, c := range []Config{moved, c} { // another address, and back
		mustUp(t, c)
		if got := status(t, c); got != everything || len(c.generators()) != 1 {
			t.Errorf("at %s: up: %s, and %d generators", c.Listen, got, len(c.generators()))
		}
	}

	other := docker.Config{
		Testbed: c.Name + "x", Image: "smartinco/" + c.Name + "x:latest",
		Probe: docker.Probe{Exec: []string{"/smartinco", "version"}},
		Ports: []docker.Port{{}},
	}
	other.Ports[0].At.In = "none"
	image, err := docker.Program(c.Program, "forward")
	if err == nil {
		err = docker.Import(ctx, other, other.Image, image)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer docker.Purge(context.Background(), other)
	stranger, err := docker.Open(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Create(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ip", "netns", "add", c.namespace()+"x").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	defer exec.Command("ip", "netns", "del", c.namespace()+"x").Run()
	if err := os.WriteFile(c.path("notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}

	f, err := testbed.Load(c.Testbed())
	if err != nil {
		t.Fatal(err)
	}
	h, err := f.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer testbed.Close(h)
	m, err := Calibrate(ctx, h, Plan{
		Counts: []int{1, 2}, Rounds: 1, Settle: 200 * time.Millisecond, Measure: 500 * time.Millisecond,
		Rules: 5, Frame: 64, Offered: 500,
	}, func(s string) { t.Log(s) })
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Points) != 2 || m.Points[1].Processed <= 0 || len(m.Points[1].Each) != 2 || len(m.Rule) != 5 ||
		len(m.Ready) != 2 || len(m.Stop) != 2 {
		t.Errorf("measured %+v", m)
	}
	if _, err := h.Containers.Create(ctx, 9); err != nil { // for Down to find
		t.Fatal(err)
	}
	testbed.Close(h)

	if err := Down(ctx, c); err != nil {
		t.Fatal(err)
	}
	if got := status(t, c); got != "" {
		t.Errorf("after down there is still: %s", got)
	}
	if images, containers, err := docker.Count(ctx, docker.Config{Testbed: c.Name}); err != nil ||
		images+containers != 0 {
		t.Errorf("left %d images, %d containers, %v", images, containers, err)
	}
	if found, err := stranger.List(ctx); err != nil || len(found) != 1 || !found[0].Running {
		t.Errorf("the other testbed has %+v, %v", found, err)
	}
	if _, err := os.Stat("/run/netns/" + c.namespace() + "x"); err != nil {
		t.Errorf("the other namespace: %v", err)
	}
	if left, err := os.ReadDir(c.Dir); err != nil || len(left) != 1 || left[0].Name() != "notes.txt" {
		t.Errorf("the folder holds %v, %v: want the file that is not the lab's", left, err)
	}
	if left, _ := filepath.Glob(cgroups + "/*/" + c.namespace()); len(left) != 0 {
		t.Errorf("left control groups %v", left)
	}
	if err := Down(ctx, c); err != nil {
		t.Errorf("a second down: %v", err)
	}
}

// A group is busy until its last process is gone, which may be a moment after the lab's programs have ended. The error
// names processes that stay.
func TestRemoveGroupWaits(t *testing.T) {
	c := config(t, "lgroup")
	dir, err := c.upGroup()
	if err != nil {
		t.Fatal(err)
	}
	if dir == "" {
		needs.This(t, "no control groups for processor time")
	}
	sleep := exec.Command("sleep", "1000")
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	defer sleep.Process.Kill()
	if err := c.prefer(sleep.Process.Pid); err != nil {
		t.Fatal(err)
	}
	err = removeGroup(dir, 50*time.Millisecond)
	if want := fmt.Sprintf("process %d (sleep) in rest", sleep.Process.Pid); !errors.Is(err, unix.EBUSY) ||
		!strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
	time.AfterFunc(200*time.Millisecond, func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
	})
	if err := removeGroup(dir, time.Minute); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the group: %v", err)
	}
}

// After a crash of any part, Up mends the lab, and Down removes it.
func TestCrash(t *testing.T) {
	c := config(t, "lcrash")
	mustUp(t, c)
	crash := func() {
		t.Helper()
		s, err := vswitch.At(c.path("ovs"), c.namespace())
		if err == nil {
			err = errors.Join(s.Kill(), process.End(c.generates, unix.SIGKILL, time.Minute))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	crash()
	if got := status(t, c); got != "network, instances, testbed file" {
		t.Errorf("after a crash up: %s", got)
	}
	mustUp(t, c)
	if got := status(t, c); got != everything {
		t.Errorf("mended: %s", got)
	}
	crash()
	if err := Down(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := status(t, c); got != "" {
		t.Errorf("after down there is still: %s", got)
	}
	if _, err := os.Stat(c.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
}

// Up and Down end with their context, whatever they are doing, and the next Up or Down goes on from there.
func TestUpAndDownAreInterrupted(t *testing.T) {
	c := config(t, "lstop")
	steps := 0
	for step := 1; step <= 5; step++ {
		ctx, interrupt := context.WithCancel(t.Context())
		n := 0
		err := Up(ctx, c, func(string) {
			if n++; n == step {
				interrupt()
			}
		})
		if interrupt(); !errors.Is(err, context.Canceled) {
			t.Fatalf("interrupted in step %d: %v", step, err)
		}
		steps = n
	}
	if steps != 5 {
		t.Errorf("interrupted in step %d, want 5", steps)
	}
	mustUp(t, c)
	if got := status(t, c); got != everything {
		t.Errorf("up: %s", got)
	}
	over, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := Down(over, c); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if err := Down(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := status(t, c); got != "" {
		t.Errorf("after down there is still: %s", got)
	}
}

// A step that does not end with its context is abandoned.
func TestAStepIsAbandoned(t *testing.T) {
	begun, release, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	ctx, interrupt := context.WithCancel(t.Context())
	go func() {
		<-begun
		interrupt()
	}()
	left := make(chan error, 1)
	go func() {
		left <- within(ctx, func(context.Context) error {
			defer close(ended)
			close(begun)
			<-release
			return nil
		})
	}()
	select {
	case err := <-left:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits for the step")
	}
	select {
	case <-ended:
		t.Error("the step has ended")
	default:
	}
	close(release)
	<-ended
	err := within(ctx, func(context.Context) error { t.Error("a step after the interrupt"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that of the context", err)
	}
}

// Another program may have the generator's address.
func TestUpSaysWhatIsWrong(t *testing.T) {
	c := config(t, "lwrong")
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Up(t.Context(), c, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "lab: generator at "+c.Listen) ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Name = "../x" }, "small letters and digits"},
		{func(c *Config) { c.Ports = 0 }, "0 ports"},
		{func(c *Config) { c.Switch = "bridge" }, `switch "bridge": want one of doca, ovs`},
		{func(c *Config) { c.Switch, c.Ports = "doca", 32 }, "32 ports: want 1 to 31"},
		{func(c *Config) { c.Listen = "4501" }, "HOST:PORT"},
		{func(c *Config) { c.CPUs = "1-" }, `processors "1-"`},
		{func(c *Config) { c.Quota = -1 }, "quota -1: want 0 to 1024 processors"},
		{func(c *Config) { c.Quota = math.NaN() }, "quota NaN"},
		{func(c *Config) { c.Ring = 5 }, "even number"},
	} {
		c := Defaults()
		test.change(&c)
		for _, err := range []error{Up(t.Context(), c, nil), Down(t.Context(), c)} {
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		}
	}
}

// A written testbed file reads as the lab that it describes.
func TestTestbedFile(t *testing.T) {
	for _, group := range []string{"", "/smartinco-lab"} {
		c := Defaults()
		c.CPUs, c.Docker, c.Quota = "1", "unix:///tmp/docker.sock", 0.25
		f, err := testbed.Parse("testbed.yaml", []byte(c.testbed(group)), ".")
		if err != nil {
			t.Fatal(err)
		}
		d := f.Containers.Docker
		if len(d.Ports) != c.Ports || d.Ports[9].In != "i10" || d.Cgroup != group || d.CPUs != "1" ||
			d.Quota != 0.25 || d.Host != c.Docker || f.Generator.TRex.Receive != 1 || d.Veth.Netns != "smartinco-lab" {
			t.Errorf("read as %+v", f)
		}
	}
	c := Defaults()
	c.Switch, c.Rest = "doca", "0-2"
	f, err := testbed.Parse("testbed.yaml", []byte(c.testbed("")), ".")
	if err != nil {
		t.Fatal(err)
	}
	if d := f.Switch.DOCA; d == nil || len(d.Ports) != 1+2*c.Ports || d.Representors != "vf[0-20]" ||
		d.EAL != "-l 0-2" || d.StandIn.Netns != "smartinco-lab" || f.Containers.Docker.Veth.Bridge != "" {
		t.Errorf("read as %+v", f)
	}
}
