package autoscaler

import (
	"strings"
	"testing"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// Policies that go by the load, by cores, by queues or by delays say how many instances serve requests; those that want
// to know more are refused by name.
func TestWhoScalesInstancesOfRequests(t *testing.T) {
	refused := map[string]string{
		"oracle":             "oracle is told what flows will offer, which requests have not",
		"vpa":                "vpa changes shares of a core, which instances of requests have not",
		"autopilot-vertical": "autopilot-vertical changes shares of a core, which instances of requests have not",
	}
	for _, row := range Policies {
		o := DefaultOptions()
		o.Policy = Named(row.Name)
		want, got := refused[row.Name], ""
		if err := o.CheckRequests(); err != nil {
			got = strings.TrimPrefix(err.Error(), "autoscaler.policy: ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", row.Name, got, want)
		}
	}
	for text, want := range map[string]string{
		"hpa: {spec: {metrics: [{type: Pods, pods: {metric: {name: delay-p99}, target: {type: AverageValue, " +
			"averageValue: 1m}}}]}}": "",
		"hpa: {spec: {metrics: [{type: Pods, pods: {metric: {name: bits}, target: {type: AverageValue, " +
			"averageValue: 1G}}}]}}": "hpa goes by bits, which",
		"nomad-target-value: {metric: memory, full: 5, target: 70}": "nomad-target-value goes by memory, which",
		"nomad-target-value: {metric: queue, full: 5, target: 70}":  "",
		"pid: {target: -1}": `autoscaler.policy.pid.target: "-1"`,
	} {
		o := DefaultOptions()
		if err := strictyaml.Decode("t.yaml", []byte("policy: {"+text+"}"), &o, nil); err != nil && want == "" {
			t.Fatal(err)
		}
		err := o.CheckRequests()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
