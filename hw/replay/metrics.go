package replay

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
)

// Metrics is what an operator watches while runs go, in the form that Prometheus collects.
type Metrics struct {
	registry *prometheus.Registry

	rate      *prometheus.GaugeVec
	dropped   *prometheus.GaugeVec
	instances *prometheus.GaugeVec
	load      *prometheus.GaugeVec
	flows     prometheus.Gauge
	queued    prometheus.Gauge
	switchUp  prometheus.Gauge
	elapsed   prometheus.Gauge

	events    *prometheus.CounterVec
	rejected  prometheus.Counter
	leftovers *prometheus.CounterVec

	placed    prometheus.Histogram
	confirmed prometheus.Histogram
	ready     prometheus.Histogram
	stopped   prometheus.Histogram
}

// NewMetrics makes metrics without values.
func NewMetrics() *Metrics {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "smartinco_" + name, Help: help})
		r.MustRegister(g)
		return g
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "smartinco_" + name, Help: help}, labels)
		r.MustRegister(g)
		return g
	}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "smartinco_" + name, Help: help}, labels)
		r.MustRegister(c)
		return c
	}
	times := func(name, help string, from float64, buckets int) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "smartinco_" + name, Help: help,
			Buckets: prometheus.ExponentialBuckets(from, 2, buckets)})
		r.MustRegister(h)
		return h
	}
	m := &Metrics{registry: r,
		rate:      gauges("packets_per_second", "Packets a second in the last window, by stage.", "stage"),
		dropped:   gauges("dropped_packets_per_second", "Packets a second lost in the last window, by cause.", "cause"),
		instances: gauges("instances", "Instances at the end of the last window, by state.", "state"),
		load: gauges("instance_packets_per_second",
			"Packets a second that each instance got and gave back in the last window.", "instance", "stage"),
		flows:     gauge("flows", "Active flows at the end of the last window."),
		queued:    gauge("queued_packets", "Packets under way at the end of the last window."),
		switchUp:  gauge("switch_up", "1 while the switch answers."),
		elapsed:   gauge("run_seconds", "End of the last window, since the beginning of the run."),
		events:    counters("events_total", "Events that the orchestrator has handled, by kind.", "kind"),
		leftovers: counters("removed_total", "What was removed from the testbed at the end of runs.", "what"),
		placed: times("placement_seconds", "From the arrival of a first packet at the driver until its rule was "+
			"written.", 10e-6, 16),
		confirmed: times("rule_seconds", "From the request for a rule until the switch confirmed it.", 50e-6, 16),
		ready:     times("instance_ready_seconds", "From the request for an instance until it took packets.", 0.05, 10),
		stopped:   times("instance_stop_seconds", "From the request to stop an instance until it was gone.", 0.05, 10),
	}
	m.rejected = prometheus.NewCounter(prometheus.CounterOpts{Name: "smartinco_rules_rejected_total",
		Help: "Requests that the switch refused."})
	r.MustRegister(m.rejected)
	m.switchUp.Set(1)
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

var eventNames = [...]string{
	orchestrator.Start: "start", orchestrator.FlowArrived: "flow-arrived", orchestrator.FlowEnded: "flow-ended",
	orchestrator.CountersRead: "counters-read", orchestrator.InstanceReady: "instance-ready",
	orchestrator.InstanceFailed: "instance-failed",
	orchestrator.InstanceGone:   "instance-gone", orchestrator.RuleInstalled: "rule-installed",
	orchestrator.RuleRejected: "rule-rejected",
	orchestrator.Tick:         "tick", orchestrator.RulesRead: "rules-read", orchestrator.ReportsRead: "reports-read",
	orchestrator.FlowGrown:        "flow-grown",
	orchestrator.InstanceResized:  "instance-resized",
	orchestrator.InstanceIdle:     "instance-idle",
	orchestrator.BurstsDispatched: "bursts-dispatched",
}

func (m *Metrics) handled(e *orchestrator.Event) {
	m.events.WithLabelValues(eventNames[e.Kind]).Inc()
}

func (m *Metrics) started(c hw.Container) { m.ready.Observe(c.Ready.Seconds()) }

func (m *Metrics) cleaned(f Found) {
	m.leftovers.WithLabelValues("containers").Add(float64(f.Containers))
	m.leftovers.WithLabelValues("rules").Add(float64(f.Rules))
}

func (m *Metrics) window(w *results.Window, rows []results.Instance) {
	m.elapsed.Set(w.T)
	m.flows.Set(float64(w.Flows))
	m.queued.Set(w.Queued)
	for stage, v := range map[string]float64{"offered": w.Offered, "ingress": w.Ingress, "processed": w.Processed,
		"slow_path": w.SlowPath} {
		m.rate.WithLabelValues(stage).Set(v)
	}
	for cause, v := range map[string]float64{"instance": w.DroppedInstance, "eswitch": w.DroppedESwitch,
		"link": w.DroppedLink, "slow_path": w.DroppedSlowPath, "rejected": w.DroppedRejected} {
		m.dropped.WithLabelValues(cause).Set(v)
	}
	m.instances.Reset()
	m.load.Reset()
	for i := range rows {
		r := &rows[i]
		m.instances.WithLabelValues(r.State).Inc()
		m.load.WithLabelValues(strconv.Itoa(int(r.Instance)), "offered").Set(r.Offered)
		m.load.WithLabelValues(strconv.Itoa(int(r.Instance)), "processed").Set(r.Processed)
	}
}
