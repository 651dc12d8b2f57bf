package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
)

// driver is one way to a part of a testbed.
type driver[T any] struct {
	name   string
	chosen func(*File) bool
	open   func(context.Context, *File) (T, error)
	checks func(*File) []check // what doctor looks at beside opening it
}

// The drivers by kind.
var (
	switches = []driver[hw.Switch]{
		{"ovs", func(f *File) bool { return f.Switch.OVS != nil }, openOVS, checkOVS},
		{"doca", func(f *File) bool { return f.Switch.DOCA != nil }, openDOCA, checkDOCA},
		{"tc", func(f *File) bool { return f.Switch.TC != nil }, openTC, checkTC},
	}
	engines = []driver[hw.ContainerEngine]{
		{"docker", func(f *File) bool { return f.Containers.Docker != nil }, openDocker, checkDocker},
	}
	generators = []driver[hw.Generator]{
		{"trex", func(f *File) bool { return f.Generator.TRex != nil }, openTRex, checkTRex},
	}
)

// choose is the driver that the file names. Parse has seen to it that there is one.
func choose[T any](kind string, drivers []driver[T], f *File) (*driver[T], error) {
	for i := range drivers {
		if drivers[i].chosen(f) {
			return &drivers[i], nil
		}
	}
	return nil, fmt.Errorf("testbed %s: no %s", f.Name, kind)
}

// open opens a part of the testbed.
func open[T any](ctx context.Context, kind string, drivers []driver[T], f *File) (t T, err error) {
	d, err := choose(kind, drivers, f)
	if err != nil {
		return t, err
	}
	opened, err := d.open(ctx, f)
	if err != nil { // opened may be a nil pointer in an interface that is not nil
		return t, fmt.Errorf("testbed %s: %s: %w: %w", f.Name, kind, ErrUnavailable, err)
	}
	return opened, nil
}

// ErrUnavailable is, in the sense of errors.Is, hardware that cannot be opened.
var ErrUnavailable = errors.New("unavailable")

// ErrBusy is, in the sense of errors.Is, a testbed that another process of this machine uses.
var ErrBusy = errors.New("the testbed is in use")

// Lock takes the testbed for this process, until unlock is called or the process ends, however it ends. The lock is on
// the file, so it holds off other processes of this machine alone.
func (f *File) Lock() (unlock func(), err error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w by another process", f.path, ErrBusy)
		}
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return func() { file.Close() }, nil
}

// Open opens all of the testbed, and takes over what an earlier run left there: replay.Clean removes it. What it had
// opened before an error it has closed. Close closes the result.
func (f *File) Open(ctx context.Context) (h replay.Hardware, err error) {
	if h, err = f.OpenForCleaning(ctx); err != nil {
		return h, err
	}
	if h.Generator, err = open(ctx, "generator", generators, f); err != nil {
		return replay.Hardware{}, errors.Join(err, Close(h))
	}
	return h, nil
}

// OpenForCleaning opens switch and containers alone: a generator that is gone keeps nobody from cleaning up.
func (f *File) OpenForCleaning(ctx context.Context) (h replay.Hardware, err error) {
	h.Name = f.Name
	if h.Switch, err = open(ctx, "switch", switches, f); err != nil {
		return replay.Hardware{}, err
	}
	if h.Containers, err = open(ctx, "containers", engines, f); err != nil {
		return replay.Hardware{}, errors.Join(err, h.Switch.Close())
	}
	return h, nil
}

// Close closes what Open has opened.
func Close(h replay.Hardware) error {
	var errs []error
	if h.Generator != nil {
		errs = append(errs, h.Generator.Close())
	}
	return errors.Join(append(errs, h.Containers.Close(), h.Switch.Close())...)
}
