package testbed

import (
	"os"
	"strings"
	"testing"
)

const hardware = "../../docs/hardware.md"

// The table of drivers in docs/hardware.md, which begins and ends with these, is the program's.
const tableBegin, tableEnd = "<!-- smartinco hw drivers: go test ./hw/testbed -update -->\n", "<!-- end -->\n"

func TestTheDocumentedDriversAreThePrograms(t *testing.T) {
	var b strings.Builder
	for i, row := range SwitchTable(SwitchDrivers()) {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(row)) + "|\n")
		}
	}
	text, err := os.ReadFile(hardware)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), tableBegin)
	table, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		t.Fatalf("%s has no table of drivers between %q and %q", hardware, tableBegin, tableEnd)
	}
	if *update {
		if err := os.WriteFile(hardware, []byte(before+tableBegin+b.String()+tableEnd+after), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table != b.String() {
		t.Errorf("%s has another table of drivers: go test ./hw/testbed -update\ngot\n%s\nwant\n%s", hardware, table,
			b.String())
	}
}

// Whoever can be named in a testbed's file is in the table.
func TestEveryDriverIsInTheTable(t *testing.T) {
	listed := map[string]bool{"simulated": true}
	for _, d := range switches {
		listed[d.name] = true
	}
	for _, d := range SwitchDrivers() {
		if !listed[d.Key] {
			t.Errorf("%s is in the table, and no testbed's file can name it", d.Key)
		}
		delete(listed, d.Key)
	}
	for name := range listed {
		t.Errorf("%s is not in the table", name)
	}
}
