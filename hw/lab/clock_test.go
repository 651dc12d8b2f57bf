package lab

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw/internal/process"
)

// The machine's clock belongs to everybody, and a time namespace shifts every clock but this one. So the tests make a
// program ask the kernel for the time of day: Go's runtime reads the time from a page that the kernel shares with it,
// and does not find that page under another name. A seccomp filter hands the question to the test, which answers.

// stepped is the clock of a program, which the test moves.
type stepped struct {
	offset atomic.Int64 // nanoseconds ahead of the machine's
	asked  atomic.Int64 // times
}

// withClock makes a command that runs program with a clock of its own.
func withClock(t *testing.T, program string, args ...string) (*exec.Cmd, *stepped) {
	t.Helper()
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	// The names on amd64 and arm64.
	for _, name := range []string{"__vdso_clock_gettime", "__vdso_gettimeofday", "__kernel_clock_gettime"} {
		found += bytes.Count(text, []byte(name))
		text = bytes.ReplaceAll(text, []byte(name), []byte(name[:len(name)-1]+"!"))
	}
	if found == 0 {
		t.Fatalf("%s: it is not known how Go's runtime reads the clock here", program)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(program))
	if err := os.WriteFile(copied, text, 0o755); err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	cmd := exec.Command(os.Args[0], append([]string{copied}, args...)...)
	cmd.Env = append(os.Environ(), "LAB_TEST_CLOCK=1")
	cmd.ExtraFiles = []*os.File{theirs}
	s := &stepped{}
	go func() {
		oob := make([]byte, unix.CmsgSpace(4))
		_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), oob, 0)
		if err != nil || n == 0 {
			return // the command did not start
		}
		messages, err := unix.ParseSocketControlMessage(oob[:n])
		if err == nil {
			var fds []int
			if fds, err = unix.ParseUnixRights(&messages[0]); err == nil {
				s.serve(fds[0])
				return
			}
		}
		t.Errorf("the program's clock: %v", err)
	}()
	return cmd, s
}

// becomeClocked is what the command does before it becomes the program: it installs the filter, hands the filter's
// other end to the test, and executes the program. TestMain calls it.
func becomeClocked() error {
	runtime.LockOSThread()
	const nr, arg0 = 0, 16 // in struct seccomp_data
	low := uint32(arg0)
	if binary.NativeEndian.Uint16([]byte{0, 1}) == 1 {
		low += 4
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: nr},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_CLOCK_GETTIME, Jf: 3},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: low},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.CLOCK_REALTIME, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	fd, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER,
		uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	if err := unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(fd)), nil, 0); err != nil {
		return err
	}
	for _, fd := range []int{3, int(fd)} {
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	return syscall.Exec(os.Args[1], os.Args[1:], os.Environ())
}

// struct seccomp_notif and seccomp_notif_resp of <linux/seccomp.h>.
type question struct {
	id          uint64
	pid, flags  uint32
	nr          int32
	arch        uint32
	instruction uint64
	args        [6]uint64
}

type answer struct {
	id           uint64
	value        int64
	error, flags int32
}

// serve answers until the program has ended.
func (s *stepped) serve(fd int) {
	defer unix.Close(fd)
	for {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, -1); err != nil && err != unix.EINTR || n == 1 &&
			poll[0].Revents&unix.POLLIN == 0 {
			return
		}
		var q question
		if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_RECV,
			uintptr(unsafe.Pointer(&q))); e != 0 {
			continue // it ended while it asked
		}
		s.asked.Add(1)
		a := answer{id: q.id}
		at := unix.NsecToTimespec(time.Now().UnixNano() + s.offset.Load())
		local := unix.Iovec{Base: (*byte)(unsafe.Pointer(&at)), Len: uint64(unsafe.Sizeof(at))}
		remote := unix.RemoteIovec{Base: uintptr(q.args[1]), Len: int(unsafe.Sizeof(at))}
		if _, err := unix.ProcessVMWritev(int(q.pid), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0); err != nil {
			a.error = -int32(unix.EFAULT)
		}
		_, _, _ = unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_SEND, uintptr(unsafe.Pointer(&a)))
	}
}

func (s *stepped) step(to time.Duration) { s.offset.Store(int64(to)) }

// During a run, the wall clocks of the orchestrator's machine and of the generator's are set back by a day, and then
// forward in steps of an hour beyond the right time. The run takes its normal time, nothing times out, and times and
// rates are right.
func TestClockStepped(t *testing.T) {
	t.Parallel()
	lab := config(t, "lclock", func(c *Config) { c.Work, c.Wait = 0, 0 })
	c := &lab
	mustUp(t, lab)
	if err := process.End(c.generates, unix.SIGTERM, time.Minute); err != nil {
		t.Fatal(err)
	}
	generator, generators := withClock(t, c.Program, append([]string{"trex-server"}, c.generatorArgs()...)...)
	log, err := os.Create(c.path("generator.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	generator.Stdout, generator.Stderr = log, log
	if err := generator.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = generator.Process.Kill(); _ = generator.Wait() })
	waitFor(t, "the generator", func() bool { return status(t, lab) == everything })

	r := prepare(t, c, "6s")
	var orchestrators *stepped
	args := r.Args[1:]
	r.Cmd, orchestrators = withClock(t, c.Program, args...)
	r.start(t)
	r.underWay(t)
	// The steps are so many that hardly a clock is read twice without one between.
	for to := -24 * time.Hour; to <= 15*time.Hour; to += time.Hour {
		orchestrators.step(to)
		generators.step(to)
		time.Sleep(77 * time.Millisecond)
	}
	code, rec := r.ends(t)
	if orchestrators.asked.Load() == 0 || generators.asked.Load() == 0 {
		t.Fatalf("the clocks were asked %d and %d times: the test does not work here", orchestrators.asked.Load(),
			generators.asked.Load())
	}
	if code != 0 || !rec.Run.Complete || !rec.Run.Conservation.Holds {
		t.Fatalf("exit code %d, %+v\n%s", code, rec.Run, r.log)
	}
	for _, trouble := range []string{"lost:", "does not answer", "could not"} {
		if strings.Contains(r.log.String(), trouble) {
			t.Errorf("%q in\n%s", trouble, r.log)
		}
	}
	if offered := rec.Run.Totals.Offered; offered < 1000 || offered > 2400 {
		t.Errorf("%.0f packets offered, want some of the 2220 that the scenario has", offered)
	}
	ws, err := rec.Windows()
	if err != nil {
		t.Fatal(err)
	}
	before := 0.0
	for _, w := range ws {
		if took := w.T - before; took <= 0 || took > 6 || w.Offered < 0 || w.Offered > 1000 {
			t.Errorf("a window from %.3f s to %.3f s with %.0f packets a second offered", before, w.T, w.Offered)
		}
		before = w.T
	}
	if before != 6 {
		t.Errorf("the last window ends at %.3f s of 6", before)
	}
	smartinco(t, c, "verify", r.out)
	nothingIsLeft(t, c)
}
