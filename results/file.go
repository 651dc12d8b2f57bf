package results

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// WriteFile writes a temporary file beside path and renames it to path once all of it is on the disk, so that path
// never holds half a file. It is for what is made from records: figures, tables, summaries. It first removes what
// killed writers of the same file left. If path is not a regular file, such as a pipe, it is written to directly.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return writeTo(path, write)
	}
	dir, base := filepath.Dir(path), filepath.Base(path)
	base = "." + base[:min(len(base), 200)] + temp + "-" // a name has at most 255 bytes
	removeLeft(dir, base)
	tmp, err := createTemp(dir, base, flock)
	defer func() {
		if err != nil && tmp != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
		if e := (*fs.PathError)(nil); errors.As(err, &e) && (tmp == nil || e.Path == tmp.Name()) {
			e.Path = path // what the caller asked for
		}
	}()
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(tmp, 1<<18)
	if err = write(b); err != nil {
		return err
	}
	if err = b.Flush(); err != nil {
		return err
	}
	if err = tmp.Sync(); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil { // before the lock on it goes
		return err
	}
	return tmp.Close()
}

func writeTo(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<18)
	return errors.Join(write(b), b.Flush(), f.Close())
}

var temps atomic.Int64 // of this process

// flock takes the lock on a file, unless another has it: then the error is EWOULDBLOCK.
func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// createTemp makes a file that is locked while it is being written. On a file system without locks it is not locked;
// there, removeLeft cannot take it for an abandoned one either.
func createTemp(dir, base string, lock func(*os.File) error) (*os.File, error) {
	for {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%s%d-%d", base, os.Getpid(), temps.Add(1))),
			os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		if err := lock(f); err != nil && !errors.Is(err, syscall.EWOULDBLOCK) {
			return f, nil
		} else if err == nil {
			a, err1 := f.Stat()
			b, err2 := os.Lstat(f.Name())
			if err := errors.Join(err1, err2); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return f, err
			} else if err == nil && os.SameFile(a, b) {
				return f, nil
			}
		}
		f.Close() // another writer took it for one that was left
	}
}

// removeLeft removes temporary files that nobody has locked any more.
func removeLeft(dir, base string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // createTemp says why
	}
	for _, e := range entries {
		number, ok := strings.CutPrefix(e.Name(), base)
		pid, n, two := strings.Cut(number, "-")
		if _, err := strconv.ParseUint(pid+n, 10, 64); !ok || !two || err != nil || !e.Type().IsRegular() {
			continue
		}
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			continue
		}
		if flock(f) == nil {
			os.Remove(f.Name())
		}
		f.Close()
	}
}

var errIrregular = errors.New("not a regular file")

// openRegular opens a file for reading and gives its size. A pipe or a device is refused: it could block for ever.
func openRegular(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, errIrregular)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// input is a file that is read until the context ends.
type input struct {
	f    *os.File
	size int64
	ctx  context.Context
}

func openInput(ctx context.Context, path string) (*input, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	return &input{f, size, ctx}, nil
}

func (i *input) Read(b []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.f.Read(b)
}

func (i *input) ReadAt(b []byte, at int64) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.f.ReadAt(b, at)
}

func (i *input) Close() error { return i.f.Close() }

// syncDir puts the names in a directory on the disk. Not every file system can.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// mostQuoted bounds what an error quotes, in bytes.
const mostQuoted = 200

// Quote is s for a message: unchanged if it is short and plain, otherwise quoted as in Go and cut.
func Quote(s string) string {
	cut := ""
	if len(s) > mostQuoted {
		s, cut = strings.ToValidUTF8(s[:mostQuoted], ""), "..."
	}
	if q := strconv.Quote(s); cut != "" || q != `"`+s+`"` {
		return q + cut
	}
	return s
}

// bounded is an error whose text is cut: a decoder quotes what it found, however long.
type bounded struct{ error }

func (b bounded) Error() string { return clip(b.error.Error()) }
func (b bounded) Unwrap() error { return b.error }

func clip(s string) string {
	if len(s) > 2*mostQuoted {
		return strings.ToValidUTF8(s[:2*mostQuoted], "") + "..."
	}
	return s
}
