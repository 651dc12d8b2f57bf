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
