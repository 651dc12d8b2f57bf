package plots

import (
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/plots/chart"
)

// underSchedulers are runs of the published experiment, one under each of the known schedulers and of n made-up ones.
func underSchedulers(t testing.TB, n int) (ds []data) {
	var names []string
	for _, k := range known {
		names = append(names, k.policy)
	}
	for i := range n {
		names = append(names, fmt.Sprint("made-up-", i))
	}
	for i, name := range names {
		s := published
		s.scheduler = known[i%len(known)].policy
		d := s.make(t)
		d.scheduler = name
		ds = append(ds, d)
	}
	return ds
}

func looksOf(f *Figure) map[string]chart.Look {
	looks := map[string]chart.Look{}
	for _, row := range f.page.Rows {
		for _, p := range row {
			for _, s := range p.Series {
				looks[s.Name] = s.Look
			}
		}
	}
	return looks
}

// A scheduler looks the same in all figures of the same runs, and like no other. The thesis' three look as they ever
// did.
func TestFortySchedulers(t *testing.T) {
	ds := underSchedulers(t, 37)
	lines, bars := looksOf(drawn(t, "fig9", ds, Options{})), looksOf(drawn(t, "fig8", ds, Options{}))
	seen := map[chart.Look]string{}
	for name, l := range lines {
		if bars[name] != l {
			t.Errorf("%s has look %d in figure 9 and %d in figure 8", name, l, bars[name])
		}
		if other, ok := seen[l]; ok {
			t.Errorf("%s and %s have look %d", name, other, l)
		}
		seen[l] = name
	}
	if len(lines) != 40 || len(bars) != 40 {
		t.Errorf("%d and %d schedulers are drawn, want 40", len(lines), len(bars))
	}
	for i, k := range known {
		if lines[k.name] != chart.Look(i) {
			t.Errorf("%s has look %d, want %d", k.name, lines[k.name], i)
		}
	}
}

// Panels that would be too narrow stand in several rows, which are as even as they can be. The lowest panel of each
// column carries its numbers.
func TestFig8BreaksIntoRows(t *testing.T) {
	for _, c := range []struct {
		schedulers int
		width      float64
		want       []int
	}{
		{3, OneColumn, []int{3}},
		{4, TwoColumn, []int{4}},
		{5, TwoColumn, []int{3, 2}},
		{12, TwoColumn, []int{4, 4, 4}},
		{7, OneColumn, []int{3, 3, 1}},
	} {
		rows := drawn(t, "fig8", underSchedulers(t, c.schedulers-len(known)), Options{Width: c.width}).page.Rows
		var got []int
		for i := 0; i < len(rows); i += 2 {
			got = append(got, len(rows[i]))
			for k, p := range rows[i+1] {
				if last := i+2 == len(rows) || k >= len(rows[i+2]); p.X.Bare == last {
					t.Errorf("%d schedulers: panel %d of row %d has numbers: %v, want %v",
						c.schedulers, k, i+1, !p.X.Bare, last)
				}
			}
			if rows[i][0].Y.Label == "" || rows[i+1][0].Y.Label == "" {
				t.Errorf("%d schedulers: rows %d and %d have no label", c.schedulers, i, i+1)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%d schedulers on %g in stand in rows of %v, want %v", c.schedulers, c.width, got, c.want)
		}
	}
}
