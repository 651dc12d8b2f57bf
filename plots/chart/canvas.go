package chart

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image/color"
	"io"
	"math"
	"strings"
	"sync"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/text/encoding/charmap"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
	"gonum.org/v1/plot/vg/vgtex"
)

// pngDPI is the resolution of raster figures.
const pngDPI = 300

// formats are the canvases by the ending of the file's name.
var formats = map[string]func(w, h vg.Length) vg.CanvasWriterTo{
	".pdf": newPDF,
	".svg": func(w, h vg.Length) vg.CanvasWriterTo {
		return snapped{vgsvg.NewWith(vgsvg.UseWH(w, h), vgsvg.EmbedFonts(true))}
	},
	".png": func(w, h vg.Length) vg.CanvasWriterTo {
		return snapped{pngCanvas{vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(pngDPI))}}
	},
	".tex": func(w, h vg.Length) vg.CanvasWriterTo { return snapped{texCanvas{vgtex.New(w, h)}} },
}

// snapped rounds coordinates to a thousandth of a point. The last bits of the layout's arithmetic, which may differ
// between processors, then do not reach the file, and no coordinate is printed with an exponent, which TeX cannot read.
type snapped struct{ vg.CanvasWriterTo }

func snap(l vg.Length) vg.Length { return vg.Length(math.Round(float64(l)*1000) / 1000) }

func snapPoint(p vg.Point) vg.Point { return vg.Point{X: snap(p.X), Y: snap(p.Y)} }

func snapPath(p vg.Path) vg.Path {
	q := make(vg.Path, len(p))
	for i, c := range p {
		q[i] = c
		q[i].Pos = snapPoint(c.Pos)
		q[i].Control = make([]vg.Point, len(c.Control))
		for j, at := range c.Control {
			q[i].Control[j] = snapPoint(at)
		}
	}
	return q
}

func (c snapped) Stroke(p vg.Path)      { c.CanvasWriterTo.Stroke(snapPath(p)) }
func (c snapped) Fill(p vg.Path)        { c.CanvasWriterTo.Fill(snapPath(p)) }
func (c snapped) Translate(pt vg.Point) { c.CanvasWriterTo.Translate(snapPoint(pt)) }
func (c snapped) FillString(f font.Face, pt vg.Point, s string) {
	c.CanvasWriterTo.FillString(f, snapPoint(pt), s)
}

// pdf mends two faults of vgpdf. It hands UTF-8 to a writer that expects Windows-1252, so that "µ" comes out as two
// characters. It hands premultiplied colours to a writer that expects straight ones, so that bands come out grey.
type pdf struct{ *vgpdf.Canvas }

var pdfDefaults sync.Once

func newPDF(w, h vg.Length) vg.CanvasWriterTo {
	pdfDefaults.Do(func() { // the writer's own defaults put the clock and map order into the file
		epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		fpdf.SetDefaultCreationDate(epoch)
		fpdf.SetDefaultModificationDate(epoch)
		fpdf.SetDefaultCatalogSort(true)
	})
	return snapped{pdf{vgpdf.New(w, h)}}
}

func (c pdf) FillString(f font.Face, pt vg.Point, s string) {
	if t, err := charmap.Windows1252.NewEncoder().String(s); err == nil {
		s = t
	}
	c.Canvas.FillString(f, pt, s)
}

func (c pdf) SetColor(clr color.Color) {
	if clr != nil {
		clr = straight(color.NRGBAModel.Convert(clr).(color.NRGBA))
	}
	c.Canvas.SetColor(clr)
}

// straight is a colour whose RGBA is not premultiplied.
type straight color.NRGBA

func (s straight) RGBA() (r, g, b, a uint32) {
	return uint32(s.R) * 257, uint32(s.G) * 257, uint32(s.B) * 257, uint32(s.A) * 257
}

type pngCanvas struct{ *vgimg.Canvas }

// WriteTo puts a pHYs chunk after the header, which the encoder leaves out. Without it, programs take the figure for
// one of 72 or 96 dpi, and print it far too large.
func (c pngCanvas) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: c.Canvas}).WriteTo(&b); err != nil {
		return 0, err
	}
	const header = 8 + 4 + 4 + 13 + 4 // signature; length, name, body and checksum of IHDR
	const perMetre = (pngDPI*10000 + 127) / 254
	phys := binary.BigEndian.AppendUint32([]byte("pHYs"), perMetre)
	phys = append(binary.BigEndian.AppendUint32(phys, perMetre), 1) // the unit is the metre
	file := append([]byte(nil), b.Next(header)...)
	file = binary.BigEndian.AppendUint32(file, uint32(len(phys)-4))
	file = binary.BigEndian.AppendUint32(append(file, phys...), crc32.ChecksumIEEE(phys))
	n, err := w.Write(append(file, b.Bytes()...))
	return int64(n), err
}

// texCanvas escapes what TeX would read as a command, and closes paths, of which vgtex leaves the last side out.
type texCanvas struct{ *vgtex.Canvas }

func (c texCanvas) Stroke(p vg.Path) {
	var q vg.Path
	var start vg.Point
	for _, comp := range p {
		switch comp.Type {
		case vg.MoveComp:
			start = comp.Pos
		case vg.CloseComp:
			comp = vg.PathComp{Type: vg.LineComp, Pos: start}
		}
		q = append(q, comp)
	}
	c.Canvas.Stroke(q)
}

var texEscape = strings.NewReplacer(`\`, `\textbackslash{}`, `%`, `\%`, `&`, `\&`, `#`, `\#`, `_`, `\_`, `$`, `\$`,
	`{`, `\{`, `}`, `\}`, `~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`,
	`µ`, `$\mu$`, `±`, `$\pm$`, `×`, `$\times$`, `–`, `--`, `…`, `\ldots{}`)

func (c texCanvas) FillString(f font.Face, pt vg.Point, s string) {
	if s == "" {
		return
	}
	// vgtex centres the text on its width in f; the document's font may be wider, the centre stays.
	at := f.Width(texEscape.Replace(s))
	pt.X += (f.Width(s) - at) / 2
	c.Canvas.FillString(f, pt, texEscape.Replace(s))
}
