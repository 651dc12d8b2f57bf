package plots

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/smartinco/smartinco/results"
)

// Figure is a figure ready to be saved, in any number of formats.
type Figure struct {
	ID    string
	Title string
	// Width and Height of the printed figure, in inches.
	Width, Height float64
	// Notes say which records were left out and why, and what of the published figure is missing.
	Notes []string
	page  *page
}

func newFigure(i Info, pg *page, o Options, notes []string) *Figure {
	_, h := pg.layout()
	return &Figure{ID: i.ID, Title: i.Title, Width: o.Width, Height: float64(h / vg.Inch), Notes: notes, page: pg}
}

// Save writes the figure to path, in the format that its ending names: .pdf, .svg, .png (300 dpi) or .tex (a pgfpicture for
// \input, which takes the document's font). What is drawn goes to a file beside it with the ending .csv, but never over one that
// is no figure's. Each file appears whole or not at all.
func (f *Figure) Save(path string) error {
	ext := filepath.Ext(path)
	open, ok := formats[ext]
	if !ok {
		return requestf("%s: no format for the ending %q: want one of %s", path, ext, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
	}
	table := strings.TrimSuffix(path, ext) + ".csv"
	if err := replaceable(table); err != nil {
		return err
	}
	w, h := vg.Length(f.Width)*vg.Inch, vg.Length(f.Height)*vg.Inch
	c := open(w, h)
	f.page.drawOn(draw.NewCanvas(c, w, h))
	if err := writeFile(path, func(w io.Writer) error { _, err := c.WriteTo(w); return err }); err != nil {
		return fmt.Errorf("%s: %w", f.ID, err)
	}
	if err := writeFile(table, f.WriteCSV); err != nil {
		return fmt.Errorf("%s: %w", f.ID, err)
	}
	return nil
}

// replaceable says whether a figure's table may be written to path: nothing is there, or the table of an earlier figure.
func replaceable(path string) error {
	want := strings.Join(columns, ",")
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	begin, err := io.ReadAll(io.LimitReader(f, int64(len(want))))
	if err != nil {
		return err
	}
	if len(begin) > 0 && string(begin) != want {
		return requestf("%s: the figure's numbers would replace a file that is not a figure's: want another name for the figure", path)
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	if err := results.WriteFile(path, write); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Columns of the CSV file. Each row is a point of a series or a reference mark.
var columns = []string{"panel", "kind", "series", "x", "y", "low", "high", "n", "x_label", "y_label"}

// WriteCSV writes every number that is drawn, one row a point. Kind is line, step or bars for measured series and published
// or limit for reference marks, whose x or y is empty. Low and high are the ends of the band, empty where there is none, and n
// is the number of runs behind a point.
func (f *Figure) WriteCSV(w io.Writer) error {
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for r, row := range f.page.rows {
		for i, p := range row {
			xl, yl := p.x.label, p.y.label
			if yl == "" { // panels of a row share the label of the first
				yl = row[0].y.label
			}
			name := p.title
			if name == "" && r > 0 { // the lower panel of a column has the title of the upper one
				name = f.page.rows[r-1][i].title
			}
			for _, s := range p.series {
				for k := range s.x {
					rec := []string{name, string(s.kind), s.name, num(s.x[k]), num(s.y[k]), "", "", strconv.Itoa(s.n), xl, yl}
					if s.lo != nil {
						rec[5], rec[6] = num(s.lo[k]), num(s.hi[k])
					}
					if err := out.Write(rec); err != nil {
						return err
					}
				}
			}
			for _, m := range p.marks {
				rec := []string{name, "published", m.label, "", num(m.at), "", "", "", xl, yl}
				if m.limit != "" {
					rec[1] = "limit"
				}
				if m.half > 0 {
					rec[5], rec[6] = num(m.at-m.half), num(m.at+m.half)
				}
				if m.onX {
					rec[3], rec[4] = rec[4], ""
				}
				if err := out.Write(rec); err != nil {
					return err
				}
			}
		}
	}
	out.Flush()
	return out.Error()
}
