package results

import "math"

import (
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// Window is what happened in one telemetry window. Rates are means over the window. Column names are the field tags;
// the order is the order of export. The first eleven are the fixed part, the causes of loss follow.
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
	State       string  `parquet:"state,dict"` // one of States
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
	// Queued is the packets still held when the row was written: 0 for a flow that has ended and drained.
	Queued float64 `parquet:"queued"`
}

// Unmeasured says that the fate of a flow's packets was not measured: Processed, Dropped and Queued are NaN.
func (f *Flow) Unmeasured() bool {
	return math.IsNaN(f.Processed) && math.IsNaN(f.Dropped) && math.IsNaN(f.Queued)
}

// Latency is one kind of delay in one scope: the run, an instance or a flow. It counts the packets that were processed
// before the run ended. Times are picoseconds, as the engine has them; see Bucket for what a quantile is.
type Latency struct {
	Scope  string  `parquet:"scope"`  // run, instance, flow
	Number int32   `parquet:"number"` // the instance's or the flow's; 0 for the run
	Kind   string  `parquet:"kind"`   // wait, sojourn, end-to-end
	Count  int64   `parquet:"count"`  // packets
	Mean   float64 `parquet:"mean_ps"`
	P50    int64   `parquet:"p50_ps"`
	P90    int64   `parquet:"p90_ps"`
	P99    int64   `parquet:"p99_ps"`
	P999   int64   `parquet:"p999_ps"`
	Max    int64   `parquet:"max_ps"`
}

// Bucket is one bucket of the histogram behind a Latency: Count packets were delayed by Low to High, both included.
// Buckets come in increasing order, and empty ones are left out. All scopes and kinds have the same bounds.
type Bucket struct {
	Scope  string `parquet:"scope"`
	Number int32  `parquet:"number"`
	Kind   string `parquet:"kind"`
	Low    int64  `parquet:"low_ps"`
	High   int64  `parquet:"high_ps"`
	Count  int64  `parquet:"count"`
}

// Quantile is the upper end of the bucket with the delay that perMille of 1000 packets do not exceed: 500 gives the
// median, 1000 the greatest. It is at least the exact quantile and exceeds it by at most the width of the bucket.
// Without packets it is 0.
func Quantile(buckets []Bucket, perMille int64) int64 {
	n := int64(0)
	for i := range buckets {
		n += buckets[i].Count
	}
	if n == 0 {
		return 0
	}
	left := max(n-n/1000*(1000-perMille)-n%1000*(1000-perMille)/1000, 1) // n*perMille/1000, rounded up
	for i := range buckets {
		if left -= buckets[i].Count; left <= 0 {
			return buckets[i].High
		}
	}
	return buckets[len(buckets)-1].High
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
	// Where packets find their instance without rules; with rules there are none of either.
	Broken   int64 `json:"broken,omitempty"`    // flows that reached another instance without having been moved
	HandedOn int64 `json:"handed_on,omitempty"` // packets that an instance handed on, each as often as that happened
	// Where bursts are decided on, those that began, the first of each flow left out. The others than those decided and
	// missed came while the link was down or the flow had no rule in force, or were in the stage when the run ended.
	Bursts        int64 `json:"bursts,omitempty"`
	BurstsDecided int64 `json:"bursts_decided,omitempty"`
	BurstsMoved   int64 `json:"bursts_moved,omitempty"`  // of those decided: to another instance than the burst before
	BurstsMissed  int64 `json:"bursts_missed,omitempty"` // found the queue of the NIC's stage full
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
	Format       int      `json:"format"` // 3; 2 with every stage in the log; 1 before there was Log
	Name         string   `json:"name"`
	Plant        string   `json:"plant"`  // Simulated or Hardware
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
	Inputs       []Input  `json:"inputs,omitempty"`  // the files that the scenario names, as passed to Create
	Totals       Totals   `json:"totals"`
	Policy       *Counts  `json:"policy,omitempty"` // what the scheduling policy did; nil in records of old versions
	Conservation Check    `json:"conservation"`
	Little       *Little  `json:"little,omitempty"` // where delays were measured
	Notes        []string `json:"notes,omitempty"`

	// Unit is PerRequest where rows count requests, which Requests says more of. Elsewhere they count packets.
	Unit     string    `json:"unit,omitempty"`
	Requests *Requests `json:"requests,omitempty"`

	Rack *Rack `json:"rack,omitempty"` // where there are nodes

	// Costs are those that are known, by the names of CostTable. A record lacks them, since Record.Costs gives them; a
	// study's rows have them.
	Costs map[string]float64 `json:"costs,omitempty"`

	// Tables holds the CRC-32C of each table's file, in hexadecimal, by name. Close sets it; without it, the rows are
	// in the journal.
	Tables map[string]string `json:"tables,omitempty"`
	// Log is what events.jsonl holds. Close sets it.
	Log *Content `json:"log,omitempty"`
}

// Counts is what a scheduling policy did in a run.
type Counts = scheduler.Counts

// Content is the length and the CRC-32C, in hexadecimal, of a file of the record.
type Content struct {
	Bytes int64  `json:"bytes"`
	CRC   string `json:"crc32c"`
}

// Input is a file that a run depends on: a capture, a flow log, a series, service times.
type Input struct {
	Key    string `json:"key"`  // of the scenario
	File   string `json:"file"` // as the scenario names it
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Skip counts what a trace reader left out for one reason.
type Skip struct {
	Reason string `json:"reason"`
	N      int64  `json:"n"`
}

// Check is the outcome of the conservation check; see Checker.
type Check struct {
	Holds bool `json:"holds"` // every balance closed within the tolerance
	// Worst is the largest residual; once a balance is broken, the largest of the broken ones.
	Worst   float64 `json:"worst_packets"`
	Where   string  `json:"where,omitempty"` // the balance that Worst belongs to; empty if Worst is 0
	Checked int64   `json:"checked"`         // balances checked
}

// Little is the outcome of checking Little's law (J. Little, Operations Research 9, 1961): the mean number of packets
// in an instance is the rate at which they come in times the mean time that they stay. For each instance the
// time-integral of the number in its ring must equal the sum of the times that packets spent there, to the picosecond:
// of those that it processed, those that it lost when it died and those still there when the run ended. Number = Rate *
// Time is then the same for all instances together.
type Little struct {
	Holds   bool    `json:"holds"`
	Where   string  `json:"where,omitempty"` // the first instance at which it does not hold
	Checked int64   `json:"checked"`         // instances
	Number  float64 `json:"mean_in_system"`  // packets, over the whole run
	Rate    float64 `json:"accepted_pps"`
	Time    float64 `json:"mean_time_s"`
}

// Recorder takes a run as it goes. Rows come in order of time, instances in order of their number. The caller reuses
// the values that it passes by pointer. A Recorder keeps its first error and returns it from Window and Close.
type Recorder interface {
	orchestrator.Logger
	Event(now units.Time, e *orchestrator.Event)
	Action(now units.Time, a *orchestrator.Action)
	Window(w *Window, instances []Instance) error // ends a window
	Flow(f *Flow)                                 // once a flow, in the order of their numbers, when the run is over
	Latency(l *Latency, buckets []Bucket)         // once a scope and kind, after all flows: run, instances, flows
	Close(r *Run) error                           // ends the record; r.Complete says whether the run reached its end
}
