package vswitch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/smartinco/smartinco/hw/internal/process"
)

// Instance is a private Open vSwitch beside any other, with database, sockets and logs in its folder. It outlives the
// program that started it, and At finds it again by the folder alone.
type Instance struct {
	dir   string
	netns string
}

// The programs of an instance, by the names of their processes.
const (
	server = "ovsdb-server"
	daemon = "ovs-vswitchd"
)

const schema = "/usr/share/openvswitch/vswitch.ovsschema"

// maxSocket is the longest path of a Unix socket.
const maxSocket = 107

// Missing says what the machine lacks to run an Instance and how to get it; it is empty if nothing is missing.
func Missing() string {
	for _, p := range []string{"ovsdb-tool", server, daemon, "ovs-vsctl", "ovs-appctl"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Sprintf("no %s: install Open vSwitch (Debian: openvswitch-switch)", p)
		}
	}
	if _, err := os.Stat(schema); err != nil {
		return fmt.Sprintf("no schema of Open vSwitch's database: %v", err)
	}
	if os.Geteuid() != 0 {
		return "not root: a switch needs the right to open network devices"
	}
	return ""
}

// At returns the instance in a folder, whether it runs or not. Its switch has its devices in the network namespace,
// named as by ip-netns; empty means the caller's namespace.
func At(dir, netns string) (*Instance, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("vswitch: %w", err)
	}
	i := &Instance{dir: dir, netns: netns}
	if longest := i.path("123456789012345.snoop"); len(longest) > maxSocket { // a bridge's name and what is made for it
		return nil, fmt.Errorf("vswitch: folder %s: its path is too long for a socket's, which has %d B at most", dir,
			maxSocket)
	}
	return i, nil
}

// Start starts the instance in a folder, unless it runs already, and makes the folder if necessary. The bridges of an
// earlier run come back from the database.
func Start(ctx context.Context, dir, netns string) (*Instance, error) {
	if m := Missing(); m != "" {
		return nil, fmt.Errorf("vswitch: %s", m)
	}
	i, err := At(dir, netns)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		return nil, fmt.Errorf("vswitch: %w", err)
	}
	if err := i.startServer(ctx); err != nil {
		return nil, fmt.Errorf("vswitch: %w", err)
	}
	if err := i.StartDaemon(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

func (i *Instance) path(name string) string { return filepath.Join(i.dir, name) }

// Database is where ovs-vsctl finds the instance.
func (i *Instance) Database() Database { return Database("unix:" + i.path("db.sock")) }

// Management is the OpenFlow address of one of its bridges.
func (i *Instance) Management(bridge string) string { return "unix:" + i.path(bridge+".mgmt") }

// run starts a program with the folder in its environment.
func (i *Instance) run(ctx context.Context, args ...string) (string, error) {
	return command(ctx, []string{"OVS_RUNDIR=" + i.dir, "OVS_DBDIR=" + i.dir, "OVS_LOGDIR=" + i.dir}, args[0],
		args[1:]...)
}

// options make a program go into the background, and are how it is found there.
func (i *Instance) options(program string) []string {
	return []string{
		i.mark(program), "--unixctl=" + i.path(program+".ctl"), "--log-file=" + i.path(program+".log"),
		"-vconsole:off", "--no-chdir", "--detach",
	}
}

func (i *Instance) mark(program string) string { return "--pidfile=" + i.path(program+".pid") }

func (i *Instance) startServer(ctx context.Context) error {
	if len(i.processes(server)) > 0 {
		return nil
	}
	if _, err := os.Stat(i.path("conf.db")); errors.Is(err, fs.ErrNotExist) {
		if _, err := i.run(ctx, "ovsdb-tool", "create", i.path("conf.db"), schema); err != nil {
			return err
		}
	}
	args := append([]string{server, i.path("conf.db"), "--remote=punix:" + i.path("db.sock")}, i.options(server)...)
	if _, err := i.run(ctx, args...); err != nil {
		return err
	}
	_, err := i.Database().Vsctl(ctx, "--no-wait", "init")
	return err
}

// StartDaemon starts the switch alone, after Kill, unless it runs already. When it returns, the bridges of the database
// exist.
func (i *Instance) StartDaemon(ctx context.Context) error {
	if len(i.processes(daemon)) > 0 {
		return nil
	}
	var args []string
	if i.netns != "" {
		args = []string{"ip", "netns", "exec", i.netns}
	}
	args = append(append(args, daemon, string(i.Database())), i.options(daemon)...)
	if _, err := i.run(ctx, args...); err != nil {
		return fmt.Errorf("vswitch: %w", err)
	}
	return nil
}

// Appctl sends a command to the running switch and returns its answer.
func (i *Instance) Appctl(ctx context.Context, args ...string) (string, error) {
	return i.run(ctx, append([]string{"ovs-appctl", "--timeout=10", "-t", i.path(daemon + ".ctl")}, args...)...)
}

// Running reports whether both programs run.
func (i *Instance) Running() bool {
	return len(i.processes(server)) > 0 && len(i.processes(daemon)) > 0
}

// Kill ends the switch as a crash would, and leaves the database running.
func (i *Instance) Kill() error { return i.end(daemon, syscall.SIGKILL) }

// Stop ends switch and database; the folder stays. It is no error if they do not run.
func (i *Instance) Stop() error {
	return errors.Join(i.end(daemon, syscall.SIGTERM), i.end(server, syscall.SIGTERM))
}

// gentle is how long a program may take to end by itself.
const gentle = 5 * time.Second

// end ends a program, and removes what a killed one leaves.
func (i *Instance) end(program string, signal syscall.Signal) error {
	if err := process.End(i.runs(program), signal, gentle); err != nil {
		return fmt.Errorf("vswitch: %s: %w", program, err)
	}
	for _, left := range []string{program + ".pid", program + ".ctl"} {
		if err := os.Remove(i.path(left)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("vswitch: %w", err)
		}
	}
	return nil
}

func (i *Instance) processes(program string) []int { return process.Find(i.runs(program)) }

// runs tells a program of this instance from all others by its arguments.
func (i *Instance) runs(program string) func(args []string) bool {
	return func(args []string) bool {
		return strings.HasPrefix(filepath.Base(args[0]), program) && slices.Contains(args[1:], i.mark(program))
	}
}
