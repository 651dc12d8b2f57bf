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

// A lab has a control group, in which its processors' time weighs as much as the kernel allows: what else the machine
// does then disturbs a measurement less. Its instances are groups in it, equal among themselves; rest is the group of
// switch and generator.
//
// Only an engine that makes groups itself (cgroup driver cgroupfs) puts containers there; with systemd's, a lab goes
// without.

const cgroups = "/sys/fs/cgroup"

// weights are the files of a group's share of processor time and the most that they take: cgroup v1 and v2.
var weights = [...]struct{ root, file, most string }{
	{cgroups + "/cpu", "cpu.shares", "262144"},
	{cgroups, "cpu.weight", "10000"},
}

// upGroup makes the group; it returns where, or nothing if this machine has no such groups.
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

// downGroup removes the group, under every controller where the engine has made it too.
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

// emptying is how long a group has to become empty. A process counts in its group until the kernel is through with it,
// which on a busy machine is some time after its arguments are gone from /proc, or the engine has removed its
// container.
const emptying = 10 * time.Second

// removeGroup removes a group and those in it, once no process is left in them. Processes that stay are named.
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
