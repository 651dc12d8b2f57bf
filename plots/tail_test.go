package plots

import (
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
)

// The load is the sum of the sources', a line is a policy with its options, and there is a panel for all requests, for
// each class, whose objective is marked, and for each tenant.
func TestTail(t *testing.T) {
	m := madeUp(t)
	f := drawn(t, "tail", append(slices.Clone(m["tail"]), m["fig9"]...), Options{})
	holds(t, f, "(a) All requests,line,horus,0.3,10.5,10,11,2,Load,\"Delay, 99 % (µs)\"",
		"(a) All requests,line,\"jbsq, n 4\",0.9,38.5,38,39,2,", "(b) Class urgent,line,horus,0.3,5.25,5,5.5,2,",
		"(b) Class urgent,limit,20 µs,,20,", "(e) Tenant blue,line,\"jbsq, n 1\",0.6,49,48,50,2,")
	if strings.Contains(table(t, f), "(c) Class batch,limit") {
		t.Error("a class without an objective has a mark")
	}
	if len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "it has no requests, or did not reach its end: made-up") {
		t.Errorf("notes are %q", f.Notes)
	}
}

// Tenants that have a class each say nothing that the classes do not say.
func TestTailOfTenantsThatAreClasses(t *testing.T) {
	d := madeUp(t)["tail"][0]
	d.run.Requests.Tenants = slices.Clone(d.run.Requests.Classes)
	if got := table(t, drawn(t, "tail", []data{d}, Options{})); strings.Contains(got, "Tenant") {
		t.Errorf("tenants are drawn beside their classes:\n%s", got)
	}
	d.run.Requests.Classes, d.run.Requests.Tenants = d.run.Requests.Classes[:1], nil
	if got := table(t, drawn(t, "tail", []data{d}, Options{})); strings.Contains(got, "Class") {
		t.Errorf("a single class is drawn beside all requests:\n%s", got)
	}
}

// Where a source does not say what share it asks for, as with closed loops, the load is what came.
func TestTailWithoutALoad(t *testing.T) {
	ds := madeUp(t)["tail"][:1]
	ds[0].scenario.Workload[0].Requests.Load, ds[0].scenario.Workload[0].Requests.Rate = 0, 7
	holds(t, drawn(t, "tail", ds, Options{}), ",line,horus,2,10,,,1,Load (million requests/s),")
}

func TestTailRefusesOtherDifferences(t *testing.T) {
	ds := madeUp(t)["tail"][:4]
	ds[3].scenario.VNF.Buffer = 7
	_, err := drawFrom("tail", ds, Options{})
	const want = "the records differ in vnf.buffer, and not in scheduler.policy, the load and seed alone"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	ds = madeUp(t)["tail"][:1]
	ds[0].run.Requests.Delay = results.RequestDelay{}
	if _, err := drawFrom("tail", ds, Options{}); err == nil || !strings.Contains(err.Error(), "it has no requests") {
		t.Errorf("a run without replies: %v", err)
	}
}

// Where there is no room for tenants none of them is drawn, and classes are.
func TestTailOfManyTenants(t *testing.T) {
	d := madeUp(t)["tail"][0]
	var tenants []results.RequestGroup
	for n := range int32(10) {
		tenants = append(tenants, results.RequestGroup{Number: n + 1, Name: "t"})
		tenants[n].Name += string('a' + n)
	}
	d.run.Requests.Tenants = tenants
	rows, _ := d.latencies()
	for n := range int32(8) {
		rows = append(rows, results.Latency{Scope: "tenant", Number: n + 3, Kind: "end-to-end", P99: 5e6})
	}
	d.latencies = func() ([]results.Latency, error) { return rows, nil }
	f := drawn(t, "tail", []data{d}, Options{})
	if got := table(t, f); strings.Contains(got, "Tenant") || !strings.Contains(got, "(c) Class batch") {
		t.Errorf("ten tenants beside two classes:\n%s", got)
	}
	if want := "left out, more than there is room for: 10 tenants"; !slices.Contains(f.Notes, want) {
		t.Errorf("notes are %q, want %q", f.Notes, want)
	}
}
