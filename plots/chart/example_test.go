package chart_test

import (
	"fmt"
	"os"

	"github.com/smartinco/smartinco/plots/chart"
)

// Two lines with a limit. Save draws the page into a file; the table holds what is drawn.
func ExampleStack() {
	x := []float64{0, 10, 20}
	looks := chart.LooksOf([]string{"jiq", "maglev"})
	pg := chart.Stack(3.5, 80, &chart.Panel{
		Title: "Throughput",
		X:     chart.Axis{Label: "Time (s)"},
		Y:     chart.Axis{Label: "Throughput (Mpps)"},
		Series: []chart.Series{
			{Name: "jiq", Look: looks[0], Kind: chart.Line, X: x, Y: []float64{1, 2, 3}, N: 1},
			{Name: "maglev", Look: looks[1], Kind: chart.Step, X: x, Y: []float64{1, 1, 2}, N: 1},
		},
		Marks: []chart.Mark{{Label: "line rate", At: 4, Limit: "link's limit"}},
	})
	fmt.Printf("%.2f in x %.2f in\n", pg.Width, pg.Height())
	if err := pg.WriteCSV(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 3.50 in x 1.86 in
	// panel,kind,series,x,y,low,high,n,x_label,y_label
	// (a) Throughput,line,jiq,0,1,,,1,Time (s),Throughput (Mpps)
	// (a) Throughput,line,jiq,10,2,,,1,Time (s),Throughput (Mpps)
	// (a) Throughput,line,jiq,20,3,,,1,Time (s),Throughput (Mpps)
	// (a) Throughput,step,maglev,0,1,,,1,Time (s),Throughput (Mpps)
	// (a) Throughput,step,maglev,10,1,,,1,Time (s),Throughput (Mpps)
	// (a) Throughput,step,maglev,20,2,,,1,Time (s),Throughput (Mpps)
	// (a) Throughput,limit,line rate,,4,,,,Time (s),Throughput (Mpps)
}
