package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A lab has a control group whose share of processor time has the greatest weight that the kernel allows, so that other
// work on the machine disturbs a measurement less. Each instance is a group in it, all of equal weight; rest is the
// group of switch and generator.
//
// Only an engine that makes groups itself (cgroup driver cgroupfs) puts containers there. With systemd's driver, a lab
// has no such group.

const cgroups = "/sys/fs/cgroup"

// weights are the files that hold a group's weight, with the greatest value, in cgroup v1 and v2.
var weights = [...]struct{ root, file, most string }{
	{cgroups + "/cpu", "cpu.shares", "262144"},
	{cgroups, "cpu.weight", "10000"},
}

// upGroup makes the group and returns its path, which is empty if this machine has no such groups.
func (c *Config) upGroup() (string, error) {
	for _, w := range weights {
		if w.root == cgroups {
			if _, err := os.Stat(cgroups + "/cgroup.controllers"); err != nil {
				continue
			}
			_ = os.WriteFile(cgroups+"/cgroup.subtree_control", []byte("+cpu"), 0)
		} else if _, err := os.Stat(filepath.Join(w.root, w.file)); err != nil {
			continue
		}
		dir := filepath.Join(w.root, c.namespace())
		if err := os.MkdirAll(filepath.Join(dir, "rest"), 0o755); err != nil {
			return "", err
		}
		return dir, os.WriteFile(filepath.Join(dir, w.file), []byte(w.most), 0)
	}
	return "", nil
}

// prefer moves processes into the lab's group.
func (c *Config) prefer(pids ...int) error {
	dir, err := c.upGroup()
	if dir == "" || err != nil {
		return err
	}
	for _, pid := range pids {
		err := os.WriteFile(filepath.Join(dir, "rest", "cgroup.procs"), []byte(strconv.Itoa(pid)), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("process %d: %w", pid, err)
		}
	}
	return nil
}

// downGroup removes the group, also under the other controllers, where the engine has made it.
func (c *Config) downGroup() error {
	all := []string{filepath.Join(cgroups, c.namespace())}
	under, _ := filepath.Glob(filepath.Join(cgroups, "*", c.namespace()))
	for _, dir := range append(all, under...) {
		if err := removeGroup(dir, emptying); err != nil {
			return err
		}
	}
	return nil
}

// emptying is how long a group may take to become empty. A process stays in its group until the kernel has finished
// with it. On a busy machine that is some time after its arguments are gone from /proc, or its container from the
// engine.
const emptying = 10 * time.Second

// removeGroup removes a group and the groups in it once they have no process left. The error names processes that stay.
func removeGroup(dir string, limit time.Duration) error {
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		var inside []string
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				inside = append(inside, path)
			}
			return nil
		})
		var err error
		for i := len(inside) - 1; i >= 0; i-- {
			if e := os.Remove(inside[i]); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EBUSY):
			return err
		case time.Since(begun) > limit:
			return fmt.Errorf("%s: not empty after %v: %s: %w", dir, limit, occupants(inside), err)
		}
	}
}

// occupants names the processes in groups.
func occupants(groups []string) string {
	var all []string
	for _, dir := range groups {
		pids, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		for _, pid := range strings.Fields(string(pids)) {
			name, _ := os.ReadFile("/proc/" + pid + "/comm")
			all = append(all, fmt.Sprintf("process %s (%s) in %s", pid, strings.TrimSpace(string(name)),
				filepath.Base(dir)))
		}
	}
	if all == nil {
		return "no process is listed there, so one is still ending"
	}
	return strings.Join(all, ", ")
}

// pidOf is the number in one of Open vSwitch's pid files.
func pidOf(file string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
