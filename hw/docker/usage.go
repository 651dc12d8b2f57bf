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

// Usage implements hw.Reporter: what docker stats shows, which the engine reads from the containers' control groups.
func (e *Engine) Usage(ctx context.Context) ([]hw.Usage, error) {
	e.mu.Lock()
	alive := maps.Clone(e.alive)
	e.mu.Unlock()
	ids := slices.Collect(maps.Keys(alive))
	found := make([]hw.Usage, len(ids))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
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
			found[k] = hw.Usage{Instance: alive[id], CPU: time.Duration(stats.CPUStats.CPUUsage.TotalUsage),
				Memory: resident(&stats.MemoryStats)}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(u hw.Usage) bool { return u.Instance == 0 })
	slices.SortFunc(found, func(a, b hw.Usage) int { return cmp.Compare(a.Instance, b.Instance) })
	return found, nil
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
