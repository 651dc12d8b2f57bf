package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/internal/needs"
)

// dockerd is a private Docker Engine, which a test can end without ending the machine's. Its sockets, data and
// containerd are in its folder, and it makes no bridge and no firewall rule.
type dockerd struct {
	testing.TB
	dir         string
	liveRestore bool
	running     *exec.Cmd
}

// newDockerd starts an engine. With liveRestore, containers go on without it.
func newDockerd(t testing.TB, liveRestore bool) *dockerd {
	t.Helper()
	for _, p := range []string{"dockerd", "containerd"} {
		if _, err := exec.LookPath(p); err != nil {
			needs.This(t, "no "+p+": install docker.io")
		}
	}
	needs.Root(t, "no Docker Engine can be started")
	dir, err := os.MkdirTemp("", "dockerd") // a short path, for the sockets
	if err != nil {
		t.Fatal(err)
	}
	d := &dockerd{TB: t, dir: dir, liveRestore: liveRestore}
	t.Cleanup(d.remove)
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = "+
		"[\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = %q\n",
		d.path("containerd"), d.path("containerd-state"), d.path("containerd.sock"))
	for name, text := range map[string]string{"containerd.toml": config, "daemon.json": "{}"} {
		if err := os.WriteFile(d.path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	containerd := d.spawn("containerd", "--config", d.path("containerd.toml"))
	t.Cleanup(func() { d.end(containerd, unix.SIGTERM) })
	t.Cleanup(func() { d.stop(unix.SIGTERM) })
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(d.path("containerd.sock")); err == nil {
			break
		}
		if time.Since(begun) > time.Minute {
			d.Fatalf("containerd does not start:\n%s", d.log("containerd"))
		}
	}
	d.start()
	return d
}

func (d *dockerd) path(name string) string { return filepath.Join(d.dir, name) }

func (d *dockerd) host() string { return "unix://" + d.path("docker.sock") }

func (d *dockerd) log(program string) string {
	text, _ := os.ReadFile(d.path(program + ".log"))
	return string(text)
}

// spawn starts a program whose output goes to a file.
func (d *dockerd) spawn(program string, args ...string) *exec.Cmd {
	d.Helper()
	log, err := os.OpenFile(d.path(program+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.Fatal(err)
	}
	defer log.Close()
	c := exec.Command(program, args...)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		d.Fatal(err)
	}
	return c
}

func (d *dockerd) end(c *exec.Cmd, signal syscall.Signal) {
	if c == nil || c.ProcessState != nil {
		return
	}
	_ = c.Process.Signal(signal)
	late := time.AfterFunc(time.Minute, func() { _ = c.Process.Kill() })
	_ = c.Wait()
	late.Stop()
}

// start starts the daemon, and returns when it answers.
func (d *dockerd) start() {
	d.Helper()
	args := []string{
		"--config-file", d.path("daemon.json"), "--host", d.host(), "--containerd", d.path("containerd.sock"),
		"--data-root", d.path("data"), "--exec-root", d.path("exec"), "--pidfile", d.path("docker.pid"),
		"--bridge", "none", "--iptables=false", "--ip6tables=false",
	}
	if d.liveRestore {
		args = append(args, "--live-restore")
	}
	d.running = d.spawn("dockerd", args...)
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_, err := docker.Info(ctx, docker.Config{Host: d.host()})
		cancel()
		if err == nil {
			return
		}
		if time.Since(begun) > time.Minute {
			d.Fatalf("%v\n%s", err, d.log("dockerd"))
		}
	}
}

// stop ends the daemon.
func (d *dockerd) stop(signal syscall.Signal) { d.end(d.running, signal) }

// remove removes the folder, and what the daemon left mounted there.
func (d *dockerd) remove() {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		d.Error(err)
	}
	mounts := strings.Split(string(text), "\n")
	slices.Reverse(mounts)
	for _, m := range mounts {
		if f := strings.Fields(m); len(f) > 4 && strings.HasPrefix(f[4], d.dir+"/") {
			_ = unix.Unmount(f[4], unix.MNT_DETACH)
		}
	}
	if err := os.RemoveAll(d.dir); err != nil {
		d.Error(err)
	}
}

// The engine is restarted during a run. If Docker keeps containers alive without the daemon, the run does not notice
// the crash. If not, all instances die, and others take their place once the engine is back.
func TestDockerRestarted(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		liveRestore bool
		end         syscall.Signal
	}{
		{"containers go on", true, unix.SIGKILL},
		{"containers end", false, unix.SIGTERM},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newDockerd(t, test.liveRestore)
			lab := config(t, "ldocker", func(c *Config) { c.Docker, c.Work, c.Wait = d.host(), 0, 0 })
			c := &lab
			t.Cleanup(func() { // for Down
				if d.running.ProcessState != nil {
					d.start()
				}
			})
			mustUp(t, lab)
			r := begin(t, c, "10min")
			r.underWay(t)
			d.stop(test.end)
			time.Sleep(time.Second)
			d.start()
			if test.liveRestore {
				before := len(r.windows())
				waitFor(t, "three more windows", func() bool { return len(r.windows()) >= before+3 })
				rec := r.interrupt(t)
				if total := &rec.Run.Totals; total.Processed < 0.99*total.Offered ||
					strings.Contains(r.log.String(), "died") {
					t.Errorf("%.0f of %.0f packets were processed: want a run that did not notice\n%s", total.Processed,
						total.Offered, r.log)
				}
			} else {
				r.until(t, "two instances in the place of the first", func(states map[int32]string) bool {
					ready := 0
					for i, s := range states {
						if i > 2 && s == "ready" {
							ready++
						}
					}
					return states[1] == "failed" && states[2] == "failed" && ready == 2
				})
				r.interrupt(t)
			}
			smartinco(t, c, "verify", r.out)
			nothingIsLeft(t, c)
		})
	}
}
