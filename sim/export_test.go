package sim

import "github.com/smartinco/smartinco/orchestrator"

// Do has the plant that a data plane knows as its Control carry out an action.
func Do(c Control, a *orchestrator.Action) { c.(*plant).do(a, false) }
