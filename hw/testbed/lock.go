package testbed

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrBusy says, in the sense of errors.Is, that somebody else uses the testbed.
var ErrBusy = errors.New("the testbed is in use")

// Lock takes the testbed for this process until unlock is called or the process ends, however it ends. It locks the
// devices - the switch, the containers' name at their engine, the generator's ports - by their own names, so that two
// files that describe the same devices exclude each other. It excludes other processes of this machine only.
//
// A lock is a file that is held (flock) and removed at the end. A file that exists and is not held was left by a
// process that was killed, or that could not remove what it had made; what is on the testbed belongs to that process.
// The file stays until a run or Clean has removed that.
func (f *File) Lock() (unlock func(), err error) {
	type lock struct {
		*os.File
		left bool
	}
	var held []lock
	unlock = func() {
		for _, l := range held {
			if f.cleaned || !l.left && !f.leaves { // what a killed run has left stays until somebody removes it
				_ = os.Remove(l.Name())
			}
			l.Close()
		}
		f.left, f.cleaned, f.leaves = false, false, false
	}
	f.left, f.cleaned, f.leaves = false, false, false
	for _, part := range f.parts() {
		file, left, err := hold(part)
		if err != nil {
			unlock()
			return nil, fmt.Errorf("%s: %s: %w", f.path, part, err)
		}
		held, f.left = append(held, lock{file, left}), f.left || left
	}
	return unlock, nil
}

// leave notes that everything on the testbed has been removed, or why something has not.
func (f *File) leave(err error) { f.cleaned, f.leaves = err == nil, err != nil }

// parts returns the names of the testbed's parts, sorted and without duplicates.
func (f *File) parts() []string {
	var all []string
	for i := range switches {
		if d := &switches[i]; d.chosen(f) {
			all = append(all, d.parts(f)...)
		}
	}
	for i := range engines {
		if d := &engines[i]; d.chosen(f) {
			all = append(all, d.parts(f)...)
		}
	}
	for i := range generators {
		if d := &generators[i]; d.chosen(f) {
			all = append(all, d.parts(f)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// lockFile is the file that locks a part, in a folder that is the same for all users and that all may write to.
func lockFile(part string) string {
	dir := "/run/lock"
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o002 == 0 {
		dir = "/tmp"
	}
	sum := sha256.Sum256([]byte(part))
	return filepath.Join(dir, fmt.Sprintf("smartinco-%x.lock", sum[:12]))
}

// hold takes the lock of a part, and says whether its file existed already.
func hold(part string) (_ *os.File, left bool, err error) {
	path := lockFile(part)
	for {
		left = true
		file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if errors.Is(err, fs.ErrNotExist) {
			left = false
			file, err = os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o666)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
		}
		if err != nil {
			return nil, false, err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			file.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, false, fmt.Errorf("%w by another process", ErrBusy)
			}
			return nil, false, fmt.Errorf("%s: %w", path, err)
		}
		// The file may have been removed between opening and locking it.
		is, err1 := file.Stat()
		now, err2 := os.Lstat(path)
		if err1 == nil && err2 == nil && os.SameFile(is, now) {
			return file, left, nil
		}
		file.Close()
	}
}

// place normalises an address, so that it names a place in one way: unix:PATH without symbolic links, HOST:PORT with an
// IP address.
func place(network, address string) string {
	if network == "unix" {
		path, err := filepath.Abs(address)
		if err != nil {
			return address
		}
		if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(dir, filepath.Base(path))
		}
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		return path
	}
	if at, err := net.ResolveTCPAddr("tcp", address); err == nil {
		return at.String()
	}
	return address
}

func ovsParts(f *File) []string {
	network, address, _ := strings.Cut(f.Switch.OVS.Address, ":")
	return []string{fmt.Sprintf("switch %s, owner %d", place(network, address), f.Switch.OVS.Owner)}
}

func tcParts(f *File) []string {
	own, _ := os.Readlink("/proc/self/ns/net")
	return []string{fmt.Sprintf("switch of %s in %s", f.Switch.TC.Uplink, own)}
}

func docaParts(f *File) []string {
	d := f.Switch.DOCA
	if s := d.StandIn; s != nil {
		return []string{fmt.Sprintf("switch between %s and %s in namespace %q", d.Uplink, s.Wire, s.Netns)}
	}
	return []string{"switch " + strings.ToLower(d.PCI)}
}

func dockerParts(f *File) []string {
	d := f.Containers.Docker
	network, address, _ := strings.Cut(d.Host, "://")
	return []string{fmt.Sprintf("containers of %s at %s", f.Name, place(network, address))}
}

func trexParts(f *File) []string {
	t := f.Generator.TRex
	var parts []string
	for _, port := range []int{t.Send, t.Receive} {
		parts = append(parts, fmt.Sprintf("port %d of the generator %s", port, place("tcp", t.Address)))
	}
	return parts
}
