package packet

import "fmt"

// path is a way to simulate packets; the package document says which ones take it.
type path uint8

const (
	jump path = iota
	full
	saturated
	bounded
	apart
	stage
	slow
	counted
	replayed
	paths
)

// told is what Notes says of the packets of a path: how they were simulated, and why so.
var told = [paths]struct{ how, why string }{
	jump: {"jumped over", "constant rates, a constant service and a load below one: nothing could be lost"},
	full: {"jumped over in saturation",
		"constant rates, a constant service, a queue that stays full, and no flow's fate asked for"},
	saturated: {"jumped over with their fates",
		"constant rates with a common period, a constant service, and a queue that stays full, never overflows or is " +
			"again as it was before"},
	bounded: {"stepped without a ring",
		"constant rates, a constant service, and a load that could fill a queue or delays that are measured"},
	apart: {"stepped in queues apart",
		"the load could fill a queue, service times are random, delays are measured, or the interval was short"},
	stage:    {"stepped behind a saturated link or eSwitch", "offered beyond nic.link or nic.eswitch_limit"},
	slow:     {"stepped to the slow path", "no rule"},
	counted:  {"counted", "the link was down, the rule dropped, or no instance was there"},
	replayed: {"with a time and size of their own", "captures and random arrivals"},
}

// Notes says how many packets went which way, and why.
func (e *Engine) Notes() []string {
	var notes []string
	for p, n := range e.total().by {
		if n > 0 {
			notes = append(notes, fmt.Sprintf("packet engine: %d packets %s (%s)", n, told[p].how, told[p].why))
		}
	}
	return notes
}
