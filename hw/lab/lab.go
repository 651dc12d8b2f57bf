// Package lab makes a whole testbed on one Linux machine: a switch, a traffic generator and instances, all real and
// small.
//
//	          ┌───────────── network namespace smartinco-lab ──────────────┐
//	trex-server ── gen0 ══ uplink ──┐              ┌── sink ══ gen1 ── trex-server
//	                                Open vSwitch, br0
//	                                └─ i1 o1 … i10 o10 ┘
//	                                   ║  ║      ║  ║        ══ pairs of virtual Ethernet devices
//	                                  in out    in out
//	                                 container  container    each with a namespace of its own
//
// The Open vSwitch is a private one, with its own database and sockets and the userspace datapath. The lab can have the
// stand-in for DOCA Flow instead, which forwards in the program that runs an experiment. The containers come from the
// machine's Docker Engine. Their image is made of this program, which is its own forwarder (package forwarder), or of
// the machine's testpmd. The generator is this program too, speaking TRex's protocol. But for testpmd nothing polls:
// everything sleeps when there is nothing to do, so two cores are enough.
//
// Everything that belongs to a lab is found again by the lab's name: the namespace, the processes that run in it, the
// folder, the label of its containers and of its image. So Down also removes a lab whose maker was killed, and touches
// nothing else.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/hw/internal/process"
	"github.com/smartinco/smartinco/hw/lab/forwarder"
)

// Config is the configuration of a lab. Defaults returns the usual one.
type Config struct {
	Switch  string        // one of Switches
	Name    string        // of the namespace and of the labels: 1 to 20 small letters and digits
	Dir     string        // where sockets, logs and the testbed's file are
	Program string        // smartinco, statically linked: the generator, and the instances' image
	Listen  string        // address of the generator's RPC
	Docker  string        // the engine's address; empty for DOCKER_HOST or the local socket
	Runs    string        // what an instance runs: one of Programs
	Ports   int           // of instances
	Ring    int           // slots of an instance's receive ring
	Work    time.Duration // CPU time that a packet costs an instance, if it runs forward
	Wait    time.Duration // other time that a packet costs an instance, if it runs forward
	CPUs    string        // the instances' processors; empty for all
	Quota   float64       // processors' worth of time for each instance; 0 for no limit
	Rest    string        // the processors of switch and generator; empty for all
}

// Defaults returns a configuration for this machine. The instances share the last processor, and everything else has
// the others. So the traffic takes no time from the instances, which contend with each other alone.
//
// The costs give the proportions of figure 7. A packet takes 300 µs, half of them on the shared processor. So one
// instance processes 3.3 kpps, and any number of them not quite twice that; the published rates are 25 and 43 Mpps.
func Defaults() Config {
	c := Config{
		Switch: "ovs", Runs: "forward", Name: "lab", Dir: "/run/smartinco/lab", Listen: "127.0.0.1:4511",
		Ports: 10, Ring: 1024, Work: 150 * time.Microsecond, Wait: 150 * time.Microsecond,
	}
	c.Program, _ = os.Executable()
	if n := runtime.NumCPU(); n > 1 {
		c.CPUs, c.Rest = strconv.Itoa(n-1), "0-"+strconv.Itoa(n-2)
	}
	return c
}

func (c *Config) namespace() string { return "smartinco-" + c.Name }
func (c *Config) image() string     { return "smartinco/" + c.Name + ":latest" }

func (c *Config) path(name string) string { return filepath.Join(c.Dir, name) }

// Testbed is the file that describes the lab, for a run on it.
func (c *Config) Testbed() string { return c.path("testbed.yaml") }

// Check says what is wrong with a configuration, and makes Dir absolute.
func (c *Config) Check() error {
	if err := c.check(); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}

func (c *Config) check() (err error) {
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return err
	}
	if c.Name == "" || len(c.Name) > 20 || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("name %q: want 1 to 20 small letters and digits", c.Name)
	}
	k, ok := switches[c.Switch]
	if !ok {
		return fmt.Errorf("switch %q: want one of %s", c.Switch, strings.Join(Switches(), ", "))
	}
	if c.Ports < 1 || c.Ports > k.maxPorts {
		return fmt.Errorf("%d ports: want 1 to %d", c.Ports, k.maxPorts)
	}
	if host, _, err := net.SplitHostPort(c.Listen); err != nil || host == "" {
		return fmt.Errorf("address %q of the generator: want HOST:PORT", c.Listen)
	}
	for _, set := range []string{c.CPUs, c.Rest} {
		if _, err := cpuSet(set); err != nil {
			return err
		}
	}
	if !(c.Quota >= 0 && c.Quota <= 1024) {
		return fmt.Errorf("quota %g: want 0 to 1024 processors", c.Quota)
	}
	if _, ok := programs[c.Runs]; !ok {
		return fmt.Errorf("an instance runs %q: want %s", c.Runs, strings.Join(Programs(), " or "))
	}
	f := forwarder.Config{In: "in", Out: "out", Ring: c.Ring, Work: c.Work, Wait: c.Wait}
	return f.Check()
}

// ErrMissing says, in the sense of errors.Is, that this machine lacks something that a lab needs.
var ErrMissing = errors.New("missing")

// Missing says what the machine lacks, and how to mend each lack.
func Missing(ctx context.Context, c Config) error {
	var all []error
	add := func(format string, args ...any) {
		all = append(all, fmt.Errorf("lab: %w: "+format, append([]any{ErrMissing}, args...)...))
	}
	if os.Geteuid() != 0 {
		add("root: a lab makes network namespaces and devices")
	} else if m := switches[c.Switch].missing(); m != "" {
		add("%s", m)
	}
	if _, err := exec.LookPath("ip"); err != nil {
		add("no ip: install iproute2")
	}
	if _, err := docker.Info(ctx, docker.Config{Host: c.Docker}); err != nil {
		add("%w", err)
	}
	if p, ok := programs[c.Runs]; ok {
		if err := p.missing(); err != nil {
			add("%w", err)
		}
	}
	return errors.Join(all...)
}

// Up makes a lab, or the parts that are missing, and writes its testbed file. After an error, the parts that are made
// stay, for Down or another Up.
func Up(ctx context.Context, c Config, progress func(string)) error {
	if err := c.Check(); err != nil {
		return err
	}
	if err := Missing(ctx, c); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"network namespace " + c.namespace(), c.upNetwork},
		{"switch " + c.Switch, func(ctx context.Context) error { return switches[c.Switch].up(&c, ctx) }},
		{"image " + c.image(), c.upImage},
		{"generator at " + c.Listen, c.upGenerator},
		{"testbed file " + c.Testbed(), c.writeTestbed},
	} {
		progress(step.what)
		if err := within(ctx, step.do); err != nil {
			return fmt.Errorf("lab: %s: %w", step.what, err)
		}
	}
	return nil
}

// within does a step, and abandons it when the context ends, so that an interrupt need not wait. Another Up or Down
// finds what there is.
func within(ctx context.Context, step func(context.Context) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- step(ctx) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Down removes whatever there is of a lab. It is no error if there is nothing. After an error it goes on with the rest,
// until its context ends.
func Down(ctx context.Context, c Config) error {
	if err := c.Check(); err != nil {
		return err
	}
	var failed []error
	for _, part := range []struct {
		what string
		end  func(context.Context) error
	}{
		{"containers", func(ctx context.Context) error {
			return docker.Purge(ctx, docker.Config{Host: c.Docker, Testbed: c.Name})
		}},
		{"generator", func(context.Context) error { return c.stopGenerator() }},
		{"Open vSwitch", func(context.Context) error { return c.downOVS() }},
		{"network namespace", func(context.Context) error { return c.downNetwork() }},
		{"control group", func(context.Context) error { return c.downGroup() }},
		{"folder", func(context.Context) error {
			if len(failed) > 0 {
				return nil // the testbed's file describes what is left
			}
			return c.removeDir()
		}},
	} {
		if err := within(ctx, part.end); err != nil {
			failed = append(failed, fmt.Errorf("lab: %s: %w", part.what, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failed...)
}

// removeDir removes the lab's own files. The folder stays if it holds more.
func (c *Config) removeDir() error {
	for _, name := range []string{"ovs", "generator.log", "testbed.yaml", "testbed.yaml.new"} {
		if err := os.RemoveAll(c.path(name)); err != nil {
			return err
		}
	}
	err := os.Remove(c.Dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return err
}

func (c *Config) upNetwork(context.Context) error {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	if !c.hasNamespace() {
		if out, err := exec.Command("ip", "netns", "add", c.namespace()).CombinedOutput(); err != nil {
			return fmt.Errorf("ip netns add: %s: %w", strings.TrimSpace(string(out)), err)
		}
	}
	h, err := c.links()
	if err != nil {
		return err
	}
	defer h.Close()
	if there := switchIn(h); there != "" && there != c.Switch {
		return fmt.Errorf("this lab is up with switch %s: take it down first", there)
	}
	for _, l := range switches[c.Switch].links {
		if _, err := h.LinkByName(l.port); err != nil {
			v := netlink.NewVeth(netlink.LinkAttrs{Name: l.port})
			v.PeerName = l.far
			if err := h.LinkAdd(v); err != nil {
				return fmt.Errorf("device %s: %w", l.port, err)
			}
		}
		for _, name := range []string{l.port, l.far} {
			if err := up(h, name); err != nil {
				return fmt.Errorf("device %s: %w", name, err)
			}
		}
	}
	return nil
}

func up(h *netlink.Handle, name string) error {
	l, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	if err := h.LinkSetARPOff(l); err != nil {
		return err
	}
	_ = h.LinkSetIP6AddrGenMode(l, 1) // none: no packets of the kernel's own. Refused where there is no IPv6
	return h.LinkSetUp(l)
}

func (c *Config) hasNamespace() bool {
	ns, err := netns.GetFromName(c.namespace())
	if err == nil {
		ns.Close()
	}
	return err == nil
}

func (c *Config) links() (*netlink.Handle, error) {
	ns, err := netns.GetFromName(c.namespace())
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return netlink.NewHandleAt(ns)
}

func (c *Config) downNetwork() error {
	if _, err := os.Lstat(filepath.Join("/run/netns", c.namespace())); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// The devices go first: those of a namespace without a name live as long as a socket in it.
	if h, err := c.links(); err == nil {
		all, err := h.LinkList()
		if err == nil {
			for _, l := range all {
				if l.Type() == "veth" {
					_ = h.LinkDel(l) // its peer, deleted with it, may be in the list too
				}
			}
		}
		h.Close()
	}
	if out, err := exec.Command("ip", "netns", "del", c.namespace()).CombinedOutput(); err != nil {
		return fmt.Errorf("ip netns del: %s: %w", strings.TrimSpace(string(out)), err)
	}
	return nil
}

func (c *Config) upImage(ctx context.Context) error {
	i, err := programs[c.Runs].image(ctx, c)
	if err != nil {
		return err
	}
	return docker.Import(ctx, docker.Config{Host: c.Docker, Testbed: c.Name}, c.image(), i)
}

// onRest runs something whose child processes are to stay off the instances' processors.
func (c *Config) onRest(do func() error) error {
	set, err := cpuSet(c.Rest)
	if err != nil || set == nil {
		return errors.Join(err, do())
	}
	// A child inherits the processors of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, set); err != nil {
		return fmt.Errorf("processors %s: %w", c.Rest, err)
	}
	defer unix.SchedSetaffinity(0, &before)
	return do()
}

// cpuSet reads a list such as 0-2,5; the set is nil if the list is empty.
func cpuSet(list string) (*unix.CPUSet, error) {
	if list == "" {
		return nil, nil
	}
	var set unix.CPUSet
	for part := range strings.SplitSeq(list, ",") {
		from, to, ok := strings.Cut(part, "-")
		if !ok {
			to = from
		}
		a, err1 := strconv.Atoi(from)
		b, err2 := strconv.Atoi(to)
		if err1 != nil || err2 != nil || a < 0 || b < a || b >= 1024 {
			return nil, fmt.Errorf("processors %q: want a list such as 0-2,5", list)
		}
		for ; a <= b; a++ {
			set.Set(a)
		}
	}
	return &set, nil
}

// upGenerator starts the generator in the background, unless it runs. It ends one that listens elsewhere.
func (c *Config) upGenerator(ctx context.Context) error {
	same := func(args []string) bool { return c.generates(args) && slices.Equal(args[2:], c.generatorArgs()) }
	if len(process.Find(same)) > 0 {
		return nil
	}
	if err := c.stopGenerator(); err != nil {
		return err
	}
	log, err := os.OpenFile(c.path("generator.log"), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.Program, append([]string{"trex-server"}, c.generatorArgs()...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if err := c.onRest(cmd.Start); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		text, err := os.ReadFile(c.path("generator.log"))
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "listening on ") {
			return c.prefer(cmd.Process.Pid)
		}
		select {
		case err := <-ended:
			text, _ = os.ReadFile(c.path("generator.log"))
			return fmt.Errorf("it ended: %w; its output: %s", err, strings.TrimSpace(string(text)))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (c *Config) generatorArgs() []string {
	l := switches[c.Switch].links
	return []string{"--netns", c.namespace(), "--port", l[0].far, "--port", l[1].far, "--listen", c.Listen}
}

// generates tells this lab's generator from all other processes by its arguments.
func (c *Config) generates(args []string) bool {
	return len(args) > 3 && slices.Equal(args[1:4], []string{"trex-server", "--netns", c.namespace()})
}

func (c *Config) generators() []int { return process.Find(c.generates) }

func (c *Config) stopGenerator() error { return process.End(c.generates, unix.SIGTERM, 5*time.Second) }

func (c *Config) writeTestbed(ctx context.Context) error {
	info, err := docker.Info(ctx, docker.Config{Host: c.Docker})
	if err != nil {
		return err
	}
	group := ""
	if info.CgroupDriver == "cgroupfs" {
		dir, err := c.upGroup()
		if err != nil {
			return err
		}
		if dir != "" {
			group = "/" + filepath.Base(dir)
		}
	}
	written := c.Testbed() + ".new" // a program that is killed meanwhile leaves no half-written file
	if err := os.WriteFile(written, []byte(c.testbed(group)), 0o644); err != nil {
		return err
	}
	return os.Rename(written, c.Testbed())
}

// testbed is the text of the testbed's file, with the control group of the containers if there is one.
func (c *Config) testbed(group string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Made by smartinco lab up; smartinco lab down removes it.
name: %s
switch:
%scontainers:
  docker:
`, c.Name, switches[c.Switch].testbed(c))
	if c.Docker != "" {
		fmt.Fprintf(&b, "    host: %q\n", c.Docker)
	}
	p := programs[c.Runs]
	command, _ := json.Marshal(p.command(c)) // a list of strings is one in YAML too
	fmt.Fprintf(&b, "    image: %s\n    command: %s\n    ready: {log: %q}\n%s", c.image(), command, p.ready, p.more)
	if c.CPUs != "" {
		fmt.Fprintf(&b, "    cpus: %q\n", c.CPUs)
	}
	if c.Quota > 0 {
		fmt.Fprintf(&b, "    quota: %g\n", c.Quota)
	}
	if group != "" {
		fmt.Fprintf(&b, "    cgroup: %s\n", group)
	}
	fmt.Fprintf(&b, `    stop_timeout: 0s
    veth: {netns: %s%s}
    ports:
`, c.namespace(), switches[c.Switch].bridge(c))
	for i := 1; i <= c.Ports; i++ {
		fmt.Fprintf(&b, "      - {in: i%d, out: o%d}\n", i, i)
	}
	fmt.Fprintf(&b, "generator:\n  trex: {address: %q, send: 0, receive: 1}\n", c.Listen)
	return b.String()
}
