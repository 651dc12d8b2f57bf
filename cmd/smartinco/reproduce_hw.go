package main

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/testbed"
	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
	"github.com/smartinco/smartinco/units"
)

// replayed are the studies behind figures 6 to 10 as they run on hardware, by the set that they belong to: as
// published, in the size that the testbed's file says, or cut down for the lab.
var replayed = map[string][]struct {
	study   string
	figures []string
	with    string // another study whose records the figures need too
}{
	"published": {
		{"fig6", []string{"fig6"}, ""},
		{"fig7", []string{"fig7"}, ""},
		{"fig9", []string{"fig8", "fig9"}, ""},
		{"fig10", []string{"fig10"}, ""},
	},
	"lab": {
		{"lab/fig6", []string{"fig6"}, ""},
		{"lab/fig7", []string{"fig7"}, ""},
		{"lab/fig9", []string{"fig8", "fig9"}, ""},
		{"lab/fig10", []string{"fig10"}, "lab/fig9"}, // where its smallest frames are
	},
}

// hardware runs what is left of every study on a testbed and draws the figures.
func (r *reproduction) hardware(c *cobra.Command, file, set string) error {
	tb, err := loadTestbed(file)
	if err != nil {
		return err
	}
	recs := map[string][]*results.Record{}
	for _, p := range replayed[set] {
		st, err := scenarios.Load(p.study, r.sets)
		if err != nil {
			return err
		}
		dir := filepath.Join(r.out, study.RecordsName, "hw", filepath.Base(p.study))
		if err := r.replay(c, p.study, st, tb, dir); err != nil {
			return err
		}
		if recs[p.study], err = study.Open(c.Context(), st, dir); err != nil {
			return err
		}
		for _, figure := range p.figures {
			for _, ending := range []string{".pdf", ".png"} {
				from := slices.Concat(recs[p.study], recs[p.with])
				if err := draw(c, figure, from, plots.Options{Published: true},
					filepath.Join(r.out, figure+"-hw"+ending)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// replay replays what is left of a study. Only here is the testbed held: while figures are drawn, a signal ends the
// verb at once.
func (r *reproduction) replay(c *cobra.Command, name string, st *scenarios.Study, tb *testbed.File, dir string) error {
	defer holds(c.Context(), c.ErrOrStderr())()
	var line *progress
	defer func() { line.end() }()
	o := study.ReplayOptions{Options: study.Options{Version: version, Overwrite: true}}
	o.Say = func(s string) {
		line.end()
		fmt.Fprintln(c.ErrOrStderr(), s)
	}
	o.Progress = func(now, end units.Time) { line.at(now.Seconds()) }
	err := study.ReplayAll(c.Context(), st, tb, dir, o, func(run int, end units.Time) {
		line.end()
		line = newProgress(c.ErrOrStderr(), fmt.Sprintf("seconds of %s, run %d of %d", name, run+1, len(st.Runs)),
			end.Seconds())
	})
	if err != nil && c.Context().Err() != nil {
		return fmt.Errorf("%s: %w; the same command goes on from there", name, err)
	}
	return err
}
