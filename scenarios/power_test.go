package scenarios

import (
	"encoding/json"
	"strings"
	"testing"
)

// What the NIC's cores and the instances draw is in a scenario, and in its record, only where somebody says it.
func TestPowerIsSaidWhereItIsKnown(t *testing.T) {
	plain := one(t, minimal+"nic: ideal\n")
	if text := string(plain.Resolved()); strings.Contains(text, "watts") || strings.Contains(text, "cores") {
		t.Errorf("a scenario without power says so: %s", text)
	}
	known := one(t, minimal+"nic: {profile: ideal, instance_watts: 7.5, core_watts: 2, cores: 8}\n")
	for _, want := range []string{`"instance_watts":7.5`, `"core_watts":2`, `"cores":8`} {
		if text := string(known.Resolved()); !strings.Contains(strings.ReplaceAll(text, " ", ""), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	for profile, nic := range builtinNICs() {
		off := one(t, minimal+"nic: {profile: "+profile+", instance_watts: 0, core_watts: 0, cores: 0}\n")
		again, err := FromRecord("again", json.RawMessage(off.Resolved()), 1)
		if err != nil {
			t.Fatal(err)
		}
		if again.NIC != off.NIC || again.NIC.InstanceWatts != 0 || again.NIC.CoreWatts != 0 || again.NIC.Cores != 0 {
			t.Errorf("%s: what is said to draw nothing comes out of the record as %+v, of a profile with %+v", profile,
				again.NIC, nic)
		}
	}
	if known.NIC.Profile != "ideal" || known.NIC.ESwitchLimit != plain.NIC.ESwitchLimit {
		t.Errorf("%+v is not the profile otherwise", known.NIC)
	}
}
