package testbed

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// check is one condition for a run to succeed.
type check struct {
	what string
	mend string // what to look at if it fails
	do   func(context.Context) (said string, err error)
}

// Finding is the outcome of a check.
type Finding struct {
	What string `json:"what"`
	Said string `json:"said,omitempty"`  // what was found, if all is well
	Err  string `json:"error,omitempty"` // why it is not well
	Mend string `json:"mend,omitempty"`  // what to do then
}

// checkLimit bounds the time of one check.
const checkLimit = time.Minute

// Doctor checks the testbed step by step and hands each finding to report. It returns whether all is well. The checks
// do what a run does, such as writing the miss rules and starting an instance, and undo it. So no run may be under way:
// this is checked first, and if one is, nothing else is checked.
func (f *File) Doctor(ctx context.Context, report func(Finding)) (well bool) {
	well = true
	try := func(c check) bool {
		ctx, cancel := context.WithTimeout(ctx, checkLimit)
		defer cancel()
		found := Finding{What: c.what}
		said, err := c.do(ctx)
		if err != nil {
			found.Err, found.Mend, well = err.Error(), c.mend, false
		} else {
			found.Said = said
		}
		report(found)
		return err == nil
	}
	var unlock func()
	if !try(check{"testbed file " + f.path, "wait until the run that uses the testbed has ended, or end it",
		func(context.Context) (said string, err error) {
			unlock, err = f.Lock()
			return fmt.Sprintf("testbed %s, scale %g of the rates and %g of the times", f.Name, f.Scale.Rate,
				f.Scale.Time), err
		}}) {
		return false
	}
	defer unlock()
	try(check{"clock", "a slow clock costs microseconds each time it is read; choose another in " +
		"/sys/devices/system/clocksource/clocksource0", clock})
	for _, of := range []func() ([]check, error){
		func() ([]check, error) { return checksOf("switch", switches, f) },
		func() ([]check, error) { return checksOf("containers", engines, f) },
		func() ([]check, error) { return checksOf("generator", generators, f) },
	} {
		checks, err := of()
		if err != nil {
			try(check{"drivers", "", func(context.Context) (string, error) { return "", err }})
		}
		for _, c := range checks {
			if !try(c) {
				break // the checks that follow depend on it
			}
		}
	}
	return well
}

func checksOf[T any](kind string, drivers []driver[T], f *File) ([]check, error) {
	d, err := choose(kind, drivers, f)
	if err != nil {
		return nil, err
	}
	return d.checks(f), nil
}

// clock measures what it takes to read the clock.
func clock(context.Context) (string, error) {
	const n = 10000
	begun := time.Now()
	last := begun
	for range n {
		last = time.Now()
	}
	each := last.Sub(begun) / n
	source, err := os.ReadFile("/sys/devices/system/clocksource/clocksource0/current_clocksource")
	name := strings.TrimSpace(string(source))
	if err != nil {
		name = "of unknown source"
	}
	if each > 5*time.Microsecond {
		return "", fmt.Errorf("clock %s: reading it takes %v", name, each)
	}
	return fmt.Sprintf("%s, read in %v; runs use it monotonically, so that it may be set meanwhile", name, each), nil
}
