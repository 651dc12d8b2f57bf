package chart

import (
	"bytes"
	"errors"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestFilesAreFitForPrint(t *testing.T) {
	pg := aPage()
	for _, c := range []struct{ ext, has string }{
		{".pdf", "/FontFile2"},
		{".pdf", "/LiberationSerif"},
		{".pdf", "D:20260101000000"},
		{".png", "pHYs\x00\x00\x2e\x23\x00\x00\x2e\x23\x01"}, // 11811 pixels a metre
		{".svg", "@font-face"},
		{".svg", "µ-burst"},
		{".svg", `width="252pt"`},
		{".tex", `$\mu$-burst`},
		{".tex", `\begin{pgfpicture}`},
	} {
		if b := saved(t, pg, c.ext); !bytes.Contains(b, []byte(c.has)) {
			t.Errorf("%s lacks %s", c.ext, c.has)
		}
	}
	img, err := png.Decode(bytes.NewReader(saved(t, pg, ".png")))
	if err != nil {
		t.Fatal(err)
	}
	if w := img.Bounds().Dx(); w != 1050 {
		t.Errorf("PNG is %d pixels wide, want 3.5 in at 300 dpi", w)
	}
}

func TestSaveReplacesOnlyFigures(t *testing.T) {
	for was, replaced := range map[string]bool{
		"": true, strings.Join(columns, ",") + "\n1\n": true, "time,pps\n0,1\n": false, "panel": false,
	} {
		dir := t.TempDir()
		table := filepath.Join(dir, "a.csv")
		if err := os.WriteFile(table, []byte(was), 0o644); err != nil {
			t.Fatal(err)
		}
		err := aPage().Save(filepath.Join(dir, "a.svg"), writeFile)
		is, _ := os.ReadFile(table)
		_, none := os.Stat(filepath.Join(dir, "a.svg"))
		if (err == nil) != replaced || errors.Is(err, ErrRequest) == replaced || (string(is) == was) == replaced ||
			(none == nil) != replaced {
			t.Errorf("over %q: error %v, a figure %v, and then %.40q", was, err, none == nil, is)
		}
	}
}

func TestTeXClosesPaths(t *testing.T) {
	c := formats[".tex"](100, 100)
	c.Stroke(vg.Path{
		{Type: vg.MoveComp, Pos: vg.Point{X: 7, Y: 11}}, {Type: vg.LineComp, Pos: vg.Point{X: 17, Y: 11}},
		{Type: vg.LineComp, Pos: vg.Point{X: 17, Y: 23}}, {Type: vg.CloseComp}})
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if want := `\pgflineto{\pgfpoint{7pt}{11pt}}`; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in\n%s", want, b.String())
	}
}

// aPage is a page with a line and a step line.
func aPage() *Page {
	x := []float64{0, 1, 2, 3, 4}
	return Stack(3.5, 110, &Panel{Title: "A made-up trace", X: Axis{Label: "Time (s)"}, Y: Axis{Label: "Load (Mpps)"},
		Series: []Series{
			{Name: "µ-burst load", Kind: Line, N: 1, X: x, Y: []float64{1, 3, 2, 5, 4}},
			{Name: "level", Look: 1, Kind: Step, N: 1, X: x, Y: []float64{2, 2, 3, 3, 3}},
		}})
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return write(f)
}

func saved(t *testing.T, pg *Page, ext string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f"+ext)
	if err := pg.Save(path, writeFile); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
