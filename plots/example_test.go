package plots_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
)

// Figure 9 from the records of a study. Records from disk, by results.Open, are drawn in the same way.
func ExampleDraw() {
	study, err := scenarios.Load("fig9", nil)
	if err != nil {
		log.Fatal(err)
	}
	var records []*results.Record
	for _, run := range study.Runs {
		traffic, err := run.Scenario.Traffic()
		if err != nil {
			log.Fatal(err)
		}
		m := results.NewMemory()
		if err := sim.Run(context.Background(), run.Scenario, traffic, fluid.New, m, sim.Options{}); err != nil {
			log.Fatal(err)
		}
		record, err := m.Record()
		if err != nil {
			log.Fatal(err)
		}
		records = append(records, record)
	}
	figure, err := plots.Draw("fig9", records, plots.Options{Published: true})
	if err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "figures")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := figure.Save(filepath.Join(dir, "fig9.pdf")); err != nil {
		log.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(figure.Title)
	for _, f := range files {
		fmt.Println(f.Name())
	}
	// Output:
	// Throughput, loss and VNFs over time, by scheduler
	// fig9.csv
	// fig9.pdf
}

// A series of one's own in the style of the other figures.
func ExampleTimeSeries() {
	load := plots.Series{Name: "load", X: []float64{0, 1, 2}, Y: []float64{10, 30, 20}, Step: true}
	fig, err := plots.TimeSeries("A morning", "Time (h)", "Load (Mpps)", plots.Options{}, load)
	if err != nil {
		log.Fatal(err)
	}
	if err := fig.WriteCSV(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// panel,kind,series,x,y,low,high,n,x_label,y_label
	// A morning,step,load,0,10,,,1,Time (h),Load (Mpps)
	// A morning,step,load,1,30,,,1,Time (h),Load (Mpps)
	// A morning,step,load,2,20,,,1,Time (h),Load (Mpps)
}
