package rack

import (
	"context"
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/internal/simtest"
)

// BenchmarkRack is racks of nodes with eight instances and a thousand flows each, without a record on disk: flows in a
// second of one core's time with -cpu 1. Its dispatchers decide before the nodes begin, from window to window, and
// among all nodes.
func BenchmarkRack(b *testing.B) {
	for _, policy := range []string{"maglev", "power-of-d", "least-connections"} {
		for _, nodes := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("%s/nodes=%d", policy, nodes), func(b *testing.B) {
				sc := simtest.Parse(b, fmt.Sprintf(`
duration: 60s
instances: {initial: 8, min: 8, max: 8}
autoscaler: {policy: none}
nodes: {count: %d, link: 2us, dispatcher: {policy: %s}}
workload: [{flash_crowd: {base: %dMpps, factor: 1, flows: %d, lifetime: 6s}}]
`, nodes, policy, 30*nodes, 100*nodes))
				w := simtest.Traffic(b, sc)
				for b.Loop() {
					if err := Run(context.Background(), sc, w, engines[sc.Engine], results.NewSums(sc),
						Options{Workers: 1}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(w.Flows)*b.N)/b.Elapsed().Seconds(), "flows/s")
			})
		}
	}
}
