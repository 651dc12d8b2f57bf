package scenarios

import (
	"strings"
	"testing"
)

const bursty = `
engine: packet
nic: programmable
scheduler: {policy: round-robin, unit: burst, gap: 20us}
workload: [{cbr: {flows: 1, rate: 1Mpps}}]
`

// What decides on bursts is stated where a scenario does so, with the stage that does it, and nowhere else.
func TestBurstsAreStatedWhereTheyAreGiven(t *testing.T) {
	keys := []string{"unit: burst", "gap: 20us", "dispatch: pipeline", "dispatch_rate", "dispatch_queue",
		"dispatch_latency"}
	b := string(one(t, bursty).YAML())
	again := string(one(t, b).YAML())
	if b != again {
		t.Errorf("read back:\n%s\nwant\n%s", again, b)
	}
	flows := string(one(t, bursty, "scheduler.unit=flow", "scheduler.gap=50us").YAML())
	for _, key := range keys {
		if !strings.Contains(b, key) {
			t.Errorf("%s does not stand in\n%s", key, b)
		}
		if key, _, _ := strings.Cut(key, ":"); strings.Contains(flows, key+":") {
			t.Errorf("%s, which is not given, stands in\n%s", key, flows)
		}
	}
	for _, key := range []string{"dispatch_pass", "dispatch_held", "instance_delay"} {
		if strings.Contains(b, key) {
			t.Errorf("%s, which is of requests, stands in\n%s", key, b)
		}
	}
}

// What cannot decide on bursts refuses them by name, with what could.
func TestWhatCannotDecideOnBursts(t *testing.T) {
	const can = "round-robin, best-fit, worst-fit, first-fit, power-of-d, random, least-connections, least-load"
	for _, c := range []struct {
		sets []string
		want string
	}{
		{[]string{"engine=fluid"}, `scheduler.unit: found "burst", expected engine: packet with unit: burst: the ` +
			"fluid engine knows rates, in which there are no gaps"},
		{[]string{"nic=connectx-6dx"}, `nic: found "connectx-6dx", expected a NIC with a stage that dispatches ` +
			"bursts: connectx-6dx has none (dispatch: none)"},
		{[]string{"scheduler.policy=maglev"}, `scheduler.unit: found "burst", expected flow with policy: maglev, ` +
			"which answers the same for all bursts of a flow, or one of the policies " + can},
		{[]string{"scheduler.policy=ipvs-wlc"}, "flow with policy: ipvs-wlc, which decides on flows alone, or one " +
			"of the policies " + can},
		{[]string{"scheduler.policy=horus"}, "flow with policy: horus, which decides on requests alone, or one of"},
		{[]string{"scheduler.unit=flow"}, `scheduler.gap: found "20us", expected unit: burst with this key`},
		{[]string{"scheduler.gap=0s"}, `scheduler.gap: found "0s"`},
		{[]string{"engine=request"}, `scheduler.unit: found "burst", expected no value of its own with engine: ` +
			"request"},
	} {
		_, err := Parse("t.yaml", []byte(bursty), t.TempDir(), c.sets)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v\nwant %s", c.sets, err, c.want)
		}
	}
}
