package sim_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// reported is the record of a scenario, and the readings of the reports in it.
func reported(t *testing.T, engine sim.Engine, sc *scenarios.Scenario) (m *results.Memory, all []results.Entry) {
	t.Helper()
	m = simtest.Run(t, sc, engine)
	simtest.Verify(t, m)
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range rec.Log() {
		if err != nil {
			t.Fatal(err)
		}
		if e.Event != nil && e.Event.Kind == orchestrator.ReportsRead {
			all = append(all, e)
		}
	}
	return m, all
}

// hpa is a scenario whose policy goes by these metrics of pods, or by the reported cpu and memory.
func hpa(t *testing.T, engine, metrics, rest string) *scenarios.Scenario {
	t.Helper()
	return simtest.Parse(t, fmt.Sprintf(`
duration: 10s
engine: %s
nic: ideal
instances: {initial: 2, min: 2, max: 2}
scheduler: {policy: round-robin}
autoscaler: {policy: {hpa: {cpu: reported, spec: {metrics: [%s]}}}}
workload: [{cbr: {flows: 3, rate: 300kpps}}]
%s`, engine, metrics, rest))
}

const (
	cpuMetric    = "{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}"
	memoryMetric = "{type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1G}}}"
)

func podMetric(name string) string {
	return "{type: Pods, pods: {metric: {name: " + name + "}, target: {type: AverageValue, averageValue: 1}}}"
}

// Two flows of 300 kpps on instance 1 and one on instance 2, which process 1 Mpps: 60 % and 30 % of a core. One that
// polls uses all of it. Where they process 500 kpps, 100,000 packets a second more wait in the ring of instance 1.
func TestReportsOfBothEngines(t *testing.T) {
	for _, c := range []struct {
		name, metrics, rest string
		want                func(seconds float64) [2]orchestrator.Report
	}{
		{"useful", cpuMetric, "vnf: {contention: {model: constant, rate: 1Mpps}}",
			func(s float64) [2]orchestrator.Report {
				return [2]orchestrator.Report{{CPU: int64(0.6e12 * s)}, {CPU: int64(0.3e12 * s)}}
			}},
		{"polling", cpuMetric, "vnf: {cpu: polling, contention: {model: constant, rate: 1Mpps}}",
			func(s float64) [2]orchestrator.Report {
				return [2]orchestrator.Report{{CPU: int64(1e12 * s)}, {CPU: int64(1e12 * s)}}
			}},
		{"memory", memoryMetric, "vnf: {memory: 1MB, memory_per_flow: 1kB}",
			func(float64) [2]orchestrator.Report {
				return [2]orchestrator.Report{{Memory: 1002000}, {Memory: 1001000}}
			}},
		{"queue", podMetric("queue"), "vnf: {buffer: 1048576, contention: {model: constant, rate: 500kpps}}",
			func(s float64) [2]orchestrator.Report {
				return [2]orchestrator.Report{{Queue: int64(1e5 * s)}, {Queue: 0}}
			}},
	} {
		for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				sc := hpa(t, name, c.metrics, c.rest+"\ntelemetry: {report_period: 2s, report_delay: 50ms}")
				_, all := reported(t, engine, sc)
				if len(all) != 4 {
					t.Fatalf("%d readings, want 4", len(all))
				}
				for k, e := range all {
					at := units.Time(k+1) * 2 * units.Second
					if e.Event.Sampled != at || e.At != at+50*units.Millisecond || len(e.Event.Reports) != 2 {
						t.Fatalf("reading %d: %+v", k, e)
					}
					for i, want := range c.want(at.Seconds()) {
						got := e.Event.Reports[i]
						if math.Abs(float64(got.CPU-want.CPU)) > 5e6 || got.Memory != want.Memory ||
							got.Delay != want.Delay || math.Abs(float64(got.Queue-want.Queue)) > 2 {
							t.Errorf("at %v, instance %d: %+v, want %+v", at, i+1, got, want)
						}
					}
				}
			})
		}
	}
}

// The quantiles of the periods, one alone here, are those that the record gives of the whole run.
func TestReportedDelaysAreThoseOfTheRecord(t *testing.T) {
	for _, c := range []struct {
		vnf     string
		eswitch units.PPS
	}{
		{"service: exponential, contention: {model: constant, rate: 1Mpps}", 0},
		{"contention: {model: constant, rate: 500kpps}", 0},
		{"contention: {model: constant, rate: 1Mpps}", 700e3},
	} {
		metrics := podMetric("delay-p50") + ", " + podMetric("delay-p999")
		sc := hpa(t, "packet", metrics, "vnf: {"+c.vnf+"}\nmeasure: {delay: instances}\n"+
			"telemetry: {report_period: 10s}")
		sc.NIC.ESwitchLimit = c.eswitch
		sc.Duration = 10*units.Second + 1
		m, all := reported(t, packet.New, sc)
		if len(all) != 1 {
			t.Fatalf("%d readings, want 1", len(all))
		}
		for _, r := range all[0].Event.Reports {
			for _, l := range m.Latencies {
				if l.Scope != "instance" || l.Number != int32(r.Instance) || l.Kind != "sojourn" {
					continue
				}
				for k, want := range []int64{l.P50, l.P90, l.P99, l.P999} {
					if got := r.Delay[k]; got != want && min(got, l.Max) != want {
						t.Errorf("%v: instance %d, quantile %d: %d ps, in the record %d", c, r.Instance, k, got, want)
					}
				}
			}
		}
	}
}

// Reading reports changes nothing of what packets do: but for the log, the record is that of a policy that asks for
// nothing.
func TestReportsChangeNothing(t *testing.T) {
	for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
		delays := ""
		metrics := cpuMetric + ", " + podMetric("queue")
		if name == "packet" {
			delays = "measure: {delay: instances}"
			metrics += ", " + podMetric("delay-p99")
		}
		rest := delays + "\nvnf: {contention: {model: constant, rate: 700kpps}}\ntelemetry: {report_period: 300ms}"
		asked, _ := reported(t, engine, hpa(t, name, metrics, rest))
		plain := hpa(t, name, metrics, rest)
		plain.Autoscaler.Policy.Name, plain.Autoscaler.Policy.Options = "none", nil
		silent, all := reported(t, engine, plain)
		if len(all) > 0 {
			t.Fatal("a policy that asks for nothing is told something")
		}
		for what, same := range map[string]bool{
			"windows":   fmt.Sprint(asked.Windows) == fmt.Sprint(silent.Windows),
			"instances": fmt.Sprint(asked.Instances) == fmt.Sprint(silent.Instances),
			"flows":     fmt.Sprint(asked.Flows) == fmt.Sprint(silent.Flows),
			"latencies": fmt.Sprint(asked.Latencies) == fmt.Sprint(silent.Latencies),
		} {
			if !same {
				t.Errorf("%s: other %s", name, what)
			}
		}
	}
}

func TestMetricsThatAreNotMeasuredAreRefused(t *testing.T) {
	for want, metric := range map[string]string{
		"measure.delay: found no such key, expected instances or flows": podMetric("delay-p99"),
		"vnf.memory: found no such key, expected what an instance uses": memoryMetric,
	} {
		text := "workload: [{cbr: {flows: 1, rate: 1pps}}]\n" +
			"autoscaler: {policy: {hpa: {spec: {metrics: [" + metric + "]}}}}"
		_, err := scenarios.Parse("t.yaml", []byte(text), "", nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A quantile is of its period alone: M/M/1 with half of the packets there for 6.9 us at a load of 0.9, and for 0.77 us
// at one of 0.1.
func TestReportedDelaysAreThoseOfTheirPeriod(t *testing.T) {
	sc := simtest.Parse(t, `
duration: 3s
engine: packet
nic: ideal
vnf: {buffer: 10000, service: exponential, contention: {model: constant, rate: 1Mpps}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: {hpa: {spec: {metrics: [`+podMetric("delay-p50")+`]}}}}
telemetry: {report_period: 700ms}
measure: {delay: instances}
workload: [{flows: [{rate: 100kpps, arrivals: poisson}, {rate: 800kpps, arrivals: poisson, end: 700ms}]}]
`)
	_, all := reported(t, packet.New, sc)
	for k, want := range []float64{6.93, 0.77, 0.77, 0.77} {
		if got := float64(all[k].Event.Reports[0].Delay[0]) / 1e6; math.Abs(got/want-1) > 0.05 {
			t.Errorf("period %d: half of the packets are there for %v us, want %v", k+1, got, want)
		}
	}
}
