package packet

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "draw the picture of a saturated ring anew")

// saturatedRing is the example of the picture in docs/model.md: four flows of one period at a ring of three packets.
// The whole repeats after 160 ps, the least common multiple of period and service.
var saturatedRing = struct {
	cycle
	lattice
	room int
	span int64
}{
	cycle{at: []int64{3, 7, 12, 27}, lane: []int32{0, 1, 2, 3}, period: 32},
	lattice{one: 1, service: 10, gap: 20, idle: 20},
	3, 160,
}

// stepped says of each packet of the example whether the ring has room for it, by looking at every packet, and whose
// packet each service is.
func stepped() (accepted []bool, served []int32) {
	r := &saturatedRing
	leaves := []int64{r.idle - 20, r.idle - 10, r.idle}
	for i := int64(0); r.nth(i) < r.span; i++ {
		t := r.nth(i)
		ok := leaves[len(leaves)-r.room] <= t
		if accepted = append(accepted, ok); ok {
			leaves = append(leaves, max(leaves[len(leaves)-1], t)+r.service)
			served = append(served, r.lane[i%int64(len(r.lane))])
		}
	}
	return accepted, served
}

// The windows of the picture are those of the engine, and a packet is accepted where its window has an opening.
func TestThePictureOfASaturatedRingIsTrue(t *testing.T) {
	r := &saturatedRing
	p := police(&r.cycle, r.lattice)
	if p == nil || !p.holds(0) {
		t.Fatal("the example is not saturated")
	}
	accepted, served := stepped()
	for i, ok := range accepted {
		from, to := p.edge(int64(i)-1), p.edge(int64(i))
		first := max(0, (from+r.service-1)/r.service) * r.service // the first opening from there on
		if (first < to) != ok {
			t.Errorf("packet %d: the window from %d to %d, but accepted is %v", i, from, to, ok)
		}
	}
	if len(accepted) != 20 || len(served) != 16 {
		t.Errorf("%d of %d packets are accepted; the text says 16 of 20", len(served), len(accepted))
	}
}

// drawRing draws the example.
func drawRing() []byte {
	const left, scale, width, height = 118, 4.7, 900, 414
	r := &saturatedRing
	p := police(&r.cycle, r.lattice)
	accepted, served := stepped()
	colours := []string{"#4477aa", "#cc6677", "#ddaa33", "#228833"}
	var b bytes.Buffer
	x := func(t int64) float64 { return left + scale*float64(t) }
	text := func(x, y float64, style, s string) {
		fmt.Fprintf(&b, "<text x=\"%g\" y=\"%g\"%s>%s</text>\n", x, y, style, s)
	}
	line := func(x1, y1, x2, y2 float64, style string) {
		fmt.Fprintf(&b, "<path d=\"M%g %g L%g %g\" fill=\"none\" %s/>\n", x1, y1, x2, y2, style)
	}
	rect := func(from, to int64, y, h float64, style string) {
		fmt.Fprintf(&b, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" %s/>\n", x(from), y, x(to)-x(from), h,
			style)
	}
	const flows, windows, server = 52.0, 194.0, 284.0 // tops of the rows
	row := func(lane int32) float64 { return flows + 14 + 28*float64(lane) }
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""+
		" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		width, height, width, height)
	for t := int64(0); t < r.span; t += r.period {
		if t/r.period%2 == 0 {
			rect(t, t+r.period, flows-16, 132, `fill="#f2f2f2"`)
		}
		text(x(t)+scale*float64(r.period)/2, flows-22, ` text-anchor="middle" fill="#555"`, "period T = 32")
	}
	for lane, colour := range colours {
		text(16, row(int32(lane))+4, "", fmt.Sprintf("flow %c", 'a'+lane))
		line(x(0), row(int32(lane)), x(r.span), row(int32(lane)), `stroke="`+colour+`" stroke-opacity="0.4"`)
	}
	text(16, windows+19, "", "windows")
	text(16, windows+64, "", "openings")
	text(16, server+19, "", "server, S = 10")
	for i, ok := range accepted { // from each packet to the end of its window
		lane := r.lane[i%len(r.lane)]
		style := `stroke="` + colours[lane] + `" stroke-width="1.2"`
		if !ok {
			style += ` stroke-dasharray="3 3"`
		}
		line(x(r.nth(int64(i))), row(lane), x(p.edge(int64(i))), windows, style)
	}
	for i, ok := range accepted {
		lane := r.lane[i%len(r.lane)]
		from, to := p.edge(int64(i)-1), p.edge(int64(i))
		fill := `fill="white"`
		if ok {
			fill = `fill="` + colours[lane] + `" fill-opacity="0.35"`
		}
		rect(from, to, windows, 28, fill+` stroke="#222"`)
		text((x(from)+x(to))/2, windows+19, ` text-anchor="middle"`, string(rune('a'+lane)))
		circle := `fill="` + colours[lane] + `"`
		if !ok {
			circle = `fill="white"`
		}
		fmt.Fprintf(&b, "<circle cx=\"%g\" cy=\"%g\" r=\"5\" %s stroke=\"%s\" stroke-width=\"1.5\"/>\n",
			x(r.nth(int64(i))), row(lane), circle, colours[lane])
	}
	for t := int64(0); t < r.span; t += r.service {
		line(x(t), server, x(t), windows+28, `stroke="#222" stroke-dasharray="1 3"`)
		fmt.Fprintf(&b, "<path d=\"M%g %g l-4.5 9 h9 z\" fill=\"#222\"/>\n", x(t), windows+29)
		who, fill := "", `fill="#dddddd"`
		if k := t/r.service - r.gap/r.service; k >= 0 {
			who, fill = string(rune('a'+served[k])), `fill="`+colours[served[k]]+`" fill-opacity="0.6"`
		}
		rect(t, t+r.service, server, 28, fill+` stroke="#222"`)
		text(x(t)+scale*5, server+19, ` text-anchor="middle"`, who)
	}
	for t := int64(0); t <= r.span; t += 20 {
		line(x(t), server+34, x(t), server+39, `stroke="#555"`)
		text(x(t), server+53, ` text-anchor="middle" fill="#555"`, fmt.Sprint(t))
	}
	text(16, server+53, ` fill="#555"`, "time, ps")
	for k, s := range []string{
		"A packet (circle) has the window from that of the packet before to itself, but none longer than S.",
		"It is accepted (full circle) if an opening lies in its window. An opening is the end of a service.",
		"What takes it is served two services later, since the ring has three places. Grey: in the ring before.",
	} {
		text(16, server+80+17*float64(k), "", s)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func TestThePictureOfASaturatedRingIsDrawnFromTheExample(t *testing.T) {
	const path = "../../docs/img/saturation.svg"
	if *update {
		if err := os.WriteFile(path, drawRing(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, drawRing()) {
		t.Errorf("%s is stale (%v): go test ./sim/packet -run Picture -update", path, err)
	}
}
