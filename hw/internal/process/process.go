// Package process finds programs that run in the background, by their arguments, and ends them. It reads no file with
// their numbers: such a file may be gone while the program runs, and the number may belong to another process by now.
package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Find returns the processes of this machine for whose arguments, the program's name first, ours is true. A process
// that is ending has no arguments any more.
func Find(ours func(args []string) bool) []int {
	all, _ := filepath.Glob("/proc/[0-9]*")
	var found []int
	for _, dir := range all {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && is(pid, ours) {
			found = append(found, pid)
		}
	}
	return found
}

func is(pid int, ours func([]string) bool) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || len(text) == 0 {
		return false
	}
	return ours(strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00"))
}

// End sends a signal to every process that Find finds, and SIGKILL to those that have not ended after a while. When it
// returns without an error, the processes have released everything: a socket's address, a lock on a file, a network
// namespace. A process loses its arguments long before it releases these.
func End(ours func(args []string) bool, signal unix.Signal, patience time.Duration) error {
	for {
		found := Find(ours)
		for _, pid := range found {
			if err := end(pid, ours, signal, patience); err != nil {
				return fmt.Errorf("process %d: %w", pid, err)
			}
		}
		if len(found) == 0 {
			return nil
		}
	}
}

func end(pid int, ours func([]string) bool, signal unix.Signal, patience time.Duration) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return ignore(err, unix.ESRCH)
	}
	defer unix.Close(fd)
	if !is(pid, ours) { // the number belongs to another process by now
		return nil
	}
	for _, signal := range []unix.Signal{signal, unix.SIGKILL} {
		if err := ignore(unix.PidfdSendSignal(fd, signal, nil, 0), unix.ESRCH); err != nil {
			return err
		}
		for late := time.Now().Add(patience); time.Now().Before(late); {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}},
				int(time.Until(late).Milliseconds())+1)
			if err = ignore(err, unix.EINTR); n > 0 || err != nil {
				return err
			}
		}
	}
	return errors.New("it does not end")
}

func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
