package theory

import (
	"context"
	"testing"
)

// The seeds are fixed, so what passes once passes always.
func TestCheck(t *testing.T) {
	rows, err := Check(context.Background(), Options{Runs: 8, Packets: 50_000, Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Logf("%-32s %-16s theory %9.5f, simulated %9.5f ± %.5f", r.System, r.Quantity, r.Theory, r.Mean, r.Half)
		if !r.Agrees {
			t.Errorf("%s, %s: theory %.5f, simulated %.5f ± %.5f", r.System, r.Quantity, r.Theory, r.Mean, r.Half)
		}
	}
}
