// Package switchtest holds every hw.Switch to one contract, that of its documentation. It looks from outside, with
// frames that enter and leave by ports.
package switchtest

import (
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw"
)

// Bench is a switch with its ports wired to the test. A nil function means that the switch cannot do this, and its
// tests are skipped.
type Bench struct {
	Uplink, Sink string
	Ports        [6]string // for instances: all different, and neither uplink nor sink

	// Open starts a driver that adopts or removes what an earlier driver has left. The test closes it.
	Open func(adopt bool) (hw.Switch, error)
	// Send puts a frame into the switch at a port.
	Send func(port string, frame []byte) error
	// Out gives the frames that leave by a port, always by the same channel, which must have room for some hundred.
	Out func(port string) <-chan []byte

	// Settle waits until the data path follows what the switch has confirmed, and the switch knows what the data path
	// has counted; nil if both are always so.
	Settle func() error

	// Volatile says that rules end with their driver, so that nothing can be adopted.
	Volatile bool

	// Room leaves room for n more rules in the table.
	Room func(n int) error
	// Stop and Start take the switch away from under its driver, as a crash does, and bring it back without its rules.
	Stop, Start func() error
	// Foreign adds a rule of somebody else that forwards from one port to another.
	Foreign func(from, to string) error
	// Delete removes a flow's rule from the switch behind the driver's back.
	Delete func(r hw.Rule) error
	// Unplug takes a port away from the switch. It must be set exactly if the driver's Capabilities have PortEvents.
	Unplug func(port string) error
}

// Run holds a switch to the contract. For each part the factory makes a bench without rules of ours, which cleans up by
// t.Cleanup.
func Run(t *testing.T, factory func(t *testing.T) *Bench) {
	for _, part := range []struct {
		name string
		run  func(*rig)
	}{
		{"InstallSteersTheFlow", installSteers},
		{"PacketsWithoutARuleGoUp", missesGoUp},
		{"ASecondRuleIsRejected", duplicates},
		{"ImpossibleRulesAreRejected", impossible},
		{"MoveKeepsCounters", moves},
		{"AMoveDisturbsNoReading", movesWhileRead},
		{"InstanceZeroDrops", drops},
		{"RemoveReturnsCounters", removes},
		{"IdleRulesEnd", idles},
		{"ForwardDeliversAndCounts", forwards},
		{"InstancesAreCounted", instances},
		{"AnswersComeInOrder", order},
		{"AThousandRulesAtOnce", thousand},
		{"ManyCallersAtOnce", concurrent},
		{"RulesAreAdopted", adopted},
		{"RulesAreRemovedUnlessAdopted", notAdopted},
		{"FullTableRejects", fullTable},
		{"RulesComeBackAfterARestart", restart},
		{"RequestsWaitForTheSwitch", waiting},
		{"ForeignRulesStay", foreign},
		{"ARuleDeletedBySomebodyElseIsReported", deleted},
		{"APortThatIsTakenAwayIsReported", unplugged},
		{"CloseEndsEverything", closed},
	} {
		t.Run(part.name, func(t *testing.T) {
			r := &rig{T: t, Bench: factory(t)}
			r.open(false)
			t.Cleanup(r.close)
			part.run(r)
		})
	}
}

// patience bounds every wait. It is not a measure of speed: only a failing test waits so long.
const patience = time.Minute
