package plots_test

import (
	"fmt"
	"log"
	"os"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
)

// Figure 9 of three records, with what the thesis published.
func ExampleDraw() {
	var recs []*results.Record
	for _, dir := range []string{"out/round-robin", "out/best-fit", "out/worst-fit"} {
		rec, err := results.Open(dir)
		if err != nil {
			log.Fatal(err)
		}
		recs = append(recs, rec)
	}
	fig, err := plots.Draw("fig9", recs, plots.Options{Published: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, note := range fig.Notes {
		fmt.Println(note)
	}
	if err := fig.Save("fig9.pdf"); err != nil {
		log.Fatal(err)
	}
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
