package docker

import (
	"context"
	"fmt"
	"strconv"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/events"

	"github.com/smartinco/smartinco/hw"
)

// watch reports deaths. Each time it opens the stream of events anew, after a restart of the engine or a lost
// connection, it looks which containers are gone, since it has missed their events.
func (e *Engine) watch(ctx context.Context) {
	defer close(e.done)
	defer close(e.deaths)
	const least, most = 20 * time.Millisecond, time.Second
	pause := least
	for ctx.Err() == nil {
		if e.follow(ctx) {
			pause = least
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, most)
	}
}

// follow reads one stream of events to its end. It reports whether the engine answered at all.
func (e *Engine) follow(ctx context.Context) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	filter := e.filter()
	filter.Add("type", string(events.ContainerEventType))
	filter.Add("event", string(events.ActionDie))
	// When Events returns, the engine has opened the stream: reconcile finds deaths before that, and the stream reports
	// those after it. Reconciling goes on, since a connection can be lost without notice.
	messages, failed := e.cli.Events(ctx, events.ListOptions{Filters: filter})
	if e.reconcile(ctx) != nil {
		return false
	}
	again := time.NewTicker(5 * time.Second)
	defer again.Stop()
	for {
		select {
		case m := <-messages:
			e.died(ctx, m.Actor.ID, exitReason(m.Actor.Attributes["exitCode"]), time.Now())
		case <-again.C:
			if e.reconcile(ctx) != nil {
				return true
			}
		case <-failed:
			return true
		}
	}
}

// died reports a death once.
func (e *Engine) died(ctx context.Context, id, reason string, at time.Time) {
	e.mu.Lock()
	i, ok := e.alive[id]
	delete(e.alive, id)
	if ok {
		e.dead[id] = true
	}
	e.mu.Unlock()
	if !ok {
		return
	}
	select {
	case e.deaths <- hw.Death{Instance: i, At: at, Reason: reason}:
	case <-ctx.Done():
	}
}

// reconcile looks which containers that should be alive do not run.
func (e *Engine) reconcile(ctx context.Context) error {
	e.mu.Lock()
	ids := make([]string, 0, len(e.alive))
	for id := range e.alive {
		ids = append(ids, id)
	}
	e.mu.Unlock()
	found, err := e.list(ctx)
	if err != nil {
		return err
	}
	runs := map[string]bool{}
	for _, c := range found {
		runs[c.ID] = c.Running
	}
	for _, id := range ids {
		if runs[id] {
			continue
		}
		reason := "container is gone"
		if s, err := e.cli.ContainerInspect(ctx, id); err == nil {
			if s.State.Running {
				continue
			}
			reason = exitReason(strconv.Itoa(s.State.ExitCode))
			if s.State.OOMKilled {
				reason = "out of memory"
			}
		} else if !errdefs.IsNotFound(err) {
			return err
		}
		e.died(ctx, id, reason, time.Now())
	}
	return nil
}

// exitReason puts an exit code into words. Codes above 128 are signals, as shells count.
func exitReason(code string) string {
	n, err := strconv.Atoi(code)
	if err == nil && n > 128 && n < 128+65 {
		return fmt.Sprintf("exit code %d: %v", n, syscall.Signal(n-128))
	}
	return "exit code " + code
}
