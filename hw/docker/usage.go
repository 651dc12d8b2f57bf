package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/hw"
)

var (
	_ hw.Reporter = (*Engine)(nil)
	_ hw.Resizer  = (*Engine)(nil)
)

// Usage implements hw.Reporter: what docker stats shows, which the engine reads from the containers' control groups. A
// container that uses up its quota has used a second each second, as it would a core: whoever goes by it, and gives
// shares of the quota, has both in the same unit.
//
// The engine collects once a second what somebody waits for. Where nobody did, it begins with the first container that
// is asked for and has the others a second later: then all are asked for again, so that a reading is of one time.
func (e *Engine) Usage(ctx context.Context) ([]hw.Usage, error) {
	found, apart, err := e.usage(ctx)
	if err == nil && apart > together {
		found, _, err = e.usage(ctx)
	}
	return found, err
}

// together is how far apart in time the parts of a reading may be.
const together = 100 * time.Millisecond

// usage also returns how far apart in time the containers were read.
func (e *Engine) usage(ctx context.Context) (found []hw.Usage, apart time.Duration, err error) {
	e.mu.Lock()
	alive := maps.Clone(e.alive)
	e.mu.Unlock()
	ids := slices.Collect(maps.Keys(alive))
	found = make([]hw.Usage, len(ids))
	read := make([]time.Time, len(ids))
	g, ctx := errgroup.WithContext(ctx) // all at once: each waits for the engine to collect
	for k, id := range ids {
		g.Go(func() error {
			stats, err := e.stats(ctx, id)
			switch {
			case errdefs.IsNotFound(err):
				return nil
			case err != nil:
				return fmt.Errorf("docker: instance %d: %w", alive[id], reachable(e.cli, err))
			case stats.CPUStats.CPUUsage.TotalUsage == 0: // it has ended
				return nil
			}
			found[k] = hw.Usage{Instance: alive[id], CPU: e.config.used(stats.CPUStats.CPUUsage.TotalUsage),
				Memory: resident(&stats.MemoryStats)}
			read[k] = stats.Read
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, 0, err
	}
	read = slices.DeleteFunc(read, time.Time.IsZero)
	if len(read) > 0 {
		apart = slices.MaxFunc(read, time.Time.Compare).Sub(slices.MinFunc(read, time.Time.Compare))
	}
	found = slices.DeleteFunc(found, func(u hw.Usage) bool { return u.Instance == 0 })
	slices.SortFunc(found, func(a, b hw.Usage) int { return cmp.Compare(a.Instance, b.Instance) })
	return found, apart, nil
}

// used is what nanoseconds of processor time are of what a container is started with.
func (c *Config) used(nanoseconds uint64) time.Duration {
	return time.Duration(float64(nanoseconds) / cmp.Or(c.Quota, 1))
}

func (e *Engine) stats(ctx context.Context, id string) (s container.StatsResponse, err error) {
	r, err := e.cli.ContainerStatsOneShot(ctx, id)
	if err != nil {
		return s, err
	}
	defer r.Body.Close()
	return s, json.NewDecoder(r.Body).Decode(&s)
}

// resident is the memory without the pages of files that the kernel would give up first, as docker stats counts it.
// Control groups of version 1 and 2 have different names for these.
func resident(m *container.MemoryStats) int64 {
	for _, cache := range []string{"total_inactive_file", "inactive_file"} {
		if v, ok := m.Stats[cache]; ok && v < m.Usage {
			return int64(m.Usage - v)
		}
	}
	return int64(m.Usage)
}
