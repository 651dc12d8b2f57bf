package scenarios

import (
	"strings"
	"testing"
)

// What the NIC's cores and the instances draw is in a scenario, and in its record, only where somebody says it.
func TestPowerIsSaidWhereItIsKnown(t *testing.T) {
	plain := one(t, minimal)
	if text := string(plain.Resolved()); strings.Contains(text, "watts") || strings.Contains(text, "cores") {
		t.Errorf("a scenario without power says so: %s", text)
	}
	known := one(t, minimal+"nic: {instance_watts: 7.5, core_watts: 2, cores: 8}\n")
	for _, want := range []string{`"instance_watts":7.5`, `"core_watts":2`, `"cores":8`} {
		if text := string(known.Resolved()); !strings.Contains(strings.ReplaceAll(text, " ", ""), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if known.NIC.Profile != "bluefield2" || known.NIC.ESwitchLimit != plain.NIC.ESwitchLimit {
		t.Errorf("%+v is not the profile otherwise", known.NIC)
	}
}
