package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/internal/needs"
	"github.com/smartinco/smartinco/results"
)

// patience is the bound of what must happen at some time, for machines that are busy with other tests.
// TestASignalHasASecond is about the second in which it must.
const patience = time.Minute

var codes = []struct {
	signal syscall.Signal
	code   int
}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}}

// midway brings a verb into the middle of its work.
type midway func(t *testing.T, dir string) work

// work is a verb's arguments and how it is known to be in the middle of its work: ready returns then, in a process of
// its own; or it prints what nobody takes; or it is quiet, and there all the time.
type work struct {
	args  []string
	ready func()
	quiet bool
}

// There is a case for each verb of the program.
var midways = map[string]midway{
	"run":             long("run", "out/run.json"),
	"sweep":           long("sweep", "out/*/run.json"),
	"sweep plan":      prints("sweep", "plan", "fig9", "-o", "DIR/none"),
	"sweep status":    prints("sweep", "status", "fig9", "-o", "DIR/none"),
	"sweep missing":   prints("sweep", "missing", "fig9", "-o", "DIR/none"),
	"sweep merge":     prints("sweep", "merge", "fig9", "--set", "duration=5s", "-o", "STUDY"),
	"sweep rank":      prints("sweep", "rank", "STUDY"),
	"optimize":        optimizing,
	"study":           comparing,
	"trace generate":  long("trace generate", "out/.t.csv.*"),
	"reproduce":       reproducing,
	"fidelity":        waiting("fidelity", "--readings"),
	"report":          prints("report", "RECORD", "-o", "DIR/r.html"),
	"plot":            prints("plot", "fig9", "RECORD", "-o", "f.svg"),
	"export":          prints("export", "RECORD"),
	"verify":          prints("verify", "RECORD"),
	"compare":         prints("compare", "RECORD", "RECORD"),
	"validate":        prints("validate", "fig9"),
	"theory":          prints("theory", "--runs", "5", "--packets", "10000"),
	"policies":        prints("policies"),
	"version":         prints("version"),
	"help":            prints("help"),
	"calibrate":       prints("calibrate", "POINTS"),
	"hw drivers":      prints("hw", "drivers"),
	"trace inspect":   prints("trace", "inspect", "FLOWS"),
	"trace convert":   prints("trace", "convert", "FLOWS", "DIR/converted.csv"),
	"replay":          onSilentTestbed("replay", "fig9-best-fit"),
	"hw doctor":       onSilentTestbed("hw", "doctor"),
	"hw clean":        onSilentTestbed("hw", "clean"),
	"lab calibrate":   onSilentTestbed("lab", "calibrate"),
	"lab up":          onSilentEngine("up"),
	"lab down":        onSilentEngine("down"),
	"lab status":      onSilentEngine("status"),
	"await":           waiting("await", "--for", "no-such-if0", "/bin/true"),
	"trex-server":     serving,
	"forward":         asRoot("forward", "--in", "lo", "--out", "lo"),
	"scenario list":   prints("scenario", "list"),
	"scenario stacks": prints("scenario", "stacks"),
	"scenario show":   prints("scenario", "show", "fig9"),
	"scenario schema": prints("scenario", "schema"),

	"scenario reference":    prints("scenario", "reference"),
	"completion bash":       prints("completion", "bash"),
	"completion zsh":        prints("completion", "zsh"),
	"completion fish":       prints("completion", "fish"),
	"completion powershell": prints("completion", "powershell"),
}

// A signal ends every verb in the middle of its work, with the code that says which.
func TestSignalsEndEveryVerb(t *testing.T) {
	for _, path := range leaves(t) {
		if midways[path] == nil {
			t.Errorf("%s: no case says how it is when a signal comes", path)
		}
	}
	// Where these tests were started by nohup, the programs that they start would ignore hangups too.
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(heard) })
	for path, begin := range midways {
		t.Run(strings.ReplaceAll(path, " ", "-"), func(t *testing.T) {
			t.Parallel()
			for _, c := range codes {
				t.Run(c.signal.String(), func(t *testing.T) {
					dir := t.TempDir()
					if w := begin(t, dir); w.ready == nil {
						stuckThen(t, w, c.signal, c.code)
					} else {
						processThen(t, dir, w, c.signal, c.code)
					}
				})
			}
		})
	}
}

// leaves are the paths of all verbs that do something, without the program's name.
func leaves(t *testing.T) (paths []string) {
	t.Helper()
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd("completion")
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.HasSubCommands() {
			paths = append(paths, strings.TrimPrefix(c.CommandPath(), "smartinco "))
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return paths
}

// stuckThen runs a verb in this process up to its first word, which is never taken, and sends the signal.
func stuckThen(t *testing.T, w work, s syscall.Signal, want int) {
	t.Helper()
	args := w.args
	out := &stuck{reached: make(chan struct{}), free: make(chan struct{})}
	if w.quiet {
		close(out.reached)
		out.once.Do(func() {})
	}
	signals := make(chan os.Signal, 1)
	ended := make(chan int, 1)
	var stderr locked
	returned := make(chan struct{})
	go func() {
		ended <- supervise(signals, &stderr, func(ctx context.Context) int {
			defer close(returned)
			return run(ctx, args, strings.NewReader(""), out, &stderr)
		})
	}()
	select {
	case <-out.reached:
	case code := <-ended:
		t.Fatalf("%q ended with %d before it printed: %s", args, code, stderr.String())
	case <-time.After(patience):
		t.Fatalf("%q prints nothing", args)
	}
	signals <- s
	select {
	case got := <-ended:
		if got != want {
			t.Errorf("%q ended with %d, want %d: %s", args, got, want, stderr.String())
		}
	case <-time.After(patience):
		t.Errorf("%q goes on after %v", args, s)
	}
	close(out.free)
	<-returned // the folder of its files is about to go
}

// stuck is a standard output from which nobody reads.
type stuck struct {
	once    sync.Once
	reached chan struct{}
	free    chan struct{}
}

func (s *stuck) Write([]byte) (int, error) {
	s.once.Do(func() { close(s.reached) })
	<-s.free
	return 0, io.ErrClosedPipe
}

// locked is a buffer for several goroutines.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// processThen runs a verb in a process of its own and sends the signal when it is ready.
func processThen(t *testing.T, dir string, w work, s syscall.Signal, want int) {
	t.Helper()
	args := w.args
	c := exec.Command("smartinco", args...)
	c.Dir = dir
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	isReady := make(chan struct{})
	go func() { w.ready(); close(isReady) }()
	select {
	case <-isReady:
	case err := <-ended:
		t.Fatalf("%q ended before it was at work: %v\n%s", args, err, out.String())
	case <-time.After(patience):
		c.Process.Kill()
		t.Fatalf("%q is not at work", args)
	}
	if err := c.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
		if got := c.ProcessState.ExitCode(); got != want {
			t.Errorf("%q: exit code %d, want %d\n%s", args, got, want, out.String())
		}
	case <-time.After(patience):
		c.Process.Kill()
		t.Errorf("%q goes on after %v", args, s)
	}
	records, err := filepath.Glob(filepath.Join(dir, "out", "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if rec, err := results.Open(filepath.Dir(r)); err != nil || rec.Run.Complete {
			t.Errorf("%q left a record that is complete or cannot be read: %v", args, err)
		}
	}
}

// long is a run whose first window outlives every test.
func long(verb, appears string) midway {
	return func(t *testing.T, dir string) work {
		write(t, filepath.Join(dir, "long.yaml"),
			"name: long\nengine: packet\nduration: 100000s\ntelemetry: {window: 100000s}\nworkload: [{cbr: {flows: "+
				"4, rate: 5Mpps, arrivals: poisson}}]\n")
		out := "out"
		if verb == "trace generate" {
			out = "out/t.csv"
			if err := os.Mkdir(filepath.Join(dir, "out"), 0o777); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "long.yaml"),
				"name: long\nduration: 100000s\nworkload: [{model: {name: agh-2015, rate: 100000}}]\n")
		}
		return work{args: append(strings.Fields(verb), "long.yaml", "-o", out), ready: until(dir, appears)}
	}
}

// optimizing is a search whose first run is long.
func optimizing(t *testing.T, dir string) work {
	w := long("run", "out/smartinco.lock")(t, dir)
	write(t, filepath.Join(dir, "search.yaml"), "name: s\nscenario: long.yaml\nvary: {scheduler.limit: {from: 1Mpps, "+
		"to: 9Mpps}}\nobjectives: [{minimize: loss}]\nbudget: 9\n")
	w.args = []string{"optimize", "search.yaml", "-o", "out"}
	return w
}

func comparing(t *testing.T, dir string) work {
	w := long("study", "out/*/run.json")(t, dir)
	write(t, filepath.Join(dir, "part.yaml"), "sweep:\n  matrix: {stack: [smartnic], scheduler.policy: [random, "+
		"round-robin], autoscaler.policy: [none]}\n  seeds: 2\n")
	w.args[1] = "."
	return w
}

func reproducing(t *testing.T, dir string) work {
	return work{args: []string{"reproduce", "--engine", "packet", "-o", "out"},
		ready: until(dir, "out/records/packet/*/*/run.json")}
}

func until(dir, appears string) func() {
	return func() {
		for {
			if found, err := filepath.Glob(filepath.Join(dir, appears)); err != nil || len(found) > 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// prints is a verb that reads little and prints. RECORD, STUDY, POINTS and FLOWS in its arguments are files of that
// kind.
func prints(args ...string) midway {
	return func(t *testing.T, dir string) work {
		var all []string
		for _, a := range args {
			switch a {
			case "RECORD":
				a = filepath.Join(dir, "record")
				quiet(t, "run", "fig9-best-fit", "--set", "duration=10s", "--force", "-o", a)
			case "STUDY":
				a = filepath.Join(dir, "study")
				quiet(t, "sweep", "fig9", "--set", "duration=5s", "-o", a)
			case "POINTS":
				a = filepath.Join(dir, "points.csv")
				write(t, a, "1,25Mpps\n4,10.5Mpps\n8,5.25Mpps\n")
			case "FLOWS":
				a = filepath.Join(dir, "flows.csv")
				quiet(t, "trace", "generate", "fig9-best-fit", "--set", "duration=2s", "--set",
					"workload.0.cbr.total=1Mbps", "-o", a)
			case "f.svg":
				a = filepath.Join(dir, a)
			}
			all = append(all, strings.Replace(a, "DIR", dir, 1))
		}
		return work{args: all}
	}
}

// quiet runs a verb that must succeed.
func quiet(t *testing.T, args ...string) {
	t.Helper()
	var out bytes.Buffer
	if code := run(context.Background(), args, strings.NewReader(""), &out, &out); code != 0 {
		t.Fatalf("%q: exit code %d\n%s", args, code, out.String())
	}
}

// onSilentTestbed is a verb on a testbed whose switch takes the connection and says nothing.
func onSilentTestbed(verb ...string) midway {
	return func(t *testing.T, dir string) work {
		l := silent(t, "tcp", "127.0.0.1:0")
		// No part is one of another case's, which would have it in use.
		write(t, filepath.Join(dir, "testbed.yaml"), fmt.Sprintf(`name: t%d
switch: {ovs: {address: "tcp:%v", uplink: p0}}
containers: {docker: {host: "unix://%s/none.sock", image: i, ports: [{in: a}]}}
generator: {trex: {address: "%[2]v"}}
`, os.Getpid(), l.Addr(), dir))
		return work{args: append(verb, "--testbed", "testbed.yaml"), ready: accepted(t, l)}
	}
}

// onSilentEngine is a verb of the lab whose Docker Engine takes the connection and says nothing.
func onSilentEngine(verb string) midway {
	return func(t *testing.T, dir string) work {
		l := silent(t, "unix", filepath.Join(dir, "d.sock"))
		args := []string{"lab", verb, "--name", "nosuchlab", "--dir", "lab", "--docker",
			"unix://" + filepath.Join(dir, "d.sock")}
		return work{args: args, ready: accepted(t, l)}
	}
}

func silent(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accepted(t *testing.T, l net.Listener) func() {
	return func() {
		if c, err := l.Accept(); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
}

// waiting is a verb that prints nothing while it waits.
func waiting(args ...string) midway {
	return func(*testing.T, string) work { return work{args: args, quiet: true} }
}

const opens = "network interfaces are opened" // why it takes root

// serving is a server that takes connections.
func serving(t *testing.T, _ string) work {
	needs.Root(t, opens)
	l := silent(t, "tcp", "127.0.0.1:0")
	address := l.Addr().String()
	l.Close()
	return work{args: []string{"trex-server", "--port", "lo", "--listen", address}, ready: func() {
		for {
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}}
}

// asRoot is a verb that opens network interfaces and then prints.
func asRoot(args ...string) midway {
	return func(t *testing.T, _ string) work {
		needs.Root(t, opens)
		return work{args: args}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// A verb that holds hardware comes back by itself, however long it cleans; hangups of a connection that breaks, and a
// signal that is sent twice at once, do not hurry it. Another order to end does.
func TestHardwareIsCleanedBeforeTheEnd(t *testing.T) {
	// What hands signals out begins with the first that wants some, and must not be of the bubble that it would keep
	// from ending.
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGPIPE)
	signal.Stop(c)
	for _, c := range []struct {
		name    string
		then    []syscall.Signal // once grace is over
		cleaned bool
	}{
		{"nothing more", nil, true},
		{"hangups", []syscall.Signal{syscall.SIGHUP, syscall.SIGHUP}, true},
		{"another order", []syscall.Signal{syscall.SIGTERM}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals, ended, holding := make(chan os.Signal), make(chan int, 1), make(chan struct{})
				finish, cleaned := make(chan struct{}), make(chan struct{})
				var stderr locked
				go func() {
					ended <- supervise(signals, &stderr, func(ctx context.Context) int {
						release := holds(ctx, &stderr)
						defer release()
						close(holding)
						<-ctx.Done()
						<-finish
						close(cleaned)
						return 1
					})
				}()
				<-holding
				signals <- syscall.SIGHUP
				time.Sleep(grace - 1)
				signals <- syscall.SIGTERM // counts as the same
				time.Sleep(3 * grace)
				select {
				case code := <-ended:
					t.Fatalf("ended with %d before the hardware was clean: %s", code, stderr.String())
				default:
				}
				for _, s := range c.then {
					signals <- s
				}
				if c.cleaned {
					close(finish)
				}
				if code := <-ended; code != 129 {
					t.Errorf("exit code %d, want 129, the first signal's", code)
				}
				select {
				case <-cleaned:
				default:
					if c.cleaned {
						t.Error("the hardware was not cleaned")
					}
					close(finish)
				}
				if !strings.Contains(stderr.String(), "another signal ends at once") {
					t.Errorf("said only %q", stderr.String())
				}
			})
		})
	}
}

// A signal has a second to end a verb that does not listen, on a terminal that takes nothing: half of it here, the rest
// is for the process to go.
func TestASignalHasASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		out := &stuck{reached: make(chan struct{}), free: make(chan struct{})}
		defer close(out.free)
		signals <- syscall.SIGTERM
		began := time.Now()
		code := supervise(signals, out, func(context.Context) int { <-out.free; return 0 })
		if took := time.Since(began); code != 143 || took > time.Second/2 {
			t.Errorf("ended with %d after %v, want 143 within half a second", code, took)
		}
	})
}

// The user is told how to go on where a signal has cut the work short: not where it came when all was done, nor of a
// record where none had begun.
func TestOnlyWhatIsCutShortIsSaidToBe(t *testing.T) {
	for _, c := range []struct {
		verb        string
		file, holds string // the signal comes when this file is there and holds this
		code        int
		says        bool
	}{
		{"run", "", "", 1, false},
		{"run", "run.json", `"complete": false`, 1, true},
		{"run", "run.json", `"complete": true`, 0, false},
		{"sweep", "", "", 1, true},
		{"sweep", "fig9-best-fit/run.json", `"complete": true`, 1, true}, // the summary is not there yet
		{"sweep", "summary.csv", "fig9-best-fit", 0, false},
	} {
		dir := filepath.Join(t.TempDir(), "out")
		ctx := &signalled{Context: context.Background(), now: func() bool {
			b, err := os.ReadFile(filepath.Join(dir, c.file))
			return c.file == "" || err == nil && bytes.Contains(b, []byte(c.holds))
		}}
		var out bytes.Buffer
		code := run(ctx, []string{c.verb, "fig9-best-fit", "-o", dir}, strings.NewReader(""), &out, &out)
		if said := out.String(); code != c.code ||
			strings.Contains(said, "up to there") != (c.says && c.verb == "run") ||
			strings.Contains(said, "from there") != (c.says && c.verb == "sweep") || strings.Contains(said, "%!") {
			t.Errorf("%s, signal when %q holds %q: exit code %d, want %d; says how to go on: want %v\n%s", c.verb,
				c.file, c.holds, code, c.code, c.says, said)
		}
	}
}

// signalled is a context that ends when now first says so.
type signalled struct {
	context.Context
	now func() bool
}

func (s *signalled) Err() error {
	if s.now() {
		return context.Canceled
	}
	return nil
}

// nohup ignores SIGHUP, and what it starts goes on; without it the signal ends the same verb.
func TestNohupIsHeard(t *testing.T) {
	dir := t.TempDir()
	w := long("run", "out/run.json")(t, dir)
	c := exec.Command("sh", "-c", `trap "" HUP; exec smartinco "$@"`, "sh")
	c.Args = append(c.Args, w.args...)
	c.Dir = dir
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	w.ready()
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := c.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Wait()
	if got := c.ProcessState.ExitCode(); got != 143 {
		t.Errorf("exit code %d, want 143: SIGHUP is ignored", got)
	}
}
