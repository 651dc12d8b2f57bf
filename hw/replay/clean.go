package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
)

// Found is what Clean has removed.
type Found struct{ Containers, Rules int }

// Any says whether it was anything.
func (f Found) Any() bool { return f.Containers+f.Rules > 0 }

func (f Found) String() string {
	return fmt.Sprintf("%s and %s", several(f.Containers, "container"), several(f.Rules, "rule"))
}

func several(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Clean removes every rule and every container of the testbed, whoever made them, such as those that a killed run has
// left. If something cannot be removed, Clean removes the rest all the same, and it passes over a part of the testbed
// that is not open (nil). No run may be under way, since Clean takes the switch's events.
func Clean(ctx context.Context, h Hardware) (found Found, err error) {
	if h.Switch != nil {
		found.Rules, err = cleanRules(ctx, h.Switch)
		err = errors.Join(err, detachAll(ctx, h.Switch)) // their ports go with the containers
	}
	if h.Containers != nil {
		var e error
		found.Containers, e = cleanContainers(ctx, h)
		err = errors.Join(err, e)
	}
	return found, err
}

// detachAll detaches all instances that the switch knows, including those whose containers somebody else has removed.
func detachAll(ctx context.Context, sw hw.Switch) error {
	r, err := sw.Counters(ctx)
	if err != nil {
		return fmt.Errorf("reading the instances: %w", err)
	}
	var errs []error
	for _, c := range r.Counters {
		if _, err := sw.Detach(ctx, c.Instance); err != nil {
			errs = append(errs, fmt.Errorf("detaching instance %d: %w", c.Instance, err))
		}
	}
	return errors.Join(errs...)
}

func cleanContainers(ctx context.Context, h Hardware) (int, error) {
	list, err := h.Containers.List(ctx)
	if err != nil {
		return 0, fmt.Errorf("listing the containers: %w", err)
	}
	var all sync.WaitGroup
	errs := make([]error, len(list))
	for i, c := range list {
		all.Go(func() { errs[i] = h.Containers.Delete(ctx, c.Instance) })
	}
	all.Wait()
	n := 0
	for _, err := range errs {
		if err == nil {
			n++
		}
	}
	if err := errors.Join(errs...); err != nil {
		return n, fmt.Errorf("deleting the containers: %w", err)
	}
	return n, nil
}

// cleanRules removes the rules, waits for the switch's answers, and checks that the rules are gone.
func cleanRules(ctx context.Context, sw hw.Switch) (int, error) {
	r, err := sw.Rules(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the rules: %w", err)
	}
	if len(r.Rules) == 0 {
		return 0, nil
	}
	ids, wait := make([]flow.ID, len(r.Rules)), make(map[flow.ID]bool, len(r.Rules))
	for i := range r.Rules {
		ids[i] = r.Rules[i].Flow
		wait[ids[i]] = true
	}
	if err := sw.Remove(ids...); err != nil {
		return 0, fmt.Errorf("removing %s: %w", several(len(ids), "rule"), err)
	}
	for len(wait) > 0 {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("removing %s: %d are not confirmed: %w", several(len(ids), "rule"), len(wait),
				ctx.Err())
		case e, open := <-sw.Events():
			if !open {
				return 0, fmt.Errorf("removing %s: %w", several(len(ids), "rule"), hw.ErrClosed)
			}
			if e.Kind == hw.Confirmed && e.Op == hw.OpRemove || e.Kind == hw.Rejected && e.Op == hw.OpRemove ||
				e.Kind == hw.Ended {
				delete(wait, e.Flow)
			}
		}
	}
	if r, err = sw.Rules(ctx); err != nil {
		return 0, fmt.Errorf("reading the rules: %w", err)
	}
	if len(r.Rules) > 0 {
		return 0, fmt.Errorf("%s are still there after their removal", several(len(r.Rules), "rule"))
	}
	return len(ids), nil
}
