package chart

import (
	"fmt"
	"image/color"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/plot/vg"
)

// fortyNames are made up, as long and as alike as the names of policies are.
func fortyNames() (names []string) {
	for _, kind := range []string{"fit", "hash", "least-loaded", "queue", "random", "ring", "spread", "weighted"} {
		for _, variant := range []string{"", "-2", "-local", "-of-d", "++"} {
			names = append(names, kind+variant)
		}
	}
	return names
}

// drawn says what a marker looks like.
func (m marker) drawn() string {
	s := fmt.Sprint(m.outline(vg.Point{}, 1))
	if m.filled != nil {
		s += fmt.Sprint(" filled ", m.filled(vg.Point{}, 1))
	}
	return s
}

// Any two looks can be told apart in greyscale: no two have both marker and dashes in common. Bars have neither: no two
// looks that names take have both colour and hatch in common. Looks of the grid that share two of colour, marker and
// pattern share colour and pattern, and one is open, the other filled and of another shape.
func TestLooksAreToldApart(t *testing.T) {
	lines, bars := map[string]int{}, map[string]int{}
	for i, l := range looks {
		line, bar := fmt.Sprint(l.marker.drawn(), l.dashes), fmt.Sprint(l.color, l.hatch, l.dense)
		if was, ok := lines[line]; ok {
			t.Errorf("lines of looks %d and %d have the same marker and dashes", was, i)
		}
		if was, ok := bars[bar]; ok {
			t.Errorf("bars of looks %d and %d have the same colour and hatch", was, i)
		}
		lines[line] = i
		if i < fixed || i >= ordered {
			bars[bar] = i
		}
		for j := ordered; j < i; j++ {
			other := looks[j]
			sameMarker, sameDashes := l.marker.drawn() == other.marker.drawn(), slices.Equal(l.dashes, other.dashes)
			sameShape := reflect.DeepEqual(l.marker.outline(vg.Point{}, 1), other.marker.outline(vg.Point{}, 1))
			sameInside := (l.marker.filled == nil) == (other.marker.filled == nil)
			if l.color == other.color && (sameMarker || sameDashes && (sameShape || sameInside)) {
				t.Errorf("looks %d and %d differ too little", j, i)
			}
		}
	}
}

// Colours are apart for readers who see all of them, and for deuteranopes, who are the most of those who do not.
func TestColoursAreToldApart(t *testing.T) {
	apart := func(what string, least float64, see func(color.NRGBA) lab) {
		nearest := 100.0
		for i, a := range colors {
			for _, b := range colors[:i] {
				if d := ciede2000(see(a), see(b)); d < nearest {
					nearest = d
				}
			}
		}
		t.Logf("%s: the nearest two colours are %.1f apart", what, nearest)
		if nearest < least {
			t.Errorf("%s: two colours are %.1f apart in CIEDE2000, want at least %g", what, nearest, least)
		}
	}
	apart("all colours seen", 22, func(c color.NRGBA) lab { return labOf(linear(c)) })
	apart("deuteranopia", 12, func(c color.NRGBA) lab { return labOf(deuteranope(linear(c))) })
}

func TestEveryNameHasALookOfItsOwn(t *testing.T) {
	names := append([]string{"a", "b", "c"}, fortyNames()[:37]...)
	got := LooksOf(names, "a", "b", "c", "d")
	if !slices.Equal(got[:3], []Look{0, 1, 2}) {
		t.Errorf("the first three have looks %v, want 0, 1 and 2", got[:3])
	}
	of := map[Look]string{}
	for i, l := range got {
		if was, ok := of[l]; ok {
			t.Errorf("%s and %s have look %d", was, names[i], l)
		}
		if i >= 3 && l < ordered {
			t.Errorf("%s has look %d, which stands first", names[i], l)
		}
		of[l] = names[i]
	}
}

// A name's look depends neither on the order in which names are drawn nor, unless two have the same, on which are.
func TestLooksStayAsTheyAre(t *testing.T) {
	names := fortyNames()
	all := LooksOf(names)
	backwards := slices.Clone(names)
	slices.Reverse(backwards)
	again := LooksOf(backwards)
	slices.Reverse(again)
	if !slices.Equal(all, again) {
		t.Error("looks depend on the order of the names")
	}
	own, moved := map[Look]bool{}, 0
	for i, name := range names {
		alone := LooksOf([]string{name})[0]
		own[alone] = true
		if alone != all[i] {
			moved++
			if alone.look().color != all[i].look().color {
				t.Errorf("%s has another colour, %v instead of %v", name, all[i].look().color, alone.look().color)
			}
		}
	}
	t.Logf("%d of %d names have moved", moved, len(names))
	if least := len(names) - len(own); moved != least {
		t.Errorf("%d of %d names have moved, which have %d looks: want %d", moved, len(names), len(own), least)
	}
}

// Looks are the same in every version: a policy that is published in blue with squares stays so.
func TestLooksAreFrozen(t *testing.T) {
	for name, want := range map[string]Look{"first-fit": 30, "power-of-d": 100, "maglev": 26, "rss++": 56} {
		if got := LooksOf([]string{name}, "round-robin", "best-fit", "worst-fit")[0]; got != want {
			t.Errorf("%s has look %d, want %d", name, got, want)
		}
	}
}

func TestMoreNamesThanLooks(t *testing.T) {
	var names []string
	for i := range 3 * Looks {
		names = append(names, fmt.Sprint("name ", i))
	}
	of := map[Look]bool{}
	for _, l := range LooksOf(names) {
		of[l] = true
	}
	if len(of) != Looks-ordered {
		t.Errorf("%d names use %d looks, want all %d", len(names), len(of), Looks-ordered)
	}
}
