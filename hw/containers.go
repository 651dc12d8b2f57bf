package hw

import (
	"context"
	"time"

	"github.com/smartinco/smartinco/flow"
)

// ContainerEngine starts and stops instances. All methods are safe for concurrent use; Create and Delete of different
// instances may overlap.
type ContainerEngine interface {
	// Create starts a container for an instance, gives it ports, and returns once its probe says that it takes packets.
	// If it fails, it leaves nothing behind.
	Create(ctx context.Context, i flow.Instance) (Container, error)
	// Delete stops an instance's container and gives its ports back. An instance without a container is no error.
	Delete(ctx context.Context, i flow.Instance) error
	// Kill ends an instance's container as a crash would. Deaths reports it.
	Kill(ctx context.Context, i flow.Instance) error
	// List finds the containers of this testbed, running or not, in order of their instances' numbers. It includes
	// those of an earlier run.
	List(ctx context.Context) ([]Container, error)
	// Deaths reports, once, each container that ended without Delete. It is closed after Close.
	Deaths() <-chan Death
	Close() error
}

// Reporter is a ContainerEngine that knows what instances use of their machine.
type Reporter interface {
	// Usage reads what the running containers use, in order of their instances' numbers. One that ends meanwhile is
	// left out.
	Usage(ctx context.Context) ([]Usage, error)
}

// Resizer is a ContainerEngine that changes what an instance may use while it runs.
type Resizer interface {
	// Resize gives an instance a share of the processor time that it was started with, or of one core where that has no
	// limit. It returns when the engine has confirmed.
	Resize(ctx context.Context, i flow.Instance, share float64) error
}

// Usage is what an instance's container uses.
type Usage struct {
	Instance flow.Instance
	CPU      time.Duration // since the container was created: time of a core or, where it has a quota, of that
	Memory   int64         // bytes, without the cache of files that can be given up
}

// Container is an instance as the engine knows it.
type Container struct {
	Instance flow.Instance
	ID       string
	Ports    Ports         // by the names that the switch knows
	Running  bool          // false if List found it dead
	Created  time.Time     // by the engine's clock; only List fills it in
	Started  time.Duration // from the request until the engine said that it runs
	Ready    time.Duration // from the request until the probe succeeded
}

// Death is the end of a container that nobody asked for.
type Death struct {
	Instance flow.Instance
	At       time.Time // when the engine learnt of it
	Reason   string    // exit code or signal, as the engine says it
}
