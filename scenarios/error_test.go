package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// Each text is wrong in the ways that the messages say, and in no other.
var mistakes = []struct {
	what, text string
	sets, want []string
}{
	{what: "empty", text: "", want: []string{`t.yaml: found an empty document, expected YAML`}},
	{what: "not YAML", text: "a: [", want: []string{`t.yaml:1:1: found text that is not YAML: did not find expected node content`}},
	{what: "two documents", text: minimal + "---\nname: x\n", want: []string{`t.yaml:2:1: found a second document, expected one document a file`}},
	{what: "not a mapping", text: "hello", want: []string{`t.yaml:1:1: found "hello", expected a mapping with the keys name, seed, duration, scale, engine, nic, vnf, instances, scheduler, autoscaler, telemetry, measure, workload, faults`}},
	{what: "missing", text: "name: x", want: []string{`t.yaml:1:1: workload: found nothing, expected a list: the traffic: sources, superposed`}},
	{what: "unknown key", text: minimal + "scheduler: {polcy: best-fit}", want: []string{`t.yaml:2:13: scheduler.polcy: found an unknown key, expected one of policy, limit, demand, demand_rate, nofit, inflight, ties, no_instance; did you mean policy?`}},
	{what: "wrong unit", text: minimal + "scheduler: {limit: 10Mbps}", want: []string{`t.yaml:2:20: scheduler.limit: found "10Mbps", expected a packet rate such as 25Mpps (units pps, kpps, Mpps, Gpps)`}},
	{what: "no unit", text: minimal + "duration: 330", want: []string{`t.yaml:2:11: duration: found "330", expected a time such as 10s (units ps, ns, us, µs, ms, s, min, h)`}},
	{what: "enum", text: minimal + "engine: fliud", want: []string{`t.yaml:2:9: engine: found "fliud", expected one of fluid, packet; did you mean fluid?`}},
	{what: "text for a number", text: minimal + "instances: {max: many}", want: []string{`t.yaml:2:18: instances.max: found "many", expected a whole number from 1 to 65536`}},
	{what: "fraction", text: minimal + "instances: {max: 8.5}", want: []string{`t.yaml:2:18: instances.max: found "8.5", expected a whole number from 1 to 65536`}},
	{what: "number for a text", text: minimal + "name: 9", want: []string{`t.yaml:2:7: name: found "9", expected a text`}},
	{what: "number for a truth value", text: minimal + "scheduler: {inflight: 1}", want: []string{`t.yaml:2:23: scheduler.inflight: found "1", expected true or false`}},
	{what: "negative seed", text: minimal + "seed: -1", want: []string{`t.yaml:2:7: seed: found "-1", expected a whole number from 0`}},
	{what: "not finite", text: minimal + "autoscaler: {target: .inf}", want: []string{`t.yaml:2:22: autoscaler.target: found ".inf", expected a finite number`}},
	{what: "negative rate", text: minimal + "scheduler: {limit: -1Mpps}", want: []string{`t.yaml:2:20: scheduler.limit: found "-1Mpps", expected a packet rate such as 25Mpps (units pps, kpps, Mpps, Gpps)`}},
	{what: "below the least", text: minimal + "vnf: {buffer: 0}", want: []string{`t.yaml:2:15: vnf.buffer: found "0", expected a whole number from 1 to 16777216`}},
	{what: "mapping for a scalar", text: minimal + "seed: {a: 1}", want: []string{`t.yaml:2:7: seed: found a mapping, expected a whole number from 0`}},
	{what: "scalar for a list", text: "workload: cbr", want: []string{`t.yaml:1:11: workload: found "cbr", expected a list`}},
	{what: "nothing", text: minimal + "faults:", want: []string{`t.yaml:2:8: faults: found nothing, expected a list`}},
	{what: "twice", text: minimal + "seed: 1\nseed: 2", want: []string{`t.yaml:3:1: seed: found the key a second time, expected it once; the first is on line 2`}},
	{what: "anchor", text: minimal + "name: &a x\nengine: *a", want: []string{`t.yaml:2:7: name: found an anchor or alias, expected the value itself`, `t.yaml:3:9: engine: found an anchor or alias, expected the value itself`}},
	{what: "mapping as a key", text: minimal + "? {a: 1}\n: 2", want: []string{`t.yaml:2:3: found a mapping as a key, expected a name`}},
	{what: "unknown profile", text: minimal + "nic: bluefeld2", want: []string{`t.yaml:2:6: nic: found "bluefeld2", expected a profile: one of ` + strings.Join(Profiles(), ", ") + `, or the path of a .yaml file; did you mean bluefield2?`}},
	{what: "nic list", text: minimal + "nic: [a]", want: []string{`t.yaml:2:6: nic: found a list, expected a profile's name or a mapping with the keys profile, link, frame_overhead, eswitch_limit, eswitch_queue, rules, install_rate, install_latency, slowpath_rate, slowpath_queue, engine_latency`}},
	{what: "several, in order", text: "engine: x\nseed: y\nnmae: z\n" + minimal, want: []string{
		`t.yaml:1:9: engine: found "x", expected one of fluid, packet`,
		`t.yaml:2:7: seed: found "y", expected a whole number from 0`,
		`t.yaml:3:1: nmae: found an unknown key, expected one of name, seed, duration, scale, engine, nic, vnf, instances, scheduler, autoscaler, telemetry, measure, workload, faults; did you mean name?`}},

	{what: "a name that is a path", text: minimal + "name: ../../../x", want: []string{`t.yaml:2:7: name: found "../../../x", expected a name of at most 200 bytes that can be that of a file: no path, nothing that is not printable`}},
	{what: "a name with a backslash", text: minimal + `name: a\b`, want: []string{`t.yaml:2:7: name: found "a\\b", expected a name of at most 200 bytes that can be that of a file: no path, nothing that is not printable`}},
	{what: "a name that is a folder", text: minimal + "name: ..", want: []string{`t.yaml:2:7: name: found "..", expected a name of at most 200 bytes that can be that of a file: no path, nothing that is not printable`}},
	{what: "a name that moves the cursor", text: minimal + `name: "\e[2J"`, want: []string{`t.yaml:2:7: name: found "\x1b[2J", expected a name of at most 200 bytes that can be that of a file: no path, nothing that is not printable`}},
	{what: "a key that moves the cursor", text: minimal + `"\e[2J": 1`, want: []string{`t.yaml:2:1: \x1b[2J: found an unknown key, expected one of name, seed, duration, scale, engine, nic, vnf, instances, scheduler, autoscaler, telemetry, measure, workload, faults`}},
	{what: "too many instances", text: minimal + "instances: {max: 65537}", want: []string{`t.yaml:2:18: instances.max: found "65537", expected a whole number from 1 to 65536`}},
	{what: "too many windows", text: minimal + "duration: 10s\ntelemetry: {window: 1ps}", want: []string{`t.yaml:3:21: telemetry.window: found "1ps", expected 100ns or more: with this there are 10000000000000 windows in 10s, and at most 100000000 are possible`}},
	{what: "too many evaluations", text: minimal + "duration: 10s\nautoscaler: {interval: 10ns}", want: []string{`t.yaml:3:24: autoscaler.interval: found "10ns", expected 100ns or more: with this there are 1000000000 evaluations in 10s, and at most 100000000 are possible`}},
	{what: "too long a ring", text: minimal + "engine: packet\nvnf: {buffer: 1048577}", want: []string{`t.yaml:3:15: vnf.buffer: found "1048577", expected at most 1048576 with engine: packet`}},
	{what: "too slow a link", text: minimal + "engine: packet\nnic: {link: 1kbps}", want: []string{`t.yaml:3:13: nic.link: found "1kbps", expected 0, or 1Mbps to 1e12 a second, with engine: packet`}},
	{what: "too many at once", text: "engine: packet\nworkload: [{cbr: {flows: 2097153, rate: 1pps}}]", want: []string{`t.yaml:2:26: workload.0.cbr.flows: found "2097153", expected an interval above 0, or at most 2097152 flows, which begin at one instant, with engine: packet`}},
	{what: "too many phases", text: "duration: 10s\nworkload: [{model: {name: agh-2015, rate: 1, arrivals: on-off, on_time: 1ps, off_time: 1ps}}]", want: []string{`t.yaml:2:73: workload.0.model.on_time: found "1ps", expected longer phases: 5000000000000 in 10s, of which at most 16777216 are made`}},
	{what: "too rare", text: "duration: 10s\nworkload: [{model: {name: agh-2015, rate: 1e-7, arrivals: constant}}]", want: []string{`t.yaml:2:43: workload.0.model.rate: found "1e-7", expected at least 1e-06 with arrivals: constant`}},
	{what: "heavy service times", text: minimal + "engine: packet\nvnf: {service: empirical, service_times: [" + strings.Repeat("{time: 1us, weight: 1000000000},", 1100) + "]}", want: []string{`t.yaml:3:42: vnf.service_times: found a list, expected weights that sum to at most 1099511627776`}},
	{what: "service in no time", text: minimal + "engine: packet\nvnf: {service: empirical, service_times: [{time: 1ps}, {time: 0s}]}", want: []string{`t.yaml:3:42: vnf.service_times: found a list, expected a mean of at least 1ps`}},

	{what: "initial beyond max", text: minimal + "instances: {initial: 9}", want: []string{`t.yaml:2:22: instances.initial: found "9", expected at most instances.max, 8`}},
	{what: "no instance for good", text: minimal + "instances: {initial: 0, min: 0}\nautoscaler: {policy: none}", want: []string{`t.yaml:2:22: instances.initial: found "0", expected at least 1 with autoscaler.policy: none, under which no instance would ever start`}},
	{what: "nothing brings an instance back", text: minimal + "instances: {min: 0}\nscheduler: {no_instance: drop}", want: []string{`t.yaml:3:26: scheduler.no_instance: found "drop", expected hold with instances.min: 0: with drop nothing would bring the last instance back`}},
	{what: "min beyond max", text: minimal + "instances: {min: 9}", want: []string{`t.yaml:2:18: instances.min: found "9", expected at most instances.max, 8`}},
	{what: "constant without rate", text: minimal + "vnf: {contention: {model: constant}}", want: []string{`t.yaml:2:19: vnf.contention.rate: found no such key, expected a rate above 0, or service_time, for model: constant`}},
	{what: "constant with both", text: minimal + "vnf: {contention: {model: constant, rate: 1Mpps, service_time: 1us}}", want: []string{`t.yaml:2:64: vnf.contention.service_time: found "1us", expected rate or service_time, not both`}},
	{what: "points without table", text: minimal + "vnf: {contention: {points: {1: 1Mpps}}}", want: []string{`t.yaml:2:28: vnf.contention.points: found a mapping, expected model: table with this key`}},
	{what: "point 0", text: minimal + "vnf: {contention: {model: table, points: {0: 1Mpps}}}", want: []string{`t.yaml:2:43: vnf.contention.points.0: found an unknown key, expected a whole number from 1`}},
	{what: "no source", text: "workload: []", want: []string{`t.yaml:1:11: workload: found a list, expected at least one source`}},
	{what: "two sources in one", text: "workload: [{cbr: {flows: 1, rate: 1Mpps}, zeek: {file: x}}]", want: []string{`t.yaml:1:12: workload.0: found a mapping, expected exactly one of the keys cbr, flows, pcap, zeek, records, load, model; it has 2`}},
	{what: "total and rate", text: "workload: [{cbr: {flows: 1, rate: 1Mpps, total: 1Gbps}}]", want: []string{`t.yaml:1:35: workload.0.cbr.rate: found "1Mpps", expected total or rate, not both`}},
	{what: "neither total nor rate", text: "workload: [{cbr: {flows: 1}}]", want: []string{`t.yaml:1:18: workload.0.cbr.total: found no such key, expected a bit rate above 0 for all flows, or rate`}},
	{what: "bursts without on-off", text: "workload: [{cbr: {flows: 1, rate: 1Mpps, arrivals: poisson, on_time: 2ms}}]", want: []string{`t.yaml:1:70: workload.0.cbr.on_time: found "2ms", expected arrivals: on-off with this key`}},
	{what: "no silence", text: "workload: [{flows: [{rate: 1Mpps, arrivals: on-off, off_time: 0s}]}]", want: []string{`t.yaml:1:63: workload.0.flows.0.off_time: found "0s", expected a time above 0 and at most 1h`}},
	{what: "MTU of a flow log", text: "workload: [{zeek: {file: x, mtu: 1500B}}]", want: []string{`t.yaml:1:34: workload.0.zeek.mtu: found "1500B", expected none: only the packets of a pcap can be split`}},
	{what: "tunnels of a flow log", text: "workload: [{zeek: {file: x, tunnel: inner}}]", want: []string{`t.yaml:1:37: workload.0.zeek.tunnel: found "inner", expected none: only the packets of a pcap can be in tunnels`}},
	{what: "MTU too small", text: "workload: [{pcap: {file: x, mtu: 100B}}]", want: []string{`t.yaml:1:34: workload.0.pcap.mtu: found "100B", expected 0, or 576B or more`}},
	{what: "cut backwards", text: "workload: [{pcap: {file: x, from: 2s, to: 1s}}]", want: []string{`t.yaml:1:43: workload.0.pcap.to: found "1s", expected a time after from, 2s`}},
	{what: "model without rate", text: "workload: [{model: {name: agh-2015}}]", want: []string{`t.yaml:1:20: workload.0.model.rate: found no such key, expected a number above 0 of new flows a second`}},
	{what: "model without name", text: "workload: [{model: {rate: 5}}]", want: []string{`t.yaml:1:20: workload.0.model.name: found nothing, expected one of agh-2015, sizes, trex: agh-2015: the campus network of AGH Kraków; sizes: a distribution of flow sizes in a file, as of a data centre; trex: the traffic mix of a TRex profile`}},
	{what: "key of another model", text: "workload: [{model: {name: trex, file: x, protocol: tcp, on_time: 2s}}]", want: []string{`t.yaml:1:52: workload.0.model.protocol: found "tcp", expected name: agh-2015 with this key`, `t.yaml:1:66: workload.0.model.on_time: found "2s", expected arrivals: on-off with this key`}},
	{what: "delay in the fluid engine", text: minimal + "measure: {delay: instances}", want: []string{`t.yaml:2:18: measure.delay: found "instances", expected engine: packet with this key: the fluid engine knows rates, no packet's delay`}},
	{what: "empirical without times", text: minimal + "vnf: {service: empirical, service_times: [{time: 0ps}, {time: 1us, weight: 0}]}", want: []string{`t.yaml:2:42: vnf.service_times: found a list, expected at least one time above 0, or service_file, for service: empirical`}},
	{what: "times without empirical", text: minimal + "vnf: {service_times: [{time: 80ns}]}", want: []string{`t.yaml:2:22: vnf.service_times: found a list, expected service: empirical with this key`}},
	{what: "times and file", text: minimal + "vnf: {service: empirical, service_file: x, service_times: [{time: 80ns}]}", want: []string{`t.yaml:2:41: vnf.service_file: found "x", expected service_times or service_file, not both`}},
	{what: "death for a while", text: minimal + "faults: [{kind: instance-death, at: 1s, for: 1s}]", want: []string{`t.yaml:2:46: faults.0.for: found "1s", expected no duration, since an instance's death is for good`}},

	{what: "unknown policy", text: minimal + "scheduler: {policy: bestfit}", want: []string{`t.yaml:2:21: scheduler.policy: found "bestfit", expected one of ` + strings.Join(policyNames[reflect.TypeFor[scheduler.Options]()]["policy"](), ", ") + `; did you mean best-fit?`}},
	{what: "deep nesting", text: minimal + "faults: " + strings.Repeat("[", 17) + strings.Repeat("]", 17), want: []string{`t.yaml:2:25: faults` + strings.Repeat(".0", 16) + `: found a deeper nesting, expected at most 16 levels`}},
	{what: "long key", text: minimal + strings.Repeat("k", 129) + ": 1", want: []string{`t.yaml:2:1: found a key of 129 bytes, expected at most 128`}},
	{what: "long path", text: minimal, sets: []string{strings.Repeat("a.", 20) + "b=1"}, want: []string{`--set ` + strings.Repeat("a.", 20) + `b=1: found "` + strings.Repeat("a.", 20) + `b=1", expected path=value such as scheduler.limit=12Mpps`}},

	{what: "set without value", text: minimal, sets: []string{"seed"}, want: []string{`--set seed: found "seed", expected path=value such as scheduler.limit=12Mpps`}},
	{what: "set of no file", text: minimal, sets: []string{"@testdata/none.yaml"}, want: []string{`testdata/none.yaml: found open testdata/none.yaml: no such file or directory, expected a YAML file with keys of a scenario`}},
	{what: "set of a list", text: minimal, sets: []string{"@testdata/overrides-list.yaml"}, want: []string{`testdata/overrides-list.yaml:1:1: found a list, expected a mapping with keys of a scenario`}},
	{what: "set of a wrong file", text: minimal, sets: []string{"@testdata/overrides-wrong.yaml"}, want: []string{`testdata/overrides-wrong.yaml:3:11: vnf.buffer: found "many", expected a whole number from 1 to 16777216`}},
	{what: "set of nothing", text: minimal, sets: []string{"seed="}, want: []string{`--set seed=: seed: found an empty document, expected YAML`}},
	{what: "set of an unknown key", text: minimal, sets: []string{"scheduler.limt=1Mpps"}, want: []string{`--set scheduler.limt=1Mpps: scheduler.limt: found an unknown key, expected one of policy, limit, demand, demand_rate, nofit, inflight, ties, no_instance; did you mean limit?`}},
	{what: "set beyond a list", text: minimal, sets: []string{"workload.1.cbr.flows=1"}, want: []string{`--set workload.1.cbr.flows=1: workload.1.cbr.flows: found a list of 1 at workload, expected the path of a key`}},
	{what: "set below a scalar", text: minimal + "seed: 1", sets: []string{"seed.x=1"}, want: []string{`--set seed.x=1: seed.x: found "1" at seed, expected the path of a key`}},
	{what: "set after the file's own", text: minimal + "engine: x", sets: []string{"seed=y"}, want: []string{`t.yaml:2:9: engine: found "x", expected one of fluid, packet`, `--set seed=y: seed: found "y", expected a whole number from 0`}},

	{what: "sweep value", text: minimal + "sweep: {matrix: {scheduler.limit: [1Mpps, 2]}}", want: []string{`t.yaml:2:43: scheduler.limit: found "2", expected a packet rate such as 25Mpps (units pps, kpps, Mpps, Gpps)`}},
	{what: "sweep of a scalar", text: minimal + "sweep: {matrix: {seed: 3}}", want: []string{`t.yaml:2:24: sweep.matrix.seed: found "3", expected a list of at least one value`}},
	{what: "sweep twice the same", text: minimal + "sweep: {matrix: {seed: [3, 3]}}", want: []string{`t.yaml:2:8: sweep: found two runs of the name unnamed-seed=3, expected different values for each key`}},
	{what: "sweep key", text: minimal + "sweep: {sedes: 3}", want: []string{`t.yaml:2:9: sweep.sedes: found an unknown key, expected one of base, matrix, seeds; did you mean seeds?`}},
	{what: "sweep too large", text: minimal + "sweep: {matrix: {seed: [1, 2]}, seeds: 90000}", want: []string{`t.yaml:2:8: sweep: found more than 100000 runs, expected a smaller study, or several files`}},
	{what: "base is a sweep", text: "sweep: {base: fig9}", want: []string{`t.yaml:1:15: sweep.base: found "fig9", which is a sweep itself, expected a scenario without a sweep`}},
}

func TestMistakesAreExplained(t *testing.T) {
	for _, m := range mistakes {
		_, err := Parse("t.yaml", []byte(m.text), t.TempDir(), m.sets)
		if err == nil {
			t.Errorf("%s: no error", m.what)
			continue
		}
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: not ErrInvalid", m.what)
		}
		if got, want := err.Error(), strings.Join(m.want, "\n"); got != want {
			t.Errorf("%s:\n got %s\nwant %s", m.what, got, want)
		}
	}
}

func TestMistakesInAProfileNameItsFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "own.yaml")
	if err := os.WriteFile(file, []byte("link: 1\nrules: 3\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := Parse("t.yaml", []byte("nic: own.yaml\n"+minimal), dir, nil)
	if want := file + `:1:7: link: found "1", expected a bit rate`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if want := file + `:1:1: eswitch_limit: found nothing`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoadOfAMissingFileSuggestsNames(t *testing.T) {
	_, err := Load("fig9-bestfit", nil)
	if !errors.Is(err, ErrInvalid) || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "did you mean fig9-best-fit") {
		t.Errorf("got %v", err)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"polcy", "policy", 1}, {"fliud", "fluid", 1}, {"kitten", "sitting", 3}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%s to %s: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Whatever the bytes, Parse answers; what it accepts, it writes in a form that reads the same.
func FuzzParse(f *testing.F) {
	for _, m := range mistakes {
		f.Add([]byte(m.text), strings.Join(m.sets, "\n"))
	}
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "scheduler.limit=1Mpps")
	}
	f.Add([]byte("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]"), "")
	f.Fuzz(func(t *testing.T, data []byte, sets string) {
		if len(data) > 4096 || strings.Contains(string(data), "seeds") || strings.Contains(sets, "seeds") {
			t.Skip("a study may have many runs")
		}
		var ss []string
		if sets != "" {
			ss = strings.Split(sets, "\n")
		}
		study, err := Parse("f.yaml", data, "testdata", ss)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("not ErrInvalid: %v", err)
			}
			return
		}
		s := study.Runs[0].Scenario
		back, err := Parse("back.yaml", s.YAML(), s.dir, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, s.YAML())
		}
		if !reflect.DeepEqual(back.Runs[0].Scenario, s) {
			t.Fatalf("reads back differently:\n%s", s.YAML())
		}
	})
}

// What is wrong may be as long as a file; what is said of it is not.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	for what, text := range map[string]string{"number": "vnf: {buffer: " + long + "}", "rate": "scheduler: {limit: " + long + "pps}", "text": "engine: " + long, "YAML": "a: [" + long} {
		if _, err := Parse("t.yaml", []byte(minimal+text), ".", nil); err == nil || len(err.Error()) > 4*mostShown {
			t.Errorf("%s: %.200v", what, err)
		}
		if _, err := Parse("t.yaml", []byte(minimal), ".", []string{"duration=" + text}); err == nil || len(err.Error()) > 4*mostShown {
			t.Errorf("%s in an override: %.200v", what, err)
		}
	}
}

// A run that ends with its traffic is asked when the traffic is known.
func TestCheckLength(t *testing.T) {
	s := one(t, minimal, "telemetry.window=1ns")
	if err := s.CheckLength(units.Millisecond); err != nil {
		t.Error(err)
	}
	err := s.CheckLength(units.Second)
	if want := "unnamed: telemetry.window: found 1ns, expected 10ns or more: with this there are 1000000000 windows in 1s, and at most 100000000 are possible"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Reading ends, whatever stands at the path; a pipe with something in it is as good as a file.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo:        fifo + ": found a pipe into which nobody writes, expected a file",
		"/dev/zero": "/dev/zero: found a device, expected a file",
	} {
		if _, err := ReadFile(path); err == nil || err.Error() != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v, want %s", err, want)
		}
		for what, load := range map[string]func() error{
			"scenario":  func() error { _, err := Load(path, nil); return err },
			"overrides": func() error { _, err := Parse("t.yaml", []byte(minimal), ".", []string{"@" + path}); return err },
			"base":      func() error { _, err := Parse("t.yaml", []byte("sweep: {base: "+path+"}"), ".", nil); return err },
		} {
			if err := load(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", what, err, want)
			}
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(minimal); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if s, err := Load(fmt.Sprintf("/dev/fd/%d", r.Fd()), nil); err != nil || len(s.Runs) != 1 {
		t.Errorf("a pipe that a shell gives: %v", err)
	}
}

// Work grows with the size of the file, whatever its shape.
func TestHostileFilesEndSoon(t *testing.T) {
	for what, text := range map[string]string{
		"aliases":      "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]",
		"long key":     strings.Repeat("k", 1<<20) + ": [" + strings.Repeat("1,", 1<<18) + "]",
		"many unknown": strings.Repeat("x", 100) + ": [" + strings.Repeat("1,", 1<<18) + "]\n" + minimal,
		"many sources": "workload: [" + strings.Repeat("{},", 1<<16) + "]",
		"deep":         strings.Repeat("[", 9000),
		"huge":         strings.Repeat("#", MaxSize+1),
		"long sweep":   "sweep: {seeds: 100000}\nfaults: [" + strings.Repeat("{kind: link-down, at: 1s},", 1000) + "]\n" + minimal,
	} {
		if _, err := Parse("t.yaml", []byte(text), ".", nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
