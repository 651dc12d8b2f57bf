package sim_test

import (
	"context"
	"fmt"
	"log"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
)

// A scenario, run by the fluid engine with its record in memory. Pass packet.New instead of fluid.New to simulate every
// packet, and the writer that results.Create returns to have the record on disk.
func ExampleRun() {
	study, err := scenarios.Load("fig9-best-fit", nil)
	if err != nil {
		log.Fatal(err)
	}
	scenario := study.Runs[0].Scenario
	traffic, err := scenario.Traffic()
	if err != nil {
		log.Fatal(err)
	}
	record := results.NewMemory()
	if err := sim.Run(context.Background(), scenario, traffic, fluid.New, record, sim.Options{}); err != nil {
		log.Fatal(err)
	}
	last := record.Windows[len(record.Windows)-1]
	fmt.Printf("%.0f s: %.1f Mpps offered, %.1f Mpps processed by %d instances\n",
		last.T, last.Offered/1e6, last.Processed/1e6, last.Instances)
	fmt.Println("packets are conserved:", record.Run.Conservation.Holds)
	// Output:
	// 330 s: 148.8 Mpps offered, 43.5 Mpps processed by 8 instances
	// packets are conserved: true
}
