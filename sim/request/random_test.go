package request

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios"
)

// draws writes a scenario at random.
type draws struct {
	*rand.Rand
	strings.Builder
	services []string
}

func (d *draws) pick(of ...string) string { return of[d.IntN(len(of))] }

func (d *draws) either(a, b int) int {
	if d.IntN(2) == 0 {
		return a
	}
	return b
}

// policies are the names that stand for the whims of these tests, or of policies in the table.
func (d *draws) policy(whims *policy.Row, of ...string) (string, *policy.Row) {
	if name := d.pick(of...); name != "whim" {
		return name, nil
	}
	return "random", whims
}

// randomScenario is one in which much happens at the same instants: on one NIC or in a rack, of one service or a chain,
// with nodes and dispatchers that die. The policies are those of the stations and of the dispatcher, if not the
// scenario's.
func randomScenario(t *testing.T, r *rand.Rand) (*scenarios.Scenario, [2]*policy.Row) {
	t.Helper()
	d := &draws{Rand: r}
	var rows [2]*policy.Row
	var name string
	n := 1 + d.IntN(5)
	name, rows[0] = d.policy(&whim, "random", "power-of-d", "least-connections", "round-robin", "jiq", "maglev",
		"horus", "racksched", "whim", "whim", "whim", "whim")
	fmt.Fprintf(d, `
name: brute
seed: %d
engine: request
duration: %dus
nic: {profile: ideal, dispatch: %s, dispatch_rate: %s, dispatch_queue: %d, dispatch_latency: %s, dispatch_pass: %s,
  dispatch_held: %d, instance_delay: %s}
vnf: {buffer: %d, queue: %s}
scheduler: {policy: %s, ties: %s}
autoscaler: {policy: none}
telemetry: {window: %s}
measure: {delay: %s}
`, d.Uint32(), 60+d.IntN(200), d.pick("arm", "pipeline"), d.pick("0", "0", "1000000", "500000", "333333"), d.IntN(4),
		d.pick("0s", "0s", "1us", "1500ns"), d.pick("0s", "1us", "300ns"), d.IntN(9),
		d.pick("0s", "0s", "1us", "777ns"), d.either(1+d.IntN(6), 1000), d.pick("fifo", "priority"), name,
		d.pick("first", "random"), d.pick("17us", "50us", "1ms"), d.pick("none", "instances"))
	nodes := 0
	if d.IntN(2) == 0 {
		nodes = 1 + d.IntN(4)
		name, rows[1] = d.policy(&whimsical, "random", "power-of-d", "least-connections", "horus-spine", "racksched",
			"spill-over", "jbsq", "whim", "whim", "whim")
		fmt.Fprintf(d, "nodes: {count: %d, link: %s, detection: %s, dispatcher: {policy: %s, no_instance: %s}}\n",
			nodes, d.pick("0s", "1us", "2us", "1500ns"), d.pick("0s", "3us", "10us", "40us"), name,
			d.pick("hold", "drop"))
		d.faults(nodes)
	}
	if d.IntN(2) == 0 {
		d.chain(nodes)
	} else {
		fmt.Fprintf(d, "instances: {initial: %d, min: 1, max: 8", n)
		if nodes == 0 && d.IntN(2) == 0 {
			fmt.Fprintf(d, ", speed: [%s, %s, %s]", d.pick("0.5", "1", "3"), d.pick("1", "0.33"), d.pick("1", "2"))
		}
		if nodes == 0 && d.IntN(2) == 0 {
			fmt.Fprintf(d, ", delay: [%s, %s, %s]", d.pick("0s", "1us"), d.pick("1us", "2us"), d.pick("0s", "500ns"))
		}
		d.WriteString("}\n")
	}
	d.workload(t.TempDir())
	st, err := scenarios.Parse("brute", []byte(d.String()), ".", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, d.String())
	}
	return st.Runs[0].Scenario, rows
}

func (d *draws) faults(nodes int) {
	if d.IntN(2) == 0 {
		return
	}
	d.WriteString("faults:\n")
	for range 1 + d.IntN(4) {
		if d.IntN(4) == 0 {
			fmt.Fprintf(d, "  - {kind: dispatcher-death, at: %dus, for: %dus}\n", 1+d.IntN(100), d.IntN(30))
		} else {
			fmt.Fprintf(d, "  - {kind: node-death, node: %d, at: %dus, for: %dus}\n", 1+d.IntN(nodes), 1+d.IntN(100),
				d.IntN(40))
		}
	}
}

func (d *draws) chain(nodes int) {
	d.services = []string{"a", "b", "c"}[:1+d.IntN(3)]
	d.WriteString("services:\n")
	for _, s := range d.services {
		fmt.Fprintf(d, "  - {name: %s, instances: %d", s, 1+d.IntN(3))
		if nodes > 0 && d.IntN(2) == 0 {
			first := 1 + d.IntN(nodes)
			fmt.Fprintf(d, ", nodes: [%d", first)
			for n := first + 1; n <= nodes; n++ {
				if d.IntN(2) == 0 {
					fmt.Fprintf(d, ", %d", n)
				}
			}
			d.WriteString("]")
		}
		if d.IntN(3) == 0 {
			fmt.Fprintf(d, ", scheduler: {policy: %s}", d.pick("jbsq", "random", "racksched"))
		}
		fmt.Fprintf(d, ", buffer: %d, queue: %s}\n", d.either(0, 1+d.IntN(3)), d.pick("vnf", "fifo", "priority"))
	}
}

func (d *draws) workload(dir string) {
	d.WriteString("workload:\n")
	for s := range 1 + d.IntN(3) {
		rate := 1e6 / float64(2+d.IntN(8))
		arrivals := d.pick("poisson", "mmpp", "on-off", "file", "closed", "closed", "file")
		if arrivals == "file" && d.services != nil {
			arrivals = "closed"
		}
		fmt.Fprintf(d, "  - requests:\n      arrivals: %s\n", arrivals)
		switch arrivals {
		case "file":
			d.arrivals(filepath.Join(dir, fmt.Sprintf("arrivals%d.csv", s)))
		case "closed":
			fmt.Fprintf(d, "      clients: %d\n      think_time: %s\n", 1+d.IntN(8), d.pick("0s", "2us"))
		case "mmpp":
			fmt.Fprintf(d, "      rate: %g\n      on_time: 20us\n      off_time: 30us\n", rate)
		case "on-off":
			fmt.Fprintf(d, "      rate: %g\n      on_time: 20us\n      off_time: 30us\n      sources: %d\n", rate,
				1+d.IntN(20))
		default:
			fmt.Fprintf(d, "      rate: %g\n", rate)
		}
		if d.IntN(2) == 0 {
			fmt.Fprintf(d, "      tenants: %d\n      zipf: %s\n", 1+d.IntN(12), d.pick("0", "1"))
		}
		if d.IntN(2) == 0 {
			fmt.Fprintf(d, "      sessions: %d\n", 1+d.IntN(9))
		}
		fmt.Fprintf(d, "      slo: 10us\n      classes:\n")
		for c := range 1 + d.IntN(3) {
			fmt.Fprintf(d, "        - {name: c%d-%d, share: %d, priority: %d, ", s, c, 1+d.IntN(5), d.IntN(4))
			d.path(s == 0 && c == 0)
			d.WriteString("}\n")
		}
		if d.IntN(2) == 0 {
			fmt.Fprintf(d, "    tenant: t%d\n", s)
		}
	}
}

// arrivals writes a file of them.
func (d *draws) arrivals(file string) {
	var lines []string
	at := 0
	for range 20 + d.IntN(100) {
		at += d.IntN(4)
		line := fmt.Sprintf("%dus", at)
		if d.IntN(3) == 0 {
			line += fmt.Sprintf(", %dus", d.IntN(5))
		}
		lines = append(lines, line)
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		panic(err)
	}
	fmt.Fprintf(d, "      file: %s\n", file)
}

// path writes what a class visits, or how long its one service takes. The first class visits all services.
func (d *draws) path(first bool) {
	law := func() string {
		return d.pick("service: deterministic, mean: 2us", "service: deterministic, mean: 5us", "mean: 4us",
			"service: empirical, service_times: [{time: 1us, weight: 9}, {time: 10us}]")
	}
	if d.services == nil {
		d.WriteString(law())
		return
	}
	stops := append([]string{}, d.services...)
	if !first {
		stops = nil
		for range 1 + d.IntN(4) {
			stops = append(stops, d.pick(d.services...))
		}
	}
	d.WriteString("path: [")
	for i, at := range stops {
		if i > 0 {
			d.WriteString(", ")
		}
		fmt.Fprintf(d, "{at: %s, %s}", at, law())
	}
	d.WriteString("]")
}
