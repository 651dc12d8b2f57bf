package strictyaml

import (
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadFile reads a file, but at most MaxSize+1 bytes of it, which show that it is too long or endless. A pipe that a
// program writes to is read like a file, so that a shell can pass one. To read a device, or a pipe that nobody writes
// to, might never end: that is an error that is ErrInvalid.
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
