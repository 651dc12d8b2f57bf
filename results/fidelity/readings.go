package fidelity

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"strings"

	"github.com/smartinco/smartinco/results"
)

// readings is the section of the page up to its table. lessons say how much of the predictions is owed to the defaults.
var (
	//go:embed readings.md
	readings string
	//go:embed lessons.md
	lessons string
)

// Reading is one way to read what the thesis leaves open, or where it contradicts itself. It overrides keys of Figure
// 9's scenario, and changes the calibration only if that is what is read differently.
type Reading struct {
	Name string // fit for a directory
	Sets []string
	Why  string
}

// Readings are those that are compared, the defaults first.
var Readings = []Reading{
	{"default", nil, "as everywhere else"},
	{"idle-contend", []string{"vnf.idle_contend=true"}, "every running instance contends, as a polling driver does"},
	{"points", []string{"vnf.contention={model: table, points: {1: 25Mpps, 4: 10.5Mpps, 8: 5.25Mpps}}"},
		"the three published points with straight lines between them, and no law"},
	{"constant-sum", []string{"vnf.contention={model: table, points: {1: 25Mpps, 2: 21Mpps, 3: 14Mpps, 4: 10.5Mpps, " +
		"5: 8.4Mpps, 6: 7Mpps, 7: 6Mpps, 8: 5.25Mpps}}"}, "any two or more instances process 42 Mpps"},
	{"49-mpps", []string{"vnf.contention={model: table, points: {1: 25Mpps, 4: 10.5Mpps, 8: 6.125Mpps}}"},
		"eight instances process 49 Mpps (4.5), not 42 (4.4); no law with κ ≥ 0 passes through these points"},
	{"no-contention", []string{"vnf.contention={model: constant, rate: 10Mpps}"},
		"each instance processes 10 Mpps, whatever the others do"},
	{"demand-zero", []string{"scheduler.demand=zero"}, "Best-Fit fills an instance until it is measured at its limit"},
	{"nofit-reject", []string{"scheduler.nofit=reject"}, "Best-Fit drops what fits nowhere"},
	{"nofit-queue", []string{"scheduler.nofit=queue"}, "Best-Fit holds what fits nowhere"},
	{"no-effect", []string{"scheduler.demand=last", "scheduler.inflight=false", "scheduler.ties=random"},
		"another estimate of demand, no correction for flows in flight, ties at random: with ten windows from flow " +
			"to flow none of them matters"},
	{"metric-processed", []string{"autoscaler.metric=processed"}, "the autoscaler counts what was processed"},
	{"target-100", []string{"autoscaler.target=1"},
		"the target is the limit itself: three instances at 512 B, but only seven here"},
	{"tolerance", []string{"autoscaler.tolerance=0.1"}, "the tolerance of Kubernetes, where equation 2.1 comes from"},
	{"all-counted", []string{"nic.eswitch_limit=150Mpps"}, "nothing is lost before the rules' counters"},
}

// ReadingStudy is the built-in study whose scenario a reading overrides.
const ReadingStudy = "fig9"

// Outcome is what a reading gives, for Round-Robin, Best-Fit and Worst-Fit.
type Outcome struct {
	Reading
	Throughput []float64 // Mpps processed, in the mean from the ninth flow on
	// Loss is what the instances lose, in Mpps, in the mean from the saturation of the eSwitch on; if the eSwitch is
	// never saturated, in the mean with all flows active.
	Loss  []float64
	Onset []float64 // flows active when more than 1 % is lost; 0 if it never is
	Used  []float64 // instances that hold flows, in the mean of the run
}

// Measure reads the outcome off the reading's records.
func (r Reading) Measure(recs []*results.Record) (Outcome, error) {
	out := Outcome{Reading: r}
	m, err := measureAll(Records{ReadingStudy: recs})
	if err != nil {
		return out, err
	}
	for _, c := range []struct {
		to *[]float64
		of func(*run) float64
	}{
		{&out.Throughput, func(x *run) float64 { return mean(x.contested(), processed) }},
		{&out.Loss, func(x *run) float64 { return mean(x.overload(), lost) }},
		{&out.Onset, func(x *run) float64 { return float64(x.onset(sharp)) }},
		{&out.Used, func(x *run) float64 { return mean(x.windows, used) }},
	} {
		if *c.to, err = m.each(c.of); err != nil {
			return out, fmt.Errorf("reading %s: %w", r.Name, err)
		}
	}
	return out, nil
}

// WriteReadings writes outcomes as a section of the page that WriteMarkdown writes.
func WriteReadings(w io.Writer, outcomes []Outcome) error {
	var b strings.Builder
	b.WriteString(readings)
	for _, o := range outcomes {
		var sets []string
		for _, s := range o.Sets {
			sets = append(sets, "`"+s+"`")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", o.Why, strings.Join(sets, " "),
			slashed(2, o.Throughput...),
			slashed(2, o.Throughput[1]-o.Throughput[0], o.Throughput[1]-o.Throughput[2]), slashed(1, o.Loss...),
			slashed(0, o.Onset...), slashed(1, o.Used...))
	}
	b.WriteString(lessons)
	_, err := io.WriteString(w, b.String())
	return err
}

func slashed(digits int, v ...float64) string {
	var parts []string
	for _, x := range v {
		parts = append(parts, decimal(x, digits))
	}
	return strings.Join(parts, " / ")
}

// WriteReadingsCSV writes outcomes as a table, a line for each scheduler.
func WriteReadingsCSV(w io.Writer, outcomes []Outcome) error {
	c := csv.NewWriter(w)
	c.Write([]string{"reading", "set", "policy", "throughput_mpps", "loss_mpps", "onset_flows", "instances_used"})
	for _, o := range outcomes {
		for i, p := range policies {
			c.Write([]string{o.Name, strings.Join(o.Sets, " "), p.name, decimal(o.Throughput[i], 6),
				decimal(o.Loss[i], 6), decimal(o.Onset[i], 0), decimal(o.Used[i], 6)})
		}
	}
	c.Flush()
	return c.Error()
}
