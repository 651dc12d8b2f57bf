package scenarios_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/smartinco/smartinco/scenarios"
)

// A built-in scenario, with one of its keys set from the command line.
func ExampleLoad() {
	study, err := scenarios.Load("fig9-best-fit", []string{"vnf.buffer=256"})
	if err != nil {
		log.Fatal(err)
	}
	sc := study.Runs[0].Scenario
	fmt.Println(sc.Name, sc.Duration)
	fmt.Println("buffer:", sc.VNF.Buffer)
	fmt.Println("instances:", sc.Instances.Initial, "to", sc.Instances.Max)
	// Output:
	// fig9-best-fit 330s
	// buffer: 256
	// instances: 3 to 8
}

// A study is a scenario with a sweep: a run for each combination of the matrix.
func ExampleParse() {
	study, err := scenarios.Parse("study.yaml", []byte(`
name: study
sweep:
  base: fig9-best-fit
  matrix:
    scheduler.policy: [best-fit, worst-fit]
    instances.max: [4, 8]
`), "", nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, run := range study.Runs {
		fmt.Println(run.Name)
	}
	// Output:
	// study-policy=best-fit-max=4
	// study-policy=best-fit-max=8
	// study-policy=worst-fit-max=4
	// study-policy=worst-fit-max=8
}

// An error says where the mistake is, what stands there and what may stand there.
func ExampleError() {
	_, err := scenarios.Parse("mine.yaml", []byte("duration: 10\nworkload: [{cbr: {flows: 1}}]\n"), "", nil)
	var mistake *scenarios.Error
	if errors.As(err, &mistake) {
		fmt.Printf("line %d, key %s\n", mistake.Line, mistake.Key)
		fmt.Println("found:", mistake.Found)
		fmt.Println("expected:", mistake.Expected)
	}
	// Output:
	// line 1, key duration
	// found: "10"
	// expected: a time such as 10s (units ps, ns, us, µs, ms, s, min, h)
}
