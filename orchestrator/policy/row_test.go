package policy

import (
	"slices"
	"testing"
)

func TestFamilies(t *testing.T) {
	rows := func(names ...string) (all Table[Row]) {
		for _, n := range names {
			all = append(all, Row{Info: Info{Name: n}})
		}
		return all
	}
	families := Families[Row]{{"odd", rows("one", "three")}, {"even", rows("two")}}
	if got := families.Table().Names(); !slices.Equal(got, []string{"one", "three", "two"}) {
		t.Errorf("table %v", got)
	}
	for name, want := range map[string]string{"three": "odd", "two": "even", "four": ""} {
		if got := families.Of(name); got != want {
			t.Errorf("%s is of the family %q, want %q", name, got, want)
		}
	}
}
