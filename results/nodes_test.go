package results

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// playNodes plays a rack of two nodes: in its second window one is dead, and the dispatcher loses what comes.
func playNodes(tb testing.TB, rec NodeRecorder, end bool) {
	tb.Helper()
	rec.Nodes([]Node{
		{T: 1, Node: 1, Offered: 30, Processed: 15, Dropped: 6, Queue: 4, Flows: 3, Instances: 2, DroppedInstance: 6,
			HandedOn: 5},
		{T: 1, Node: 2, Offered: 15, Processed: 12, Dropped: 3, Flows: 1, Instances: 1, DroppedESwitch: 1,
			DroppedSlowPath: 2},
	})
	if err := rec.Window(&Window{T: 1, Offered: 40, Processed: 27, Dropped: 9, DroppedInstance: 6, DroppedESwitch: 1,
		DroppedSlowPath: 2, Queued: 4}, nil); err != nil {
		tb.Fatal(err)
	}
	rec.Nodes([]Node{
		{T: 3, Node: 0, Offered: 5, Dropped: 5, DroppedRejected: 5},
		{T: 3, Node: 1, Processed: 2},
		{T: 3, Node: 2, Offered: 8, Dropped: 8, DroppedLink: 8},
	})
	if err := rec.Window(&Window{T: 3, Offered: 13, Processed: 2, Dropped: 13, DroppedRejected: 5, DroppedLink: 8},
		nil); err != nil {
		tb.Fatal(err)
	}
	if !end {
		return
	}
	run := fig9()
	run.Complete = true
	run.Totals = Totals{Offered: 66, Processed: 31,
		Dropped: Drops{Instance: 6, ESwitch: 1, SlowPath: 2, Link: 16, Rejected: 10}}
	if err := rec.Close(run); err != nil {
		tb.Fatal(err)
	}
}

func racked(tb testing.TB) *Record {
	tb.Helper()
	m := NewMemory()
	playNodes(tb, m, true)
	rec, err := m.Record()
	if err != nil {
		tb.Fatal(err)
	}
	return rec
}

func rackedOnDisk(tb testing.TB) *Record {
	tb.Helper()
	dir := tb.TempDir()
	playNodes(tb, create(tb, dir, Options{}), true)
	return open(tb, dir)
}

// Nodes are in a record that has them, finished or killed, under a checksum, and the same from memory; in no other.
func TestNodesInARecord(t *testing.T) {
	want, err := racked(t).Nodes()
	if err != nil || len(want) != 5 {
		t.Fatalf("%d rows, %v", len(want), err)
	}
	rec := rackedOnDisk(t)
	dir := rec.Dir
	got, err := rec.Nodes()
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Error(err, d)
	}
	// The first window's 30 of 45 on two nodes is 1.33 of the mean for a second, 8 of 8 is 2 for two.
	if r := rec.Run.Rack; r == nil || *r != (Rack{2, 1.777778}) || !rec.Run.Conservation.Holds {
		t.Errorf("rack %+v, conservation %+v", r, rec.Run.Conservation)
	}
	if err := rec.Check(); err != nil {
		t.Error(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, nodesName))
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2]++
	if err := os.WriteFile(filepath.Join(dir, nodesName), b, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := rec.Nodes(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), nodesName) {
		t.Error(err)
	}

	killed := t.TempDir()
	w := create(t, killed, Options{})
	playNodes(t, w, false)
	w.flush()
	if got, err = open(t, killed).Nodes(); err != nil || !cmp.Equal(want, got) {
		t.Error(err, cmp.Diff(want, got))
	}
	_ = w.Close(fig9())

	alone := written(t, 1)
	if files(t, alone)[nodesName] != "" || bytes.Contains([]byte(files(t, alone)[runName]), []byte(`"rack"`)) {
		t.Error("a run of one NIC has nodes")
	}
}

// Each node balances, and together they are the window.
func TestNodesConserve(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []Node
		where string
	}{
		{"all", []Node{{Node: 1, Offered: 7, Processed: 7}, {Node: 2, Offered: 3, Processed: 1, Queue: 2}}, ""},
		{"a node loses a packet", []Node{{Node: 1, Offered: 7, Processed: 6}, {Node: 2, Offered: 3, Processed: 2,
			Queue: 2}}, "node 1, window that ends at 1 s"},
		{"a loss without a cause", []Node{{Node: 1, Offered: 7, Processed: 7}, {Node: 2, Offered: 3, Processed: 1,
			Dropped: 2}}, "node 2, window that ends at 1 s"},
		{"a node is not in the sum", []Node{{Node: 2, Offered: 3, Processed: 3}},
			"all nodes, window that ends at 1 s"},
	} {
		var k Checker
		k.Nodes(c.nodes)
		k.Window(&Window{T: 1, Offered: 10, Processed: 8, Queued: 2}, nil)
		got := k.Result(&Totals{Offered: 10, Processed: 8, Queued: 2})
		if got.Holds != (c.where == "") || !got.Holds && got.Where != c.where {
			t.Errorf("%s: %+v, want %q", c.name, got, c.where)
		}
	}
}
