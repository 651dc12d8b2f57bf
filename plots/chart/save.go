package chart

import (
	"encoding/csv"
	"errors"
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
)

// WriteFile writes a file of this name, whole or not at all.
type WriteFile func(path string, write func(io.Writer) error) error

// Save draws the page into the file at path, in the format that the ending names: .pdf, .svg, .png (300 dpi) or .tex (a
// pgfpicture for \input, which takes the document's font). It writes the numbers to a file beside it with the ending
// .csv. The ending .md gives a page of dots as a table, and nothing beside it. It is ErrRequest if the ending is
// unknown, or if that .csv file exists and is not a figure's.
func (pg *Page) Save(path string, write WriteFile) error {
	ext := filepath.Ext(path)
	if ext == ".md" && pg.tabular() {
		return write(path, pg.WriteMarkdown)
	}
	open, ok := formats[ext]
	if !ok {
		endings := strings.Join(slices.Sorted(maps.Keys(formats)), ", ")
		return Requestf("%s: no format for the ending %q: want one of %s", path, ext, endings)
	}
	table := strings.TrimSuffix(path, ext) + ".csv"
	if err := replaceable(table); err != nil {
		return err
	}
	w, h := pg.width(), vg.Length(pg.Height())*vg.Inch
	c := open(w, h)
	pg.drawOn(draw.NewCanvas(c, w, h))
	if err := write(path, func(w io.Writer) error { _, err := c.WriteTo(w); return err }); err != nil {
		return err
	}
	return write(table, pg.WriteCSV)
}

// replaceable refuses to write a figure's table to path, unless nothing is there or the table of an earlier figure.
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
		return Requestf("%s: the figure's numbers would replace a file that is not a figure's: "+
			"want another name for the figure", path)
	}
	return nil
}

// columns of the CSV file. Each row is a point of a series or a reference mark.
var columns = []string{"panel", "kind", "series", "x", "y", "low", "high", "n", "x_label", "y_label"}

// WriteCSV writes every number that is drawn, one row for each point. Kind is line, step, points, bars or dots for
// series, and published or limit for reference marks, whose x or y is empty. The series of a dot is its row. Low and
// high are the ends of the band, empty if there is none, and n is the number of measurements behind a point.
func (pg *Page) WriteCSV(w io.Writer) error {
	num := func(v float64) string { return strconv.FormatFloat(v, 'g', 10, 64) }
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for r, row := range pg.Rows {
		for i, p := range row {
			xl, yl := p.X.Label, p.Y.Label
			if yl == "" { // panels of a row share the label of the first
				yl = row[0].Y.Label
			}
			name := p.Title
			for up := r - 1; name == "" && up >= 0; up-- { // a lower panel has the title of the one above
				name = pg.Rows[up][i].Title
			}
			for _, s := range p.Series {
				for k := range s.X {
					named := s.Name
					if s.Kind.inRows() || s.Kind == Cells {
						named = p.rowAt(s.Y[k])
					}
					rec := []string{name, string(s.Kind), named, num(s.X[k]), num(s.Y[k]), "", "", strconv.Itoa(s.N),
						xl, yl}
					if s.Ns != nil {
						rec[7] = strconv.Itoa(s.Ns[k])
					}
					switch {
					case s.Kind == Cells: // the column has a name, as the row has, and the value takes the place of y
						rec[3], rec[4], rec[9] = p.X.nameAt(s.X[k]), num(s.V[k]), p.Map.Label
					case s.Kind == Parallel:
						a := p.Beside[int(s.X[k])]
						rec[3], rec[4], rec[9] = num(s.X[k]+1), num(s.Y[k]), a.Label
						if a.Named {
							rec[4] = a.nameAt(s.Y[k])
						}
					}
					if s.Lo != nil {
						rec[5], rec[6] = num(s.Lo[k]), num(s.Hi[k])
					}
					if err := out.Write(rec); err != nil {
						return err
					}
				}
			}
			for _, m := range p.Marks {
				rec := []string{name, "published", m.Label, "", num(m.At), "", "", "", xl, yl}
				if m.Limit != "" {
					rec[1] = "limit"
				}
				if m.Half > 0 {
					rec[5], rec[6] = num(m.At-m.Half), num(m.At+m.Half)
				}
				if m.OnX {
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
