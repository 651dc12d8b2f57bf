package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/internal/needs"
)

// The names of what the tests make are this process' own, since others may test at the same time.
var (
	testTestbed = fmt.Sprintf("test-%d", os.Getpid())
	testRef     = fmt.Sprintf("smartinco-test:%d", os.Getpid())
)

// testImage makes the image of the tests: this repository's program, static, as the lab runs it.
var testImage = sync.OnceValue(func() (err error) {
	dir, err := os.MkdirTemp("", "smartinco")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "smartinco")
	build := exec.Command("go", "build", "-o", program, "../../cmd/smartinco")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	image, err := Program(program, "forward")
	if err != nil {
		return err
	}
	return Import(context.Background(), Config{Testbed: testTestbed}, testRef, image)
})

func TestMain(m *testing.M) {
	code := m.Run()
	if os.Getuid() == 0 {
		_ = Purge(context.Background(), Config{Testbed: testTestbed})
	}
	os.Exit(code)
}

// engine opens the machine's engine with ports in a network namespace of the test's own.
func engine(t *testing.T, c Config) *Engine {
	t.Helper()
	needs.Root(t, "no network namespace can be made")
	ctx := t.Context()
	cli, err := connect(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = cli.Ping(ctx)
	cli.Close()
	if err != nil {
		needs.This(t, "no Docker Engine: "+err.Error())
	}
	if err := testImage(); err != nil {
		t.Fatal(err)
	}
	c.Testbed, c.Image = testTestbed, testRef
	if c.Owner == "" {
		c.Owner = strings.ReplaceAll(strings.ToLower(t.Name()), "/", "-")[:min(30, len(t.Name()))]
	}
	if c.Probe.Log == "" && c.Probe.Exec == nil {
		c.Probe.Log = "ready"
	}
	if c.Veth == nil {
		c.Veth = &Veth{}
	}
	c.Veth.Namespace = namespace(t)
	if c.Ports == nil {
		c.Ports = ports("sw", 2)
	}
	e, err := Open(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		found, err := e.List(context.Background())
		if err != nil {
			t.Error(err)
		}
		for _, c := range found {
			if err := e.Delete(context.Background(), c.Instance); err != nil {
				t.Error(err)
			}
		}
		e.Close()
	})
	return e
}

// ports are n of them, PREFIX1i and PREFIX1o the first.
func ports(prefix string, n int) []Port {
	var p []Port
	for i := 1; i <= n; i++ {
		p = append(p, Port{At: hw.Ports{In: fmt.Sprint(prefix, i, "i"), Out: fmt.Sprint(prefix, i, "o")}})
	}
	return p
}

var namespaces atomic.Int32

func namespace(t *testing.T) string {
	t.Helper()
	name := fmt.Sprintf("smartinco-test-%d-%d", os.Getpid(), namespaces.Add(1))
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		needs.This(t, "no network namespace: "+string(out))
	}
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	return name
}

// devices are the names of a namespace's virtual Ethernet devices.
func devices(t *testing.T, namespace string) string {
	t.Helper()
	ns, err := netns.GetFromName(namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range links {
		if l.Type() == "veth" {
			names = append(names, l.Attrs().Name)
		}
	}
	return strings.Join(names, " ")
}

// The life of two instances: created with ports, listed, deleted, ports given back and taken again.
func TestLife(t *testing.T) {
	var plugged []string
	e := engine(t, Config{
		CPUs: "0", Quota: 0.5, QuotaPeriod: 10 * time.Millisecond,
		Veth: &Veth{Plug: func(_ context.Context, d ...string) error { plugged = append(plugged, d...); return nil }},
	})
	ctx := t.Context()
	a, err := e.Create(ctx, 7)
	if err != nil {
		t.Fatal(err)
	}
	if want := (hw.Ports{In: "sw1i", Out: "sw1o"}); a.Ports != want || !a.Running || a.Instance != 7 {
		t.Errorf("created %+v, want ports %v", a, want)
	}
	if a.Started <= 0 || a.Ready < a.Started {
		t.Errorf("started after %v, ready after %v", a.Started, a.Ready)
	}
	if got := strings.Join(plugged, " "); got != "sw1i sw1o" {
		t.Errorf("the switch was given %q", got)
	}
	if _, err := e.Create(ctx, 7); err == nil || !strings.Contains(err.Error(), "instance 7") {
		t.Errorf("a second container for the same instance: error %v", err)
	}
	if _, err := e.Create(ctx, 8); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Create(ctx, 9); !errors.Is(err, ErrNoPort) {
		t.Errorf("a third instance with two ports: error %v, want %v", err, ErrNoPort)
	}
	if got := devices(t, e.config.Veth.Namespace); got != "sw1i sw1o sw2i sw2o" {
		t.Errorf("devices %q", got)
	}
	state, err := e.cli.ContainerInspect(ctx, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	if h := state.HostConfig; h.Privileged || h.CpusetCpus != "0" || h.CPUQuota != 5000 || h.CPUPeriod != 10000 ||
		h.NetworkMode != "none" {
		t.Errorf("the container has privileged %v, CPUs %q, quota %d/%d, network %q", h.Privileged, h.CpusetCpus,
			h.CPUQuota, h.CPUPeriod, h.NetworkMode)
	}
	if err := e.Resize(ctx, 7, 0.5); err != nil {
		t.Fatal(err)
	}
	if state, err = e.cli.ContainerInspect(ctx, a.ID); err != nil {
		t.Fatal(err)
	}
	if h := state.HostConfig; h.CPUQuota != 2500 || h.CPUPeriod != 10000 || h.CpusetCpus != "0" {
		t.Errorf("with half of its share the container has quota %d/%d on CPUs %q", h.CPUQuota, h.CPUPeriod,
			h.CpusetCpus)
	}
	if err := e.Resize(ctx, 7, 0.01); err == nil { // the kernel has a least quota
		t.Error("a quota of 50 us is taken")
	}
	used, err := e.Usage(ctx)
	if err != nil || len(used) != 2 || used[0].Instance != 7 || used[0].CPU <= 0 || used[0].Memory <= 0 {
		t.Errorf("two containers use %+v, %v", used, err)
	}
	if err := e.Delete(ctx, 7); err != nil {
		t.Fatal(err)
	}
	if err := e.Delete(ctx, 7); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if got := devices(t, e.config.Veth.Namespace); got != "sw2i sw2o" {
		t.Errorf("after Delete devices %q", got)
	}
	b, err := e.Create(ctx, 10)
	if err != nil || b.Ports.In != "sw1i" {
		t.Errorf("the port that was given back: %+v, %v", b, err)
	}
	found, err := e.List(ctx)
	if err != nil || len(found) != 2 || found[0].Instance != 8 || found[1].Instance != 10 || found[1].Ports != b.Ports {
		t.Errorf("List: %+v, %v", found, err)
	}
}

// What Create made before an error is gone after it.
func TestCreateUndoes(t *testing.T) {
	trouble := errors.New("the switch is on fire")
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"command fails", func(c *Config) { c.Command = []string{"--ring", "3"} },
			"exit code 2; its last output: smartinco: ring of 3 slots"},
		{"never ready", func(c *Config) {
			c.Probe = Probe{Log: "a line that never comes",
				Timeout: 500 * time.Millisecond}
		}, "not ready after 500ms; it"},
		{"no image", func(c *Config) { c.Image = "smartinco-none:latest" },
			`image "smartinco-none:latest": build or load it first`},
		{"no such device", func(c *Config) { c.Devices = []string{"/dev/nonesuch"} }, "/dev/nonesuch"},
		{"switch refuses", func(c *Config) { c.Veth.Plug = func(context.Context, ...string) error { return trouble } },
			trouble.Error()},
		{"no CPU of that number", func(c *Config) { c.CPUs = "9999" }, "9999"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := engine(t, Config{Owner: "undo", Ports: ports("un", 1)})
			test.change(&e.config)
			if _, err := e.Create(t.Context(), 1); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if found, err := e.List(t.Context()); err != nil || len(found) != 0 {
				t.Errorf("left %v, %v", found, err)
			}
			if left := devices(t, e.config.Veth.Namespace); left != "" {
				t.Errorf("left devices %s", left)
			}
			if _, err := e.pool.take(); err != nil {
				t.Errorf("its port is still taken: %v", err)
			}
		})
	}
}

// A container that ends by itself is reported once, with its signal; one that was deleted is not.
func TestDeaths(t *testing.T) {
	e := engine(t, Config{Ports: ports("d", 3)})
	ctx := t.Context()
	for i := flow.Instance(1); i <= 3; i++ {
		if _, err := e.Create(ctx, i); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Delete(ctx, 1); err != nil {
		t.Fatal(err)
	}
	if err := e.Kill(ctx, 2); err != nil {
		t.Fatal(err)
	}
	d := <-e.Deaths()
	if d.Instance != 2 || d.Reason != "exit code 137: killed" {
		t.Errorf("death %+v, want one of instance 2 by SIGKILL", d)
	}
	found, err := e.List(ctx)
	if err != nil || len(found) != 2 || found[0].Running || !found[1].Running {
		t.Errorf("List after the death: %+v, %v", found, err)
	}
	// A dead container has its port until it is deleted, as a living one has.
	if err := e.Delete(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Create(ctx, 4); err != nil {
		t.Error(err)
	}
	select {
	case d := <-e.Deaths():
		t.Errorf("death %+v, but nobody died", d)
	case <-time.After(100 * time.Millisecond):
	}
}

// A process that was killed leaves containers and devices. The next one finds them, and sweeps devices of ports that
// no container has.
func TestAdoption(t *testing.T) {
	first := engine(t, Config{Owner: "adopt"})
	ctx := t.Context()
	c, err := first.Create(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	ns, err := netns.GetFromName(first.config.Veth.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, name := range []string{"sw2i", "other"} {
		v := netlink.NewVeth(netlink.LinkAttrs{Name: name})
		v.PeerName = name + "p"
		if err := h.LinkAdd(v); err != nil {
			t.Fatal(err)
		}
	}
	second, err := Open(ctx, first.config)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	found, err := second.List(ctx)
	if err != nil || len(found) != 1 || found[0].ID != c.ID || found[0].Ports != c.Ports || !found[0].Running {
		t.Errorf("found %+v, %v; want %+v", found, err, c)
	}
	// the container's two and the stranger's two
	if got := strings.Fields(devices(t, first.config.Veth.Namespace)); len(got) != 4 {
		t.Errorf("devices %v: want those of the container and the other's, not that of the free port", got)
	}
	d, err := second.Create(ctx, 4)
	if err != nil || d.Ports.In != "sw2i" {
		t.Errorf("created %+v, %v; want the port that is free", d, err)
	}
	if err := second.Kill(ctx, 3); err != nil {
		t.Fatal(err)
	}
	if d := <-second.Deaths(); d.Instance != 3 {
		t.Errorf("death %+v, want the adopted one's", d)
	}
	// Another owner on the same testbed sees none of them.
	other := first.config
	other.Owner, other.Ports = "other", ports("o", 1)
	stranger, err := Open(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if found, err := stranger.List(ctx); err != nil || len(found) != 0 {
		t.Errorf("another owner sees %v, %v", found, err)
	}
}

// The probe may be a command in the container.
func TestProbeByCommand(t *testing.T) {
	e := engine(t, Config{Probe: Probe{Exec: []string{"/smartinco", "version"}}})
	if _, err := e.Create(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	e.config.Probe = Probe{Exec: []string{"/smartinco", "nonesuch"}, Timeout: time.Second}
	if _, err := e.Create(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "not ready after 1s") {
		t.Errorf("a command that fails: error %v", err)
	}
}
