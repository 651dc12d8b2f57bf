package scenarios

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

const chain = `
engine: request
duration: 10ms
nic: programmable
vnf: {buffer: 77}
nodes: {count: 3, link: 2us, dispatcher: {policy: power-of-d}}
services:
  - {name: firewall, instances: 4, nodes: [1]}
  - {name: ids, instances: 3, nodes: [2, 3], scheduler: {policy: {horus: {rng: asic}}}, buffer: 99, queue: priority}
scheduler: {policy: random}
autoscaler: {policy: none}
workload:
  - requests:
      load: 0.5
      classes:
        - {name: web, share: 3, path: [{at: firewall, mean: 1us}, {at: ids, service: deterministic, mean: 2us}]}
        - {name: odd, share: 1, path: [{at: ids, mean: 1us}, {at: firewall, mean: 3us}, {at: ids, mean: 1us}]}
`

// A record states services and paths only where the scenario has them, and what it states is read back.
func TestServicesAreStatedWhereTheyAreGiven(t *testing.T) {
	b := string(one(t, "{engine: request, duration: 1s, nic: ideal, autoscaler: {policy: none}, "+
		"workload: [{requests: {load: 1, classes: [{mean: 1us}]}}]}").YAML())
	for _, key := range []string{"services:", "path:"} {
		if strings.Contains(b, key) {
			t.Errorf("%s, which is not given, stands in\n%s", key, b)
		}
	}
	s := one(t, chain, "services.1.scheduler.policy.horus.reset=true")
	again := one(t, string(s.YAML()))
	if !reflect.DeepEqual(s.Services, again.Services) || !reflect.DeepEqual(s.Workload, again.Workload) {
		t.Errorf("%+v, want %+v", again.Services, s.Services)
	}
	if y := string(s.YAML()); !strings.Contains(y, "reset: true") || strings.Contains(y, "mean: 0s") {
		t.Errorf("stated as\n%s", y)
	}
}

// A service has the keys of the scenario where it has none of its own, and so has the one service of a scenario that
// names none.
func TestChain(t *testing.T) {
	s := one(t, chain)
	all := s.Chain()
	if a, b := all[0], all[1]; a.Buffer != 77 || b.Buffer != 99 || a.Queue != "fifo" || b.Queue != "priority" ||
		!reflect.DeepEqual(a.Nodes, []int{1}) || !reflect.DeepEqual(b.Nodes, []int{2, 3}) ||
		a.Scheduler.Policy.Name != "random" || b.Scheduler.Policy.Name != "horus" {
		t.Errorf("%+v", all)
	}
	at, laws := s.Visits(&s.Workload[0].Requests.Classes[1])
	if !reflect.DeepEqual(at, []int{1, 0, 1}) || laws[1].Mean != 3*units.Microsecond {
		t.Errorf("visits %v for %+v", at, laws)
	}
	if c := s.StationDispatcher(1, 2); c.Scheduler.Policy.Name != "horus" {
		t.Errorf("%+v", c)
	}
	if c := s.RackDispatcher(1); c.Scheduler.Policy.Name != "power-of-d" {
		t.Errorf("%+v", c)
	}
	plain := one(t, "{engine: request, duration: 1s, nic: ideal, autoscaler: {policy: none}, nodes: {count: 2}, "+
		"workload: [{requests: {load: 1, classes: [{mean: 1us}]}}]}")
	all = plain.Chain()
	if a := all[0]; len(all) != 1 || a.Instances != 3 || !reflect.DeepEqual(a.Nodes, []int{1, 2}) || a.Buffer != 1024 {
		t.Errorf("%+v", all)
	}
}

// Each station and each dispatcher draws what no other draws, and the first station what a NIC alone would draw.
func TestStationsHaveRandomStreamsOfTheirOwn(t *testing.T) {
	s, seen := one(t, chain), map[uint64]bool{}
	for service := range 2 {
		for node := range 3 {
			seen[s.StationDispatcher(service, node+1).Seed] = true
		}
		seen[s.RackDispatcher(service).Seed] = true
	}
	if len(seen) != 8 || s.Dispatcher().Seed != s.Seed {
		t.Errorf("%d seeds of 8, the first %d, want that of the scenario, %d", len(seen), s.Dispatcher().Seed, s.Seed)
	}
}

// A load is that of the service which has most to do: of the four requests, three are 1 us and one is 3 us at the four
// instances of the firewall; three are 2 us and one is twice 1 us at the six of the IDS.
func TestLoadOfAChain(t *testing.T) {
	for _, c := range []struct {
		sets []string
		want float64
	}{
		{nil, 0.5 * 4 / 1.5e-6},
		{[]string{"services.0.instances=8"}, 0.5 * 6 / 2e-6},
		{[]string{"services.0.instances=8", "services.1.nodes=[3]"}, 0.5 * 3 / 2e-6},
	} {
		s := one(t, chain, c.sets...)
		if got := s.RequestRate(s.Workload[0].Requests); math.Abs(got/c.want-1) > 1e-12 {
			t.Errorf("%v: %g requests a second, want %g", c.sets, got, c.want)
		}
	}
	s := one(t, "{engine: request, duration: 1s, nic: ideal, autoscaler: {policy: none}, nodes: {count: 5}, "+
		"workload: [{requests: {load: 0.8, classes: [{mean: 1us}]}}]}")
	if got := s.RequestRate(s.Workload[0].Requests); math.Abs(got/12e6-1) > 1e-12 {
		t.Errorf("five nodes of three instances: %g requests a second, want 12e6", got)
	}
}

// A load is a share of what the instances can do, each at its speed. The last speed is that of all later ones.
func TestALoadIsOfInstancesAtTheirSpeeds(t *testing.T) {
	s := one(t, "engine: request\nduration: 1s\n"+
		"instances: {initial: 4, min: 4, max: 4, speed: [2, 0.5], delay: [1us, 2us]}\n"+
		"scheduler: {policy: random}\nautoscaler: {policy: none}\n"+
		"workload: [{requests: {load: 0.5, classes: [{mean: 10us}]}}]")
	if got, want := s.RequestRate(s.Workload[0].Requests), 0.5*(2+3*0.5)*1e5; math.Abs(got/want-1) > 1e-12 {
		t.Errorf("%g requests a second, want %g", got, want)
	}
	again := one(t, string(s.YAML()))
	for number, want := range []float64{2, 0.5, 0.5, 0.5} {
		if got := again.Instances.SpeedOf(number + 1); got != want {
			t.Errorf("instance %d: speed %g, want %g", number+1, got, want)
		}
	}
	if len(again.Instances.Delay) != 2 || again.Instances.Delay[1] != 2*units.Microsecond {
		t.Errorf("delays %v", again.Instances.Delay)
	}
}
