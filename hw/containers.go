package hw

import (
	"context"
	"time"

	"github.com/smartinco/smartinco/flow"
)

// ContainerEngine starts and stops instances. All methods are safe for concurrent use; Create and Delete of different
// instances may overlap.
type ContainerEngine interface {
	// Create starts a container for an instance, gives it ports, and returns once its probe says that it takes
	// packets. What it had made before an error it has removed again.
	Create(ctx context.Context, i flow.Instance) (Container, error)
	// Delete stops an instance's container and gives its ports back. One that is not there is no error.
	Delete(ctx context.Context, i flow.Instance) error
	// Kill ends an instance's container as a crash would; Deaths reports it.
	Kill(ctx context.Context, i flow.Instance) error
	// List finds the containers of this testbed, running or not, those of an earlier run included, in order of their
	// instances' numbers.
	List(ctx context.Context) ([]Container, error)
	// Deaths reports each container that ended without Delete, once; it is closed after Close.
	Deaths() <-chan Death
	Close() error
}

// Container is an instance as the engine knows it.
type Container struct {
	Instance flow.Instance
	ID       string
	Ports    Ports         // by the names that the switch knows
	Running  bool          // false for one that List found dead
	Created  time.Time     // by the engine's clock; of those that List finds
	Started  time.Duration // from the request until the engine said that it runs
	Ready    time.Duration // from the request until the probe succeeded
}

// Death is the end of a container that nobody asked for.
type Death struct {
	Instance flow.Instance
	At       time.Time // when it was learnt
	Reason   string    // exit code or signal, as the engine says it
}
