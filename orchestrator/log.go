package orchestrator

// Kinds of decisions, as Decision.Kind.
const (
	Schedule     = "schedule"      // an instance takes a flow
	Hold         = "hold"          // a flow waits for an instance, or for room
	Refuse       = "refuse"        // a flow is dropped
	Reject       = "reject"        // the switch refused a rule; it is tried again after the window
	Recommend    = "recommend"     // the autoscaler's policy
	Stabilise    = "stabilise"     // second stage of the autoscaler
	RateLimit    = "rate-limit"    // third stage
	Clamp        = "clamp"         // fourth stage
	Victim       = "victim"        // which instance a scale-in removes
	Drain        = "drain"         // an instance takes no new flows from now on
	TakeBack     = "take-back"     // a draining instance takes flows again
	Create       = "create"        // a new instance
	Delete       = "delete"        // a drained instance goes
	Failed       = "failed"        // an instance died, or could not be created
	Move         = "move"          // a flow that has an instance is given another
	CounterReset = "counter-reset" // a counter of the instance started again from zero
	Forecast     = "forecast"      // stage of an autoscaler that looks ahead
	Resized      = "resize"        // an instance is given another share of a core, or was refused it
)

// decided hands a decision to the log, in memory that is used again.
func (o *Orchestrator) decided(d Decision) {
	if o.log == nil {
		return
	}
	d.At = o.now
	o.decision = d
	o.log.Decided(&o.decision)
}
