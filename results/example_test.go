package results_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
)

// recorded runs a scenario of two minutes and returns the folder of its record.
func recorded() (dir string, err error) {
	study, err := scenarios.Load("fig9-best-fit", []string{"duration=120s"})
	if err != nil {
		return "", err
	}
	scenario := study.Runs[0].Scenario
	traffic, err := scenario.Traffic()
	if err != nil {
		return "", err
	}
	dir, err = os.MkdirTemp("", "record")
	if err != nil {
		return "", err
	}
	w, err := results.Create(dir, *sim.Header(scenario, traffic, "example"), results.Options{})
	if err != nil {
		return "", err
	}
	return dir, sim.Run(context.Background(), scenario, traffic, fluid.New, w, sim.Options{Version: "example"})
}

// A record is a folder. Its tables are read as slices, or a row at a time with EachWindow and EachInstance.
func ExampleOpen() {
	dir, err := recorded()
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	record, err := results.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(record.Run.Name, record.Run.Engine, "complete:", record.Run.Complete)
	flows, err := record.Flows()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range flows[:3] {
		fmt.Printf("flow %d, instance %d: %.0f of %.0f packets\n", f.Flow, f.Instance, f.Processed, f.Offered)
	}
	// Output:
	// fig9-best-fit fluid complete: true
	// flow 0, instance 1: 532467864 of 558035714 packets
	// flow 1, instance 1: 485964888 of 511532738 packets
	// flow 2, instance 1: 439461911 of 465029762 packets
}

// The decision log says why a flow is where it is.
func ExampleRecord_Decisions() {
	dir, err := recorded()
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	record, err := results.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	for d, err := range record.Decisions() {
		if err != nil {
			log.Fatal(err)
		}
		if d.Kind == "schedule" && d.Flow < 3 {
			fmt.Printf("%v: flow %d goes to instance %d: %s\n", d.At, d.Flow, d.Instance, d.Reason)
		}
	}
	// Output:
	// 1us: flow 0 goes to instance 1: most loaded that the flow fits on
	// 10000.001ms: flow 1 goes to instance 1: most loaded that the flow fits on
	// 20000.001ms: flow 2 goes to instance 1: most loaded that the flow fits on
}
