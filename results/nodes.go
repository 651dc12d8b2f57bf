package results

import (
	"encoding/binary"
	"errors"
)

// Node is one node of a rack in one window. Number 0 is the dispatcher: what it lost or held before any node had it, in
// windows in which there was any. Rates are means over the window. Where rows count requests, so do these.
type Node struct {
	T         float64 `parquet:"t_s"`
	Node      int32   `parquet:"node"`
	Offered   float64 `parquet:"offered_pps"` // reached the node's NIC, or was sent there while it was dead
	Processed float64 `parquet:"processed_pps"`
	Dropped   float64 `parquet:"dropped_pps"`
	Flows     int32   `parquet:"flows"`     // active, at the end of the window; of requests, those that it has
	Instances int32   `parquet:"instances"` // able to take packets, at the end of the window
	Queue     float64 `parquet:"queue"`     // packets held at the end of the window

	DroppedInstance float64 `parquet:"dropped_instance_pps"`
	DroppedESwitch  float64 `parquet:"dropped_eswitch_pps"`
	DroppedSlowPath float64 `parquet:"dropped_slowpath_pps"`
	DroppedLink     float64 `parquet:"dropped_link_pps"` // also what is sent to a dead node
	DroppedRejected float64 `parquet:"dropped_rejected_pps"`

	// HandedOn is requests that went on to another node, which was offered them as well: those of a chain whose next
	// service is elsewhere, and those that the dispatcher held before they had a node. Flows stay where they are.
	HandedOn float64 `parquet:"handed_on_pps"`
}

// Rack is what run.json says of a run with nodes.
type Rack struct {
	Nodes int `json:"nodes"`
	// Imbalance is what the busiest node was offered over the mean of all nodes, 1 if all had the same: the mean of the
	// windows in which any packet came, by their length.
	Imbalance float64 `json:"imbalance"`
}

// NodeRecorder is a Recorder that also takes the rows of nodes.
type NodeRecorder interface {
	Recorder
	Nodes(rows []Node) // of the window that Window is called for next, in order of their number; valid until then
}

// ErrNoNodes says that a record has no nodes.
var ErrNoNodes = errors.New("the record has no nodes: its scenario is of one NIC")

// Nodes reads the nodes of every window, in order of time, then of their number. A run without a rack has none.
func (r *Record) Nodes() ([]Node, error) { return collect(r.src.nodes) }

func nodeRows(r *Record, each func(*Node) error) error {
	some := false
	err := r.src.nodes(func(n *Node) error { some = true; return each(n) })
	if err == nil && !some && r.Run.Rack == nil {
		err = ErrNoNodes
	}
	return err
}

var _, _, _, _ NodeRecorder = (*Writer)(nil), (*Memory)(nil), (*Sums)(nil), discard{}

// Nodes writes the nodes of a window.
func (w *Writer) Nodes(rows []Node) {
	w.check.Nodes(rows)
	from := len(w.journalBuf)
	w.journalBuf = append(append(w.journalBuf, make([]byte, frameHead)...), 'n')
	w.journalBuf = binary.AppendUvarint(w.journalBuf, uint64(len(rows)))
	for i := range rows {
		w.node = rows[i]
		roundRow(&w.node, nodeColumns)
		w.journalBuf = appendRow(w.journalBuf, &w.node, nodeColumns)
	}
	sealFrame(w.journalBuf, from)
	w.rows.nodes += int64(len(rows))
}

// Nodes keeps the nodes of a window.
func (m *Memory) Nodes(rows []Node) {
	m.check.Nodes(rows)
	from := len(m.NodeRows)
	m.NodeRows = append(m.NodeRows, rows...)
	for i := range m.NodeRows[from:] {
		roundRow(&m.NodeRows[from+i], nodeColumns)
	}
}

// Nodes checks the nodes of a window.
func (s *Sums) Nodes(rows []Node) { s.check.Nodes(rows) }

// Nodes implements NodeRecorder.
func (discard) Nodes([]Node) {}

// rack is what a Checker knows of nodes.
type rack struct {
	rows   []Node // of the window to come
	queues map[int32]float64
	count  int
	uneven float64 // imbalance times the length of its window
	loaded float64 // and these lengths
}

// Nodes takes the nodes of the window that comes next. Each must balance, and together they must be the window.
func (c *Checker) Nodes(rows []Node) { c.rack.rows = rows }

// nodes checks the nodes of a window of length d.
func (c *Checker) nodes(w *Window, d float64) {
	k := &c.rack
	if k.rows == nil {
		return
	}
	if k.queues == nil {
		k.queues = map[int32]float64{}
	}
	var sum Node
	most, all, nodes := 0.0, 0.0, 0
	for i := range k.rows {
		n := &k.rows[i]
		at := place{"node", n.Node, w.T}
		c.balance(float64((n.Offered-n.HandedOn)*d), float64(n.Processed*d), float64(n.Dropped*d),
			n.Queue-k.queues[n.Node], at)
		causes := n.DroppedInstance + n.DroppedESwitch + n.DroppedSlowPath + n.DroppedLink + n.DroppedRejected
		c.balance(float64(n.Dropped*d), float64(causes*d), 0, 0, at)
		k.queues[n.Node] = n.Queue
		sum.Offered += n.Offered - n.HandedOn
		sum.Processed += n.Processed
		sum.Dropped += n.Dropped
		sum.Queue += n.Queue
		if n.Node > 0 {
			most, all, nodes = max(most, n.Offered), all+n.Offered, nodes+1
		}
	}
	whole := place{"all nodes", -1, w.T}
	for _, of := range [][2]float64{{w.Offered, sum.Offered}, {w.Processed, sum.Processed}, {w.Dropped, sum.Dropped}} {
		c.balance(float64(of[0]*d), float64(of[1]*d), 0, 0, whole)
	}
	c.balance(w.Queued, sum.Queue, 0, 0, whole)
	k.count = max(k.count, nodes)
	if most > 0 {
		k.uneven += float64(d * (most * float64(nodes) / all))
		k.loaded += d
	}
	k.rows = nil
}

// result is what came of the nodes; nil where there were none.
func (k *rack) result() *Rack {
	if k.count == 0 {
		return nil
	}
	r := &Rack{Nodes: k.count}
	if k.loaded > 0 {
		r.Imbalance = Round(k.uneven / k.loaded)
	}
	return r
}
