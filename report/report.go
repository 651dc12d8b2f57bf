// Package report writes one HTML page from run records: every run with its figures over time, its decisions and their
// candidates, its scenario and how to repeat it; and all of them side by side.
//
//	err := report.Write(ctx, file, records, report.Options{Title: "Three schedulers"})
//
// The page is one file that needs no network. A table of the runs stands in it as HTML, so that it can be read, printed
// and searched without a script. What belongs to one run is packed, and is unpacked by the page when a reader asks for
// it: a page of hundreds of runs opens as fast as one of two. The same records give the same bytes.
package report

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/results"
)

//go:embed page.html page.css page.js
var files embed.FS

var page = template.Must(template.New("page.html").Funcs(template.FuncMap{"shown": shown}).ParseFS(files, "page.html"))

// Options say what stands around the runs.
type Options struct {
	Title   string // heading of the page
	Version string // of the program that writes it
}

// Write writes the page of the records, in their order. Records of killed runs are shown as far as they go. An error is
// that of reading a record, which is named, or of w.
func Write(ctx context.Context, w io.Writer, recs []*results.Record, o Options) error {
	runs := make([]*run, len(recs))
	details := make([]template.HTML, len(recs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, rec := range recs {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			r, d, err := newRun(rec)
			if err != nil {
				return fmt.Errorf("record %s: %w", rec.Dir, err)
			}
			runs[i] = r
			details[i], err = pack(d)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var content struct {
		Options
		Style    template.CSS
		Script   template.JS
		Keys     []string // in which the runs differ
		Measures []measure
		Runs     []*run
		Details  []template.HTML
		Data     any
	}
	content.Options, content.Runs, content.Details = o, runs, details
	content.Style, content.Script = template.CSS(text("page.css")), template.JS(text("page.js"))
	content.Keys = differing(runs)
	content.Measures = known(runs)
	content.Data = map[string]any{"runs": runs, "keys": content.Keys, "measures": content.Measures, "series": series}
	if err := page.Execute(w, content); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// text is a file of the page.
func text(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b)
}

// pack is a value as JSON, compressed, in letters that HTML leaves alone.
func pack(v any) (template.HTML, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if err := json.NewEncoder(z).Encode(v); err != nil {
		return "", err
	}
	if err := z.Close(); err != nil {
		return "", err
	}
	return template.HTML(base64.StdEncoding.EncodeToString(b.Bytes())), nil
}
