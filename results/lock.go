package results

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lockName is the file that lets one process at a time write to a directory. It exists while a process does so, and
// remains after a kill.
const (
	lockName  = "smartinco.lock"
	lockMagic = "smartinco: "
)

// ErrBusy says that another process writes to the directory.
var ErrBusy = errors.New("one writer a directory at a time")

// DirLock is a directory that this process alone writes to.
type DirLock struct {
	f    *os.File
	path string
	made []string // directories that were not there, the innermost first
}

// LockDir makes dir if it does not exist, and takes it for this process until Release or until the process ends,
// however it ends. If another process has it, the error is ErrBusy and says which one; a second lock by the same
// process fails alike. A file that has the lock's name but is not a lock is an error, and stays.
func LockDir(dir string) (*DirLock, error) {
	l := &DirLock{path: filepath.Join(dir, lockName)}
	for tries := 1; ; tries++ {
		made, err := makeDir(dir)
		l.made = append(made, l.made...)
		switch {
		case err == nil:
		case (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist)) && tries < mostTries:
			continue // another process has made or removed a directory in between
		default:
			return nil, err
		}
		switch err := l.take(dir); {
		case err == nil:
			return l, nil
		case !errors.Is(err, errMoved) || tries == mostTries:
			l.removeMade()
			return nil, err
		}
	}
}

// errMoved is that the file, or its directory, was removed between two looks at it, by a process that was done.
var errMoved = errors.New("the lock or its directory is removed again and again")

// mostTries bounds how often LockDir comes second to others. A current directory that was removed can still be opened,
// but never holds a file.
const mostTries = 1000

func (l *DirLock) take(dir string) error {
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o666)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %w", errMoved, err)
	} else if err != nil {
		return err
	}
	defer func() {
		if l.f == nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	var b []byte
	if info.Mode().IsRegular() {
		if b, err = io.ReadAll(io.LimitReader(f, 1<<10)); err != nil {
			return err
		}
	}
	if !info.Mode().IsRegular() || len(b) > 0 && !strings.HasPrefix(string(b), lockMagic) {
		return fmt.Errorf("%s: not a lock of this program: want a directory without a file of that name", l.path)
	}
	if err := flock(f); errors.Is(err, syscall.EWOULDBLOCK) {
		who, _, _ := strings.Cut(strings.TrimPrefix(string(b), lockMagic), "\n")
		if who == "" {
			who = "another process"
		}
		return fmt.Errorf("%s: in use by %s: %w", dir, Quote(who), ErrBusy)
	} else if err != nil {
		return fmt.Errorf("%s: locking: %w", l.path, err)
	}
	if now, err := os.Lstat(l.path); err != nil || !os.SameFile(info, now) {
		return fmt.Errorf("%s: %w", l.path, errMoved)
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	line := fmt.Sprintf("%sprocess %d on %s, since %s\n", lockMagic, os.Getpid(), host,
		time.Now().UTC().Format(time.RFC3339))
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt([]byte(line), 0); err != nil {
		return err
	}
	l.f = f
	return nil
}

// Release lets go of the directory, and removes the lock's file.
func (l *DirLock) Release() error {
	if l.f == nil {
		return nil
	}
	err := os.Remove(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	err = errors.Join(err, l.f.Close())
	l.f = nil
	return err
}

// Abandon is Release, and also removes the directories that LockDir made, as far as they are empty.
func (l *DirLock) Abandon() error {
	err := l.Release()
	l.removeMade()
	return err
}

func (l *DirLock) removeMade() {
	for _, d := range l.made {
		if err := os.Remove(d); err != nil && !errors.Is(err, fs.ErrNotExist) { // somebody else's files are in it
			return
		}
	}
}

// makeDir makes dir and what is missing above it, and says what it made, the innermost first.
func makeDir(dir string) (made []string, err error) {
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); !errors.Is(err, fs.ErrNotExist) || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	err = os.MkdirAll(dir, 0o777)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		e.Path = dir // what the caller asked for
	}
	return made, err
}
