package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
)

func newPlot() *cobra.Command {
	var list strings.Builder
	var ids []string
	for _, f := range plots.Figures() {
		ids = append(ids, f.ID)
		fmt.Fprintf(&list, "\n  %-8s %s\n           from %s", f.ID, f.Title, f.Needs)
	}
	c := &cobra.Command{
		Use:   "plot FIGURE|all DIR...",
		Short: "Draw a figure from records",
		Long: prose(`
Draw a figure from records. Each DIR is a record, or a directory with records below it, as sweep leaves them. The ending
of FILE chooses the format: .pdf, .svg, .png (300 dpi) or .tex (TikZ). What is drawn goes to a .csv beside the figure.
The ending .md writes the figure compare as a table in Markdown. With all, every figure that the records suffice for is
drawn into the directory named by -o.

Figures from "runs or the table of a study" are drawn from the summary.csv in DIR, if there is one and no other DIR, and
from records otherwise. Their metrics are its columns, or A/B for the ratio of two. Settings are told apart by the keys
in --by, all that were swept if there is none; runs of a setting differ in the seed alone. The other keys have a panel
for each combination of their values.

Figures:` + list.String()),
		Example: `  smartinco plot fig9 out/round-robin out/best-fit out/worst-fit -o fig9.pdf
  smartinco plot fig9 out/study -o fig9.svg --width 7.16 --published=false
  smartinco plot compare out/study -o compare.md
  smartinco plot scaling out/hpa out/kpa -o scaling.pdf
  smartinco plot heat out/study --by scheduler.limit,scheduler.policy --metric processed
  smartinco plot pareto out/study --metric instance_s,dropped/offered --by autoscaler.policy
  smartinco plot box out/study --metric goodput_bps --where scheduler.limit=10Mpps
  smartinco plot all out/study -o figures --ending .png`,
		Args: cobra.MinimumNArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveFilterDirs
			}
			return append(ids, "all"), cobra.ShellCompDirectiveNoFileComp
		},
	}
	var o plots.Options
	f := c.Flags()
	out := f.StringP("out", "o", "", "file of the figure (FIGURE.pdf); with all, directory of the figures (.)")
	ending := f.String("ending", ".pdf", "with all: .pdf, .svg, .png or .tex")
	f.Float64Var(&o.Width, "width", 0,
		"width in inches: 3.5 for a column, 7.16 for a page; 0 for what suits the figure")
	f.BoolVar(&o.Published, "published", true, "mark the published values")
	f.StringSliceVar(&o.Metrics, "metric", nil, "from a table: columns of the summary, or A/B for the ratio of two")
	f.StringSliceVar(&o.Best, "best", nil, "from a table: least or most for each metric (what is natural)")
	f.StringSliceVar(&o.By, "by", nil, "from a table: keys that tell settings apart (all that are swept)")
	f.StringArrayVar(&o.Where, "where", nil, "from a table: KEY=VALUE, the runs to draw; can be repeated")
	f.BoolVar(&o.Log, "log", false, "from a table: logarithmic axes, or colours, for metrics")
	c.RunE = func(c *cobra.Command, args []string) error {
		from := &sources{c: c, dirs: args[1:]}
		if args[0] != "all" {
			if *out == "" {
				*out = args[0] + ".pdf"
			}
			return from.draw(args[0], o, *out)
		}
		if err := os.MkdirAll(filepath.Clean(*out), 0o777); err != nil {
			return err
		}
		drawn := 0
		for _, i := range plots.Figures() {
			o := o
			if !i.Table {
				o = plots.Options{Width: o.Width, Published: o.Published}
			}
			err := from.draw(i.ID, o, filepath.Join(*out, i.ID+*ending))
			without := errors.Is(err, results.ErrNoRecord) && from.tabled() // a study that kept no record
			if without {
				err = fmt.Errorf("%s: %w", i.ID, err)
			}
			if errors.Is(err, plots.ErrRequest) || without {
				fmt.Fprintf(c.ErrOrStderr(), "left out: %v\n", err)
			} else if err != nil {
				return err
			} else {
				drawn++
			}
		}
		if drawn == 0 {
			return usagef("the records suffice for none of %s", strings.Join(ids, ", "))
		}
		return nil
	}
	return c
}

// sources are the directories that a figure is drawn from. Each is read when a figure needs it, and once.
type sources struct {
	c     *cobra.Command
	dirs  []string
	recs  []*results.Record
	table *plots.Table
}

// tabled says whether there is a table of a study.
func (s *sources) tabled() bool { return len(s.dirs) == 1 && plots.HoldsTable(s.dirs[0]) }

func (s *sources) records() (_ []*results.Record, err error) {
	if s.recs == nil {
		s.recs, err = results.OpenAll(s.c.Context(), s.dirs...)
	}
	return s.recs, err
}

// draw draws a figure from the table, if it can be drawn from one and there is one, and from the records otherwise.
func (s *sources) draw(id string, o plots.Options, path string) (err error) {
	ofTable := slices.ContainsFunc(plots.Figures(), func(i plots.Info) bool { return i.ID == id && i.Table })
	if !ofTable {
		recs, err := s.records()
		if err != nil {
			return err
		}
		return draw(s.c, id, recs, o, path)
	}
	if s.table == nil {
		if s.tabled() {
			s.table, err = plots.ReadTable(s.dirs[0])
		} else if recs, e := s.records(); e != nil {
			err = e
		} else {
			s.table, err = plots.TableOf(recs)
		}
		if err != nil {
			return err
		}
	}
	fig, err := plots.DrawTable(id, s.table, o)
	if err != nil {
		return err
	}
	return save(s.c, fig, path)
}

func draw(c *cobra.Command, id string, recs []*results.Record, o plots.Options, path string) error {
	fig, err := plots.Draw(id, recs, o)
	if err != nil {
		return err
	}
	return save(c, fig, path)
}

// save writes a figure and says what it leaves out.
func save(c *cobra.Command, fig *plots.Figure, path string) error {
	for _, n := range fig.Notes {
		fmt.Fprintf(c.ErrOrStderr(), "%s: %s\n", fig.ID, n)
	}
	if err := fig.Save(path); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.OutOrStdout(), path)
	return err
}
