package plots

import (
	"fmt"

	"github.com/smartinco/smartinco/results"
)

// Draw draws the figure with this id from those of the records that it needs; their order does not matter. Records that it
// has no use for are left out and named in Figure.Notes. It is an error when none is left.
func Draw(id string, recs []*results.Record, o Options) (*Figure, error) {
	var ds []data
	for _, r := range recs {
		d, err := read(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", id, err)
		}
		ds = append(ds, d)
	}
	return drawFrom(id, ds, o)
}

// read takes from a record what the figures use.
func read(r *results.Record) (data, error) {
	d, err := newData(r.Run, r.EachWindow, r.EachInstance)
	if err != nil {
		return d, err
	}
	if d.delays, err = r.Buckets("run"); err != nil {
		return d, fmt.Errorf("record %s: %w", r.Run.Name, err)
	}
	return d, nil
}
