package scenarios

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

var update = flag.Bool("update", false, "rewrite the golden files and the reference")

const minimal = "workload: [{cbr: {flows: 1, rate: 1Mpps}}]\n"

// idealExample is a queueing experiment as the packet engine's documentation writes it.
const idealExample = `nic: ideal
vnf: {buffer: 512, service: deterministic, contention: {model: constant, service_time: 80645ps}}
instances: {initial: 8, min: 8, max: 8}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
workload:
  - flows:
      - {period: 200000ps, phase: 0ps, packet_size: 64B}
      - {period: 200970ps, phase: 6700ps, packet_size: 64B}
`

func parse(t *testing.T, text string, sets ...string) *Study {
	t.Helper()
	s, err := Parse("t.yaml", []byte(text), t.TempDir(), sets)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func one(t *testing.T, text string, sets ...string) *Scenario {
	t.Helper()
	return parse(t, text, sets...).Runs[0].Scenario
}

// A record states weights only where the scenario has them, and what it states is read back.
func TestWeightsAreStatedWhereTheyAreGiven(t *testing.T) {
	b := string(one(t, minimal).YAML())
	for _, key := range []string{"weights", "maxconn", "minconn", "fullconn", "slow_start", "speed"} {
		if strings.Contains(b, key) {
			t.Errorf("%s, which is not given, stands in\n%s", key, b)
		}
	}
	s := one(t, minimal, "instances.weights=[4, 3, 0]", "instances.maxconn=[2]", "instances.slow_start=10s",
		"instances.minconn=[1]", "instances.fullconn=9")
	again := one(t, string(s.YAML()))
	for _, s := range []*Scenario{s, again} {
		if c := s.Orchestrator(); !slices.Equal(c.Weights, []int{4, 3, 0}) || !slices.Equal(c.MaxConn, []int{2}) ||
			c.SlowStart != 10*units.Second || !slices.Equal(c.MinConn, []int{1}) || c.FullConn != 9 {
			t.Errorf("weights %v, maxconn %v, minconn %v, fullconn %d, slow_start %v", c.Weights, c.MaxConn,
				c.MinConn, c.FullConn, c.SlowStart)
		}
	}
}

// A tenant goes with any source, and its flows are known by it, also after the sources are merged, scaled and written.
func TestTenants(t *testing.T) {
	const text = `
duration: 10s
workload:
- {cbr: {flows: 2, interval: 2s, rate: 1Mpps}, tenant: blue}
- {flows: [{rate: 1Mpps, phase: 1s}]}
- {tenant: "a red one", flows: [{rate: 1Mpps, phase: 3s}]}
`
	s := one(t, text)
	scaled, err := s.Scaled(0.5, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Scenario{s, scaled, one(t, string(s.YAML()))} {
		w, err := s.Traffic()
		if err != nil {
			t.Fatal(err)
		}
		if want := []string{"blue", "", "blue", "a red one"}; !slices.Equal(w.Tenants, want) {
			t.Errorf("flows of %q, want %q", w.Tenants, want)
		}
	}
	if b := string(one(t, minimal).YAML()); strings.Contains(b, "tenant") {
		t.Errorf("a tenant, which is not given, stands in\n%s", b)
	}
}

func TestAMinimalScenarioHasTheDocumentedDefaults(t *testing.T) {
	s := one(t, minimal)
	for _, c := range []struct{ got, want any }{
		{s.Name, "unnamed"}, {s.Seed, uint64(1)}, {s.Engine, "fluid"}, {s.NIC.Profile, "bluefield2"},
		{s.NIC.ESwitchLimit, units.PPS(64e6)}, {s.NIC.InstallLatency, 300 * units.Microsecond},
		{s.VNF.Contention.Lambda, units.PPS(25e6)},
		{s.Instances, Instances{Initial: 3, Min: 3, Max: 8, Weights: []int{}, MaxConn: []int{},
			MinConn: []int{}, Speed: []float64{}, Delay: []units.Time{}}},
		{s.Scheduler.Limit, units.PPS(10e6)},
		{s.Scheduler.InFlight, true}, {s.Autoscaler.Target, 0.5}, {s.Telemetry.Window, units.Second},
		{s.Workload[0].CBR.PacketSize, units.Bytes(64)},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
}

// The example of the reference writes out the reading of the thesis, which the defaults do not have, and some defaults:
// leaving these out changes nothing.
func TestTheFigure9ExampleSpellsOutItsReading(t *testing.T) {
	study, err := Load("fig9-best-fit", nil)
	if err != nil {
		t.Fatal(err)
	}
	short := one(t, `
name: fig9-best-fit
duration: 330s
vnf: {contention: {sigma: 0.3535507661, kappa: 0.022983025, share: pooled}}
scheduler: {policy: best-fit, metric: processed, demand: zero}
autoscaler: {policy: hottest-instance, above: 10Mpps}
workload: [{cbr: {flows: 32, interval: 10s, total: 100Gbps}}]
`)
	short.dir = study.Runs[0].Scenario.dir
	if !reflect.DeepEqual(study.Runs[0].Scenario, short) {
		t.Errorf("got %+v, want %+v", study.Runs[0].Scenario, short)
	}
}

func TestTheIdealExample(t *testing.T) {
	s := one(t, idealExample)
	if s.NIC != (NIC{Profile: "ideal", Dispatch: "pipeline", DispatchQueue: 1024, DispatchHeld: 1 << 20}) {
		t.Errorf("an ideal NIC has limits: %+v", s.NIC)
	}
	if f := s.Workload[0].Flows[1]; f.Period != 200970 || f.Phase != 6700 || s.VNF.Contention.ServiceTime != 80645 {
		t.Errorf("times lost digits: %+v, %v", f, s.VNF.Contention.ServiceTime)
	}
}

func TestNICOverridesAProfile(t *testing.T) {
	dir := t.TempDir()
	text, err := nicFiles.ReadFile("nics/bluefield2.yaml")
	if err != nil {
		t.Fatal(err)
	}
	own := strings.Replace(string(text), "rules: 200000", "rules: 7", 1)
	if err := os.WriteFile(filepath.Join(dir, "own.yaml"), []byte(own), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		nic   string
		sets  []string
		rules int
		link  units.BPS
	}{
		{"bluefield2", nil, 200000, 100e9},
		{"{link: 25Gbps}", nil, 200000, 25e9},
		{"{profile: ideal, link: 25Gbps}", nil, 0, 25e9},
		{"own.yaml", nil, 7, 100e9},
		{"{link: 10Gbps, profile: own.yaml}", nil, 7, 10e9},
		{"own.yaml", []string{"nic.link=40Gbps"}, 7, 40e9},
		{"bluefield2", []string{"nic=ideal"}, 0, 0},
	} {
		study, err := Parse("t.yaml", []byte("nic: "+c.nic+"\n"+minimal), dir, c.sets)
		if err != nil {
			t.Errorf("%s: %v", c.nic, err)
			continue
		}
		if n := study.Runs[0].Scenario.NIC; n.Rules != c.rules || n.Link != c.link {
			t.Errorf("%s %v: rules %d and link %v, want %d and %v", c.nic, c.sets, n.Rules, n.Link, c.rules, c.link)
		}
	}
}

func TestOverrides(t *testing.T) {
	s := one(t, minimal, "workload.0.cbr.flows=12", "scheduler.limit=12Mpps",
		"vnf.contention={model: table, points: {1: 25Mpps, 4: 10Mpps}}", "name=x=y")
	if s.Workload[0].CBR.Flows != 12 || s.Scheduler.Limit != 12e6 || s.VNF.Contention.Points[4] != 10e6 ||
		s.Name != "x=y" {
		t.Errorf("%+v", s)
	}
}

// An override has to do something in one of the runs at least. What a file says holds for whichever policy is chosen.
func TestOverridesOfOnePolicyInASweepOfSeveral(t *testing.T) {
	several := minimal + "\nsweep: {matrix: {autoscaler.policy: [hottest-instance, target-utilization, hpa]}}\n"
	for _, r := range parse(t, several, "autoscaler.target=0.7").Runs {
		if r.Scenario.Autoscaler.Target != 0.7 {
			t.Errorf("%s: target %v", r.Name, r.Scenario.Autoscaler.Target)
		}
	}
	one(t, minimal+"\nautoscaler: {policy: hottest-instance, above: 9Mpps}\n", "autoscaler.policy=hpa",
		"autoscaler.interval=2s", "autoscaler.policy.hpa.tolerance=0.2")
}

func TestEveryEmbeddedScenarioParses(t *testing.T) {
	runs := map[string]int{
		"campus": 1, "day": 2, "delay": 30, "slowpath": 270, "fig6": 1, "fig7": 8, "fig8": 3,
		"fig9": 3, "fig9-best-fit": 1, "fig9-round-robin": 1, "fig9-worst-fit": 1, "fig10": 3,
		"lab/fig6": 1, "lab/fig7": 8, "lab/fig9": 3, "lab/fig10": 2, "share": 1, "lab/share": 1,
		"requests": 180, "requests-tenants": 1, "requests-closed": 1, "requests-rack": 105, "requests-chain": 1,
		"requests-scaling": 40, "rack": 5, "lab/vertical": 1, "bursts": 90,
	}
	for _, name := range Names() {
		study, err := Load(name, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if study.Name != strings.ReplaceAll(name, "/", "-") || len(study.Runs) != runs[name] {
			t.Errorf("%s: name %s and %d runs, want %d", name, study.Name, len(study.Runs), runs[name])
		}
		delete(runs, name)
	}
	if len(runs) > 0 {
		t.Errorf("not embedded: %v", runs)
	}
}

func TestSweepOrderAndNames(t *testing.T) {
	study := parse(t, minimal+`name: s
seed: 7
sweep:
  matrix:
    scheduler.policy: [best-fit, worst-fit]
    workload.0.cbr.rate: [1Mpps, 2Mpps]
  seeds: 2
`)
	var names []string
	for _, r := range study.Runs {
		names = append(names, r.Name)
	}
	want := []string{
		"s-policy=best-fit-rate=1Mpps-seed=7", "s-policy=best-fit-rate=1Mpps-seed=8",
		"s-policy=best-fit-rate=2Mpps-seed=7", "s-policy=best-fit-rate=2Mpps-seed=8",
		"s-policy=worst-fit-rate=1Mpps-seed=7", "s-policy=worst-fit-rate=1Mpps-seed=8",
		"s-policy=worst-fit-rate=2Mpps-seed=7", "s-policy=worst-fit-rate=2Mpps-seed=8",
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("got %q", names)
	}
	last := study.Runs[7]
	s := last.Scenario
	if s.Seed != 8 || s.Scheduler.Policy.Name != "worst-fit" || s.Workload[0].CBR.Rate != 2e6 || s.Name != last.Name {
		t.Errorf("%+v", s)
	}
	if first := study.Runs[0].Scenario; first.Workload[0].CBR.Rate != 1e6 {
		t.Error("runs share a source")
	}
}

// All stands for every policy of the table, each with the defaults of its options, beside others that are named.
func TestSweepOverAllPolicies(t *testing.T) {
	study := parse(t, minimal+"sweep: {matrix: {scheduler.policy: [{maglev: {table: 251}}, all]}}")
	var names []string
	for _, r := range study.Runs {
		names = append(names, r.Scenario.Scheduler.Policy.Name)
		if want := scheduler.Named(names[len(names)-1]); len(names) > 1 &&
			!reflect.DeepEqual(r.Scenario.Scheduler.Policy, want) {
			t.Errorf("%s: policy %+v, want %+v", r.Name, r.Scenario.Scheduler.Policy, want)
		}
	}
	if want := append([]string{"maglev"}, everywhere()...); !slices.Equal(names, want) {
		t.Errorf("policies %v, want %v", names, want)
	}
	study = parse(t, minimal+"sweep: {matrix: {autoscaler.policy: [all], autoscaler.victim: [all]}}")
	if want := len(autoscaler.Policies) * len(autoscaler.Victims); len(study.Runs) != want {
		t.Errorf("%d runs, want %d", len(study.Runs), want)
	}
	for text, want := range map[string]string{
		"scheduler.limit: [all]":          `scheduler.limit: found "all", expected a packet rate`,
		"scheduler.policy: [all, maglev]": "found two runs of the name unnamed-policy=maglev",
		"scheduler.policy: [{all: {}}]":   `scheduler.policy: found "all", expected one of round-robin`,
	} {
		_, err := Parse("t.yaml", []byte(minimal+"sweep: {matrix: {"+text+"}}"), "", nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// everywhere are the scheduling policies that run everywhere.
func everywhere() []string {
	names := scheduler.On(policy.Flows).Names()
	return slices.DeleteFunc(names, func(name string) bool { return name == "envoy-peak-ewma" })
}

// The comparisons of schedulers in compare/ are studies of all policies, each under the same seeds.
func TestTheComparisonsAreOfAllPolicies(t *testing.T) {
	for _, load := range []string{"agh", "capture", "fig9"} {
		file := "compare/" + load + ".yaml"
		study, err := Load(file, nil)
		if err != nil {
			t.Error(err)
		} else if want := 5 * len(everywhere()); len(study.Runs) != want {
			t.Errorf("%s: %d runs, want %d", file, len(study.Runs), want)
		}
	}
}

// Every file that the scenarios in compare/ name is there and can be read.
func TestTheComparisonsHaveTheirTraffic(t *testing.T) {
	files, err := filepath.Glob("compare/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		study, err := Load(file, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		s := study.Runs[0].Scenario
		if err := s.CheckFiles(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if s.Workload[0].PCAP != nil || s.Workload[0].Model != nil {
			continue // long, and other tests read such files
		}
		if w, err := s.Traffic(); err != nil || len(w.Flows) == 0 {
			t.Errorf("%s: no traffic: %v", file, err)
		}
	}
}

func TestACrowdBeyondAPacketAPicosecond(t *testing.T) {
	err := one(t, "duration: 9s\nworkload: [{flash_crowd: {base: 10Gpps, factor: 1000}}]").CheckTraffic()
	const want = "workload.0.flash_crowd: found 10000Gpps, expected at most 1000Gpps, a packet a picosecond"
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	err = one(t, "workload: [{diurnal: {mean: 1pps}}]").CheckTraffic()
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "duration: found 0s with a source") {
		t.Errorf("a day without an end: %v", err)
	}
}

// A source that has flows of a lifetime is followed by one with other addresses.
func TestAddressesOfSeveralSources(t *testing.T) {
	s := one(t, `
duration: 60s
workload:
  - diurnal: {mean: 1kpps, flows: 3, lifetime: 7s}
  - flash_crowd: {base: 1kpps, flows: 2}
  - load: {file: testdata/load.csv, column: v, lifetime: 1s}
  - services: {file: testdata/load.csv, group: [s], column: v, time: t, step: 1s}
  - cbr: {flows: 2, rate: 1pps}
`)
	s.dir = "."
	w, err := s.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[flow.FiveTuple]bool{}
	for _, f := range w.Flows {
		if seen[f.Tuple] {
			t.Errorf("two flows have %v", f.Tuple)
		}
		seen[f.Tuple] = true
	}
	if n := len(seen); n < 3*60/7+2+3+2+2 {
		t.Errorf("%d flows", n)
	}
}

func TestSweepOverABase(t *testing.T) {
	dir := t.TempDir()
	base := []byte("name: b\nscheduler: {limit: 9Mpps, demand: zero}\n" + minimal)
	if err := os.WriteFile(filepath.Join(dir, "base.yaml"), base, 0o666); err != nil {
		t.Fatal(err)
	}
	text := "name: s\nscheduler: {limit: 8Mpps}\nsweep: {base: base.yaml, matrix: {seed: [3, 4]}}\n"
	study, err := Parse("s.yaml", []byte(text), dir, []string{"workload.0.cbr.flows=5"})
	if err != nil {
		t.Fatal(err)
	}
	s := study.Runs[1].Scenario
	if s.Name != "s-seed=4" || s.Scheduler.Limit != 8e6 || s.Scheduler.Demand != "zero" ||
		s.Workload[0].CBR.Flows != 5 || s.Seed != 4 {
		t.Errorf("%+v", s)
	}
	study, err = Parse("s.yaml", []byte("sweep: {base: fig9-best-fit, seeds: 3}\n"), dir, []string{"sweep.seeds=2"})
	if err != nil || len(study.Runs) != 2 || study.Name != "fig9-best-fit" {
		t.Errorf("%+v, %v", study, err)
	}
}

func TestAnOverrideFixesASweptKey(t *testing.T) {
	study, err := Load("fig9", []string{"scheduler.policy=best-fit"})
	if err != nil || len(study.Runs) != 1 || study.Runs[0].Name != "fig9-policy=best-fit" {
		t.Errorf("%+v, %v", study, err)
	}
}

func TestAnOverrideBelowASweptKeyHoldsForEachOfItsValues(t *testing.T) {
	study := parse(t, minimal+"sweep: {matrix: {nic: [bluefield2, ideal]}}", "nic.rules=7")
	for i, name := range []string{"unnamed-nic=bluefield2", "unnamed-nic=ideal"} {
		r, link := study.Runs[i], []units.BPS{100e9, 0}[i]
		if r.Name != name || r.Scenario.NIC.Rules != 7 || r.Scenario.NIC.Link != link {
			t.Errorf("%s: %+v", r.Name, r.Scenario.NIC)
		}
	}
}

func TestResolvedScenariosReadBack(t *testing.T) {
	texts := map[string]string{
		"minimal": minimal, "ideal": idealExample,
		"digits": minimal + `
scheduler: {limit: 1234567.8901234pps}
duration: 86400000000000001ps
name: 'on'
vnf: {contention: {model: table, points: {8: 5Mpps, 1: 25Mpps}}}
`,
		"models": `
workload:
  - model: {name: agh-2015, rate: 5, arrivals: on-off}
  - model: {name: sizes, file: x, rate: 0.5}
  - model: {name: trex, file: y, arrivals: series, series: z, column: c}
`,
		"traces": `
workload: [{pcap: {file: a b.pcap}}, {zeek: {file: conn.log, speedup: 1.1}}, {load: {file: l.csv, column: '1'}}]
faults: [{kind: link-down, at: 1s}]
`,
	}
	for name, text := range texts {
		s := one(t, text)
		back := one(t, string(s.YAML()))
		back.dir = s.dir
		if !reflect.DeepEqual(s, back) {
			t.Errorf("%s:\n%s\ngot %+v\nwant %+v", name, s.YAML(), back, s)
		}
		fromJSON := one(t, string(s.Resolved())) // JSON is YAML
		fromJSON.dir = s.dir
		if !reflect.DeepEqual(s, fromJSON) {
			t.Errorf("%s: the JSON form reads differently: %s", name, s.Resolved())
		}
	}
}

func TestGoldenFiles(t *testing.T) {
	for file, got := range map[string][]byte{
		"../docs/scenarios.md":  Reference(),
		"testdata/schema.json":  Schema(),
		"testdata/minimal.yaml": one(t, minimal).YAML(),
	} {
		if *update {
			if err := os.WriteFile(file, got, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != string(got) {
			t.Errorf("%s is stale (%v): go test ./scenarios -update", file, err)
		}
	}
}

func TestTrafficOfAStaircase(t *testing.T) {
	w, err := one(t, `
duration: 20s
workload: [{cbr: {flows: 2, interval: 10s, total: 100Gbps}}, {flows: [{rate: 1Mpps, end: 1s}]}]
`).Traffic()
	if err != nil {
		t.Fatal(err)
	}
	if len(w.Flows) != 3 || w.End() != 20*units.Second {
		t.Fatalf("%d flows until %v", len(w.Flows), w.End())
	}
	seen := map[any]bool{}
	for _, f := range w.Flows {
		seen[f.Tuple] = true
	}
	if len(seen) != 3 {
		t.Error("sources share addresses")
	}
	packets, _ := w.Totals()
	if want := 1e6 + 30*100e9/(84*8)/2; packets < want*0.9999 || packets > want*1.0001 {
		t.Errorf("%g packets, want %g", packets, want)
	}
}

func TestTrafficWithoutEndNeedsADuration(t *testing.T) {
	_, err := one(t, minimal).Traffic()
	var e *Error
	if !errors.Is(err, ErrInvalid) || !errors.As(err, &e) || e.Key != "duration" {
		t.Errorf("got %v", err)
	}
}

func TestBurstsOfLessThanAPacketAreRefused(t *testing.T) {
	for text, key := range map[string]string{
		"cbr: {flows: 2, rate: 1kpps, arrivals: on-off, on_time: 100us, off_time: 800us}": "workload.0.cbr.on_time",
		"flows: [{rate: 1Mpps}, {period: 1s, arrivals: on-off}]":                          "workload.0.flows.1.on_time",
	} {
		_, err := one(t, "duration: 1s\nworkload: [{"+text+"}]").Traffic()
		var e *Error
		if !errors.Is(err, ErrInvalid) || !errors.As(err, &e) || e.Key != key {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTrafficOfModels(t *testing.T) {
	const text = `
duration: 20s
workload:
  - cbr: {flows: 2, rate: 1kpps}
  - model: {name: agh-2015, rate: 100}
  - model: {name: sizes, file: sizes.txt, rate: 10, flow_rate: 1kpps, until: 5s}
  - model: {name: agh-2015, rate: 100}
`
	s := one(t, text)
	if err := os.WriteFile(s.Path("sizes.txt"), []byte("1000 0\n9000 100\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	w, err := s.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	for _, f := range w.Flows {
		if seen[f.Tuple] {
			t.Fatalf("%v twice", f.Tuple)
		}
		seen[f.Tuple] = true
	}
	if n := len(w.Flows); n < 3500 || n > 4600 {
		t.Errorf("%d flows, want about 2 + 2000 + 50 + 2000", n)
	}
	if len(w.Provenance) != 4 {
		t.Errorf("provenance %q", w.Provenance)
	}
	again := one(t, text)
	again.dir = s.dir
	if v, err := again.Traffic(); err != nil || !reflect.DeepEqual(v, w) {
		t.Errorf("the same scenario, other traffic (%v)", err)
	}
}

// Each key of a file replaces the scenario's, and what comes later on the command line wins.
func TestSetsOfAFile(t *testing.T) {
	sc := one(t, minimal+"vnf: {per_byte: 1ns, buffer: 64}", "@testdata/overrides.yaml", "vnf.buffer=512")
	if sc.Seed != 7 || sc.VNF.Buffer != 512 || sc.VNF.Contention.Model != "constant" || sc.VNF.PerByte != 0 {
		t.Errorf("seed %d, vnf %+v", sc.Seed, sc.VNF)
	}
}

// Above each number of a card that is not the thesis' stands how it is known.
func TestProfilesSayHowTheyKnow(t *testing.T) {
	for _, name := range Profiles() {
		if name == "bluefield2" || name == "ideal" {
			continue
		}
		text, err := nicFiles.ReadFile("nics/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		one(t, "nic: "+name+"\n"+minimal)
		_, body, _ := strings.Cut(string(text), "\n\n")
		for _, block := range strings.Split(strings.TrimSpace(body), "\n\n") {
			if !regexp.MustCompile(`^# (Measured|Published|Assumed)[:,] (.*\n)+\w+: .*$`).MatchString(block) {
				t.Errorf("%s: want a comment that begins with Measured, Published or Assumed, and a number:\n%s",
					name, block)
			}
		}
	}
}
