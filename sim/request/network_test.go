package request

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// What links, stages and services add on the way through racks and chains, in a few requests that can be followed by
// hand.
func TestTheWayThroughANetwork(t *testing.T) {
	const chain = "services: [{name: a, instances: 1%s}, {name: b, instances: 1%s}]\n"
	path := "workload: [{requests: {arrivals: closed, clients: 1, think_time: 1s, classes: [{path: [" +
		"{at: a, service: deterministic, mean: 3us}, {at: b, service: deterministic, mean: 4us}]}]}}]"
	one := "workload: [{requests: {arrivals: closed, clients: 1, think_time: 1s, classes: [{service: deterministic, " +
		"mean: 5us}]}}]"
	for _, c := range []struct {
		name, keys              string
		wait, sojourn, endToEnd float64 // means, us
	}{
		{"a rack", "nodes: {count: 2, link: 2us}\n" + one, 0, 5, 9},
		{"and links in the node", "nodes: {count: 2, link: 2us}\nnic: {profile: ideal, instance_delay: 1us}\n" + one,
			0, 5, 11},
		{"a chain on a NIC", fmt.Sprintf(chain, "", "") + path, 0, 7, 7},
		{"with links to the instances", fmt.Sprintf(chain, "", "") +
			"nic: {profile: ideal, instance_delay: 1us}\n" + path, 0, 7, 11},
		{"with a stage that takes 2 us each time", fmt.Sprintf(chain, "", "") +
			"nic: {profile: ideal, dispatch_rate: 500000}\n" + path, 0, 7, 11},
		{"a chain across nodes", fmt.Sprintf(chain, ", nodes: [1]", ", nodes: [2]") + "nodes: {count: 2, link: 2us}\n" +
			path, 0, 7, 15},
		{"a chain on one node of a rack", fmt.Sprintf(chain, ", nodes: [2]", ", nodes: [2]") +
			"nodes: {count: 2, link: 2us}\n" + path, 0, 7, 11},
		{"there if it is there, although it is elsewhere too", fmt.Sprintf(chain, ", nodes: [2]", "") +
			"nodes: {count: 2, link: 2us}\n" + path, 0, 7, 11},
	} {
		m := under(t, scenario(t, "duration: 10s\n"+c.keys), nil)
		got := fmt.Sprint(delay(t, m, "run", "wait"), delay(t, m, "run", "sojourn"), delay(t, m, "run", "end-to-end"))
		if want := fmt.Sprint(c.wait, c.sojourn, c.endToEnd); got != want {
			t.Errorf("%s: wait, sojourn and end-to-end are %s us, want %s", c.name, got, want)
		}
	}
}

// The delays of a service are those of its visits.
func TestDelaysByService(t *testing.T) {
	m := under(t, scenario(t, `
duration: 10s
nic: {profile: ideal, instance_delay: 1us}
services: [{name: a, instances: 1}, {name: b, instances: 1}]
workload:
  - requests: {arrivals: closed, clients: 1, think_time: 1s, classes: [{path: [
      {at: a, service: deterministic, mean: 3us}, {at: b, service: deterministic, mean: 4us},
      {at: a, service: deterministic, mean: 5us}]}]}`), nil)
	for _, want := range []struct {
		number         int32
		kind           string
		visits         int64 // each request's
		mean, greatest float64
	}{
		{1, "sojourn", 2, 4, 5}, {1, "end-to-end", 2, 6, 7}, {1, "wait", 2, 0, 0}, {2, "sojourn", 1, 4, 4},
		{2, "end-to-end", 1, 6, 6},
	} {
		for _, l := range m.Latencies {
			n := want.visits * int64(m.Run.Totals.Processed)
			if l.Scope == "service" && l.Number == want.number && l.Kind == want.kind &&
				(l.Count != n || l.Mean/1e6 != want.mean || float64(l.Max)/1e6 != want.greatest) {
				t.Errorf("%+v, want %d with %+v", l, n, want)
			}
		}
	}
	s := m.Run.Requests.Services
	if len(s) != 2 || s[0].Name != "a" || s[0].Replied != 2*s[1].Replied || s[0].Policy.Placed != uint64(s[0].Offered) {
		t.Errorf("%+v", s)
	}
}

// A rack of one node whose link takes no time is its NIC alone, to the byte, whatever the policies.
func TestARackOfOneNodeIsItsNIC(t *testing.T) {
	for _, name := range []string{"horus", "racksched", "jbsq", "random"} {
		text := func(nodes string) string {
			return nodes + `
duration: 3ms
nic: {profile: ideal, dispatch_rate: 3e6, dispatch_queue: 5, instance_delay: 777ns}
instances: {initial: 3, min: 1, max: 3}
vnf: {buffer: 4}
scheduler: {policy: ` + name + `}
workload: [{requests: {rate: 2e6, classes: [{mean: 1us}]}}]`
		}
		alone := under(t, scenario(t, text("")), nil)
		rack := under(t, scenario(t, text("nodes: {count: 1, dispatcher: {policy: racksched}}")), nil)
		if !reflect.DeepEqual(alone.Windows, rack.Windows) || !reflect.DeepEqual(alone.Instances, rack.Instances) ||
			!reflect.DeepEqual(alone.Latencies, rack.Latencies) {
			t.Errorf("%s: %+v in the rack, %+v alone", name, rack.Run.Totals, alone.Run.Totals)
		}
		if d := rack.Run.Requests.Dispatcher; float64(d.Sent) != rack.Run.Totals.Offered {
			t.Errorf("%s: %+v of %+v", name, d, rack.Run.Totals)
		}
	}
}

// steady is two nodes of an instance each, which get a request of 4 us in turn, one each 10 us, over links of 1 us.
func steady(t *testing.T, faults string) (*scenarios.Scenario, *results.Memory) {
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf("%dus,4us", 10*i))
	}
	sc := scenario(t, "nodes: {count: 2, link: 1us, detection: 50us, dispatcher: {policy: round-robin}}\nfaults: ["+
		faults+"]\ntelemetry: {window: 100us}\n"+arrivals(t, strings.Join(lines, " ")))
	return sc, under(t, sc, nil)
}

// A node that dies loses the request that it has, and those that are sent to it until the dispatcher knows. Then the
// other node gets all, until it is back.
func TestANodeDies(t *testing.T) {
	for _, c := range []struct {
		fault          string
		atNode, onLink float64
		first          []float64 // requests of the first node in each window
	}{
		// The node has the request of 200 us, which reached it at 201 us. Those of 220 and 240 us reach it in vain.
		{"{kind: node-death, at: 203us, for: 200us}", 1, 2, []float64{5, 5, 1, 0, 5, 5}},
		// It has none, but dies as that of 220 us is on its way.
		{"{kind: node-death, at: 220500ns, for: 200us}", 0, 3, []float64{5, 5, 1, 0, 4, 5}},
		// It is back before the dispatcher knows, so that only one is lost on the way.
		{"{kind: node-death, at: 219us, for: 4us}", 0, 1, []float64{5, 5, 4, 5, 5, 5}},
		{"{kind: node-death, at: 203us}, {kind: node-death, at: 250us, for: 1us}", 1, 2, []float64{5, 5, 1, 0, 0, 0}},
	} {
		_, m := steady(t, c.fault)
		d := m.Run.Totals.Dropped
		if d.Instance != c.atNode || d.Link != c.onLink || d.Sum() != c.atNode+c.onLink {
			t.Errorf("%s: %+v, want %g at the node and %g on the link", c.fault, d, c.atNode, c.onLink)
		}
		for w, want := range c.first {
			row := m.Instances[2*w]
			if got := row.Offered * 100e-6; row.Instance != 1 || got < want-1e-6 || got > want+1e-6 {
				t.Errorf("%s: window %d: %g requests reach the first node, want %g", c.fault, w, got, want)
			}
		}
		if row := m.Instances[6]; (row.State == results.StateFailed) != (c.first[3] == 0) {
			t.Errorf("%s: at 400 us the first node's instance is %s", c.fault, row.State)
		}
	}
}

// While the dispatcher is dead what comes is lost, and what comes back passes. Afterwards all nodes get requests.
func TestTheDispatcherDies(t *testing.T) {
	_, m := steady(t, "{kind: dispatcher-death, at: 203us, for: 100us}")
	d := m.Run.Totals.Dropped
	if d.Rejected != 10 || d.Sum() != 10 || m.Run.Totals.Processed != 90 {
		t.Errorf("%+v, want the 10 requests that came meanwhile", m.Run.Totals)
	}
	for _, row := range m.Instances[len(m.Instances)-2:] {
		if row.Offered < 4e4 {
			t.Errorf("in the last window %+v, want five requests", row)
		}
	}
}

// Whoever waits for the reply to a request that was lost with a node hears of it when the dispatcher knows.
func TestClientsOfADeadNode(t *testing.T) {
	m := under(t, scenario(t, `
duration: 1ms
nodes: {count: 1, link: 1us, detection: 50us}
faults: [{kind: node-death, at: 103us, for: 10us}]
workload: [{requests: {arrivals: closed, clients: 1, classes: [{service: deterministic, mean: 8us}]}}]`), nil)
	// Ten requests of 10 us until 100 us; that of 100 us is lost at 103 us; the client asks again at 154 us.
	if got := m.Run.Totals; got.Processed != 10+84 || got.Dropped.Instance != 1 || got.Queued != 1 {
		t.Errorf("%+v", got)
	}
}

// Horus' nodes tell their load once for as many replies as they have instances, and RackSched's with each.
func TestSignals(t *testing.T) {
	signals := map[string]float64{}
	for _, name := range []string{"random", "racksched", "horus-spine"} {
		m := under(t, scenario(t, `
duration: 5ms
nodes: {count: 8, link: 1us, dispatcher: {policy: `+name+`}}
instances: {initial: 8, min: 8, max: 8}
scheduler: {policy: horus}
workload: [{requests: {load: 0.95, classes: [{mean: 10us}]}}]`), nil)
		signals[name] = m.Run.Requests.Dispatcher.SignalsPer
	}
	if signals["random"] != 0 || signals["racksched"] < 0.9 || signals["horus-spine"] < 0.1 ||
		signals["horus-spine"] > 0.25 {
		t.Errorf("signals a decision: %v", signals)
	}
}

func TestRacksThatCannotBe(t *testing.T) {
	sc := scenario(t, "nodes: {count: 2, dispatcher: {policy: prequal}}\n"+
		"workload: [{requests: {rate: 1000, classes: [{mean: 1us}]}}]")
	const want = "nodes.dispatcher.policy: prequal probes, and nodes answer no probes: want another"
	if err := Check(sc); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := New(sc); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
