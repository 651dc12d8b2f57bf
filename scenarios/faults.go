package scenarios

import "github.com/smartinco/smartinco/units"

// Fault is something that goes wrong at a time, for a duration.
type Fault struct {
	Kind     string     `yaml:"kind" required:"true"`
	At       units.Time `yaml:"at" required:"true" min:"0"`
	For      units.Time `yaml:"for" default:"0s" min:"0"`
	Instance int        `yaml:"instance" default:"1" min:"1"`
	Node     int        `yaml:"node" default:"1" min:"1"`
}

// Names implements strictyaml.Tabled.
func (Fault) Names(key string) []string {
	if key == "kind" {
		return []string{
			"instance-death", "engine-stall", "engine-failure", "counters-stall", "rule-reject", "link-down",
			"node-death", "dispatcher-death",
		}
	}
	return nil
}

// Docs implements strictyaml.Documented.
func (Fault) Docs() string {
	return `
kind: instance-death: an instance dies; engine-stall: the container engine answers nothing; engine-failure: creations
	fail, and changes of shares; counters-stall: counters keep their values; rule-reject: rules are refused; link-down:
	nothing arrives; of a rack, node-death: a node is lost with all that it holds, and comes back empty;
	dispatcher-death: what comes and has no node yet is lost until the dispatcher is back, and flows that have one go on
at: when it begins
for: how long it lasts; 0 for the rest of the run; an instance's death is for good
instance: instance-death: its number
node: in a rack, the node on which it goes wrong
`
}

// ofNodes are the faults of a rack as a whole.
var ofNodes = map[string]bool{"node-death": true, "dispatcher-death": true}

// OfRack says whether the fault is one of the rack, and not of the NIC of a node or of an instance.
func (f *Fault) OfRack() bool { return ofNodes[f.Kind] }

// Unused implements strictyaml.Partial: the first node, which may be the only one, is not said.
func (f Fault) Unused(key string) bool { return key == "node" && f.Node == 1 }
