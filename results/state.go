package results

// The states of an instance, as Instance.State names them. Both plants record these and no others.
const (
	StateStarting = "starting" // the container engine was asked for it
	StateReady    = "ready"    // takes packets
	StateDraining = "draining" // takes packets of the flows that it has, and no new flow
	StateStopping = "stopping" // the container engine was asked to delete it
	StateFailed   = "failed"   // died, or could not be created
	StateGone     = "gone"     // deleted
)

// States are all states of an instance, in the order of its life.
var States = []string{StateStarting, StateReady, StateDraining, StateStopping, StateFailed, StateGone}

// Serving says whether the instance has flows, or may get some: it is ready or draining.
func (i *Instance) Serving() bool { return i.State == StateReady || i.State == StateDraining }
