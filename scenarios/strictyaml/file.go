package strictyaml

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadFile reads a file of at most MaxSize bytes, and one that is longer, or endless, up to the byte that shows it. A
// pipe that something writes is read as a file is, so that a shell can give one. What would not end, a pipe into which
// nobody writes or a device, is an error that is ErrInvalid.
func ReadFile(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // to open a pipe without a writer would wait for one
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	unfit := func(what string) error { return &Error{File: name, Found: what, Expected: "a file"} }
	pipe := info.Mode()&fs.ModeNamedPipe != 0
	if !pipe && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, unfit("a device")
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err == nil && pipe && len(data) == 0 {
		err = unfit("a pipe into which nobody writes")
	}
	return data, err
}
