package traces_test

import (
	"fmt"
	"log"

	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// What is in a recording: a capture or a flow log, packed or not.
func ExampleInspect() {
	s, err := traces.Inspect("data/tls2.pcap.gz", traces.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d packets of %.0f B in the mean\n", s.Packets, s.MeanBytes)
	fmt.Printf("%d flows, at most %d at once\n", s.FlowsUni, s.Concurrent)
	// Output:
	// 7451 packets of 367 B in the mean
	// 665 flows, at most 126 at once
}

// A capture as the traffic of a run: ten copies of it, twice as fast.
func ExampleRead() {
	w, err := traces.Read("data/tls2.pcap.gz", traces.Options{
		Speedup: 2, Copies: 10, Resolution: 10 * units.Millisecond, Seed: 1,
	})
	if err != nil {
		log.Fatal(err)
	}
	packets, bytes := w.Totals()
	fmt.Printf("%d flows, %.0f packets, %.1f MB\n", len(w.Flows), packets, bytes/1e6)
	// Output:
	// 6650 flows, 74510 packets, 27.3 MB
}
