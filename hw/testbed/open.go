package testbed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
)

// driver is one way to open a part of a testbed.
type driver[T any] struct {
	name   string
	chosen func(*File) bool
	open   func(context.Context, *File) (T, error)
	checks func(*File) []check  // what doctor checks besides opening it
	parts  func(*File) []string // what only one process at a time may use, by the devices' own names
}

// The drivers by kind.
var (
	switches = []driver[hw.Switch]{
		{"ovs", func(f *File) bool { return f.Switch.OVS != nil }, openOVS, checkOVS, ovsParts},
		{"doca", func(f *File) bool { return f.Switch.DOCA != nil }, openDOCA, checkDOCA, docaParts},
		{"tc", func(f *File) bool { return f.Switch.TC != nil }, openTC, checkTC, tcParts},
	}
	engines = []driver[hw.ContainerEngine]{
		{"docker", func(f *File) bool { return f.Containers.Docker != nil }, openDocker, checkDocker, dockerParts},
	}
	generators = []driver[hw.Generator]{
		{"trex", func(f *File) bool { return f.Generator.TRex != nil }, openTRex, checkTRex, trexParts},
	}
)

// choose returns the driver that the file names. Parse has made sure that there is one.
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
	if err != nil { // opened may hold a nil pointer, and then is not nil
		return t, fmt.Errorf("testbed %s: %s: %w: %w", f.Name, kind, ErrUnavailable, err)
	}
	return opened, nil
}

// ErrUnavailable says, in the sense of errors.Is, that hardware cannot be opened.
var ErrUnavailable = errors.New("unavailable")

// Open opens the whole testbed and takes over what an earlier run left there, which replay.Clean removes. It returns
// ErrBusy if a run seems to be under way from another machine. After an error nothing stays open. Close closes the
// result.
func (f *File) Open(ctx context.Context) (h replay.Hardware, err error) {
	defer func() {
		if err != nil {
			h, err = replay.Hardware{}, errors.Join(err, Close(h))
		}
	}()
	h.Name, h.Left = f.Name, f.leave
	if h.Switch, err = open(ctx, "switch", switches, f); err != nil {
		return h, err
	}
	if h.Containers, err = open(ctx, "containers", engines, f); err != nil {
		return h, err
	}
	if err = f.fresh(ctx, h); err != nil {
		return h, err
	}
	h.Generator, err = open(ctx, "generator", generators, f)
	return h, err
}

// young is the age below which a container is not taken for a leftover of an earlier run.
const young = 30 * time.Second

// fresh checks whether containers are so new that their run is probably still under way. If an earlier run of this
// machine is known to have left containers, they may be that new.
func (f *File) fresh(ctx context.Context, h replay.Hardware) error {
	if f.left {
		return nil
	}
	list, err := h.Containers.List(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	if clock, ok := h.Containers.(interface {
		Now(context.Context) (time.Time, error)
	}); ok && len(list) > 0 { // the engine's clock, which gives the containers' ages, may differ from ours
		if now, err = clock.Now(ctx); err != nil {
			return err
		}
	}
	for _, c := range list {
		if age := now.Sub(c.Created); c.Running && age < young {
			return fmt.Errorf("testbed %s: %w: the container of instance %d was made %v ago, so its run may go on; "+
				"wait until that has ended, or end it, or smartinco hw clean", f.Name, ErrBusy, c.Instance,
				age.Round(time.Second))
		}
	}
	return nil
}

// Cleaned is what Clean has done.
type Cleaned struct {
	replay.Found
	Generator string // what was found at its ports; empty if nothing
}

// Clean stops the generator and removes the rules and containers of the testbed, as far as it can reach them. The error
// says what is left of each part.
func (f *File) Clean(ctx context.Context) (done Cleaned, err error) {
	var errs []error
	if t := f.Generator.TRex; t != nil {
		if done.Generator, err = t.clean(ctx); err != nil {
			errs = append(errs, fmt.Errorf("the generator may go on to send: %w", err))
		}
	}
	h := replay.Hardware{Name: f.Name}
	if h.Switch, err = open(ctx, "switch", switches, f); err != nil {
		errs = append(errs, fmt.Errorf("the rules in the switch are left: %w", err))
	}
	if h.Containers, err = f.openForCleaning(ctx); err != nil {
		errs = append(errs, fmt.Errorf("the containers are left: %w", err))
	}
	done.Found, err = replay.Clean(ctx, h)
	if err = errors.Join(append(errs, err, Close(h))...); err == nil {
		f.leave(nil)
	}
	return done, err
}

func (f *File) openForCleaning(ctx context.Context) (hw.ContainerEngine, error) {
	f.cleaning = true
	defer func() { f.cleaning = false }()
	return open(ctx, "containers", engines, f)
}

// Close closes what Open has opened.
func Close(h replay.Hardware) error {
	var errs []error
	if h.Generator != nil {
		errs = append(errs, h.Generator.Close())
	}
	if h.Containers != nil {
		errs = append(errs, h.Containers.Close())
	}
	if h.Switch != nil {
		errs = append(errs, h.Switch.Close())
	}
	return errors.Join(errs...)
}
