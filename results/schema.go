package results

import (
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// Window is what happened in one telemetry window. Rates are means over the window. Column names are the field tags; the
// order is the order of export. The first eleven are the fixed part, the causes of loss follow.
type Window struct {
	T             float64 `parquet:"t_s"`            // end of the window, s
	Offered       float64 `parquet:"offered_pps"`    // sent by the generator
	Ingress       float64 `parquet:"ingress_pps"`    // forwarded to an instance, by rule or by the slow path
	Processed     float64 `parquet:"processed_pps"`  // sent back by the instances
	Dropped       float64 `parquet:"dropped_pps"`    // lost, all causes
	SlowPath      float64 `parquet:"slowpath_pps"`   // missed in the eSwitch and sent to the ARM cores
	ProcessedBits float64 `parquet:"processed_bps"`  // frame bits sent back
	Instances     int32   `parquet:"instances"`      // able to take packets, at the end of the window
	Used          int32   `parquet:"instances_used"` // of those, with at least one flow
	Flows         int32   `parquet:"flows"`          // active, at the end of the window
	Reordered     float64 `parquet:"reordered"`      // packets overtaken by later ones of their flow, in the window

	DroppedInstance float64 `parquet:"dropped_instance_pps"` // full receive ring, or an instance that died
	DroppedESwitch  float64 `parquet:"dropped_eswitch_pps"`  // beyond the eSwitch's packet rate
	DroppedSlowPath float64 `parquet:"dropped_slowpath_pps"` // full queue of the ARM cores
	DroppedLink     float64 `parquet:"dropped_link_pps"`     // beyond the link's rate, or link down
	DroppedRejected float64 `parquet:"dropped_rejected_pps"` // the scheduler refused the flow, or no instance was there
	Queued          float64 `parquet:"queued"`               // packets held at the end of the window
}

// Instance is one instance in one window.
type Instance struct {
	T           float64 `parquet:"t_s"`
	Instance    int32   `parquet:"instance"`
	State       string  `parquet:"state,dict"` // starting, ready, draining, stopping, failed, gone
	Flows       int32   `parquet:"flows"`
	Offered     float64 `parquet:"offered_pps"` // arrived at the instance's ring
	Processed   float64 `parquet:"processed_pps"`
	Dropped     float64 `parquet:"dropped_pps"`
	Queue       float64 `parquet:"queue"`       // packets in system at the end of the window
	Utilization float64 `parquet:"utilization"` // processed over what the instance could process
}

// Flow is one flow's life. Counts are packets; the fluid engine's need not be whole.
type Flow struct {
	Flow      int32   `parquet:"flow"`
	Src       string  `parquet:"src"`
	Dst       string  `parquet:"dst"`
	SrcPort   int32   `parquet:"sport"`
	DstPort   int32   `parquet:"dport"`
	Proto     int32   `parquet:"proto"`
	Start     float64 `parquet:"start_s"`
	End       float64 `parquet:"end_s"`
	Instance  int32   `parquet:"instance"` // the last one; 0 for none
	Moves     int32   `parquet:"moves"`
	Offered   float64 `parquet:"offered"`
	Processed float64 `parquet:"processed"`
	Dropped   float64 `parquet:"dropped"`
	Reordered float64 `parquet:"reordered"`
	Queued    float64 `parquet:"queued"` // packets still held when the row was written: 0 for a flow that has ended and drained
}

// Totals are a run's packets by fate. Conservation: Offered = Processed + Drops + Queued.
type Totals struct {
	Offered        float64 `json:"offered"`
	OfferedBytes   float64 `json:"offered_bytes"`
	Processed      float64 `json:"processed"`
	ProcessedBytes float64 `json:"processed_bytes"`
	Queued         float64 `json:"queued"` // still held when the run ended
	Dropped        Drops   `json:"dropped"`
	SlowPath       float64 `json:"slow_path"` // of Offered, those that missed in the eSwitch
	Reordered      float64 `json:"reordered"`
	Flows          int64   `json:"flows"`
	Moves          int64   `json:"moves"`
	RulesInstalled int64   `json:"rules_installed"`
	RulesRejected  int64   `json:"rules_rejected"`
}

// Drops are lost packets by cause.
type Drops struct {
	Link     float64 `json:"link"`
	ESwitch  float64 `json:"eswitch"`
	SlowPath float64 `json:"slow_path"`
	Instance float64 `json:"instance"`
	Rejected float64 `json:"rejected"`
}

// Sum is the loss over all causes.
func (d Drops) Sum() float64 { return d.Link + d.ESwitch + d.SlowPath + d.Instance + d.Rejected }

// Run is run.json: what ran and what came of it. Nothing in it depends on the clock or on the machine.
type Run struct {
	Format       int      `json:"format"` // 1
	Name         string   `json:"name"`
	Plant        string   `json:"plant"`  // sim or hw
	Engine       string   `json:"engine"` // fluid, packet, or the testbed's name
	Version      string   `json:"version"`
	Seed         uint64   `json:"seed"`
	Duration     float64  `json:"duration_s"`
	Window       float64  `json:"window_s"`
	Complete     bool     `json:"complete"`          // false until the run has ended
	Error        string   `json:"error,omitempty"`   // why it ended early
	Scenario     any      `json:"scenario"`          // resolved: every key with its value
	Traffic      []string `json:"traffic"`           // where it came from and what was done to it
	Skipped      []Skip   `json:"skipped,omitempty"` // what the readers left out
	Totals       Totals   `json:"totals"`
	Conservation Check    `json:"conservation"`
	Notes        []string `json:"notes,omitempty"`

	// Tables holds the CRC-32C of each table's file, in hexadecimal, by name. Close sets it; without it, the rows are in
	// the journal.
	Tables map[string]string `json:"tables,omitempty"`
}

// Skip counts what a trace reader left out for one reason.
type Skip struct {
	Reason string `json:"reason"`
	N      int64  `json:"n"`
}

// Check is the outcome of the conservation check; see Checker.
type Check struct {
	Holds   bool    `json:"holds"`           // every balance closed within the tolerance
	Worst   float64 `json:"worst_packets"`   // largest residual; once a balance is broken, the largest of the broken ones
	Where   string  `json:"where,omitempty"` // the balance that Worst belongs to; empty if Worst is 0
	Checked int64   `json:"checked"`         // balances checked
}

// Recorder takes a run as it goes. Rows come in order of time; instances in order of their number. The values passed by
// pointer are reused by the caller. A Recorder keeps its first error and returns it from Window and Close.
type Recorder interface {
	orchestrator.Logger
	Event(now units.Time, e *orchestrator.Event)
	Action(now units.Time, a *orchestrator.Action)
	Window(w *Window, instances []Instance) error // ends a window
	Flow(f *Flow)                                 // once a flow, when it has ended or the run ends
	Close(r *Run) error                           // ends the record; r.Complete says whether the run reached its end
}
