package docs

import (
	"bytes"
	"flag"
	"fmt"
	"html"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "draw the picture of the rooms anew")

// room is a box of the picture in architecture.md.
type room struct {
	name string   // the folder
	says []string // lines
	wide float64  // share of its row
	in   []room   // boxes in it, side by side
}

// house has the rooms in rows: a room uses those of lower rows, and never one above it or beside it but for exceptions.
var house = [][]room{
	{{"cmd/smartinco", []string{"the command line: a file a verb, no logic of its own"}, 1, nil}},
	{
		{"study", []string{"points of a sweep; optimize: the best"}, 0.36, nil},
		{"plots", []string{"figures from records; chart: their kit"}, 0.37, nil},
		{"report", []string{"one page from records"}, 0.27, nil},
	},
	{
		{"sim", []string{
			"the simulated plant", "queue of events, rules, containers, faults", "fluid, packet, request: the engines",
			"contention: what n instances can do", "bruteforce: a third simulator, for tests",
		}, 0.5, nil},
		{"hw", []string{
			"the real plant", "replay: the loop; testbed: its YAML", "ovs, doca, tc: switches; docker: containers",
			"trex: traffic; lab: all on one machine", "standins: for what is not there",
		}, 0.5, nil},
	},
	{
		{"results", []string{"the run record; compare: two records; fidelity: the published numbers"}, 0.72, nil},
		{"", []string{"events", "actions"}, 0.28, nil}, // from the plants to the orchestrator, and back
	},
	{{"scenarios", []string{"the YAML of an experiment; nics: profiles of cards"}, 0.7117, nil}},
	{
		{"traces", []string{"traffic:", "captures,", "flow logs,", "load curves,", "models"}, 0.16, nil},
		{"orchestrator", []string{
			"what runs on the SmartNIC: a state machine without clock or I/O, actions = Handle(now, event)",
		}, 0.84, []room{
			{"policy", []string{"the contract", "of all policies;", "policytest: its", "conformance suite"}, 0.24, nil},
			{"scheduler", []string{"which instance", "takes a flow, or", "a request (with", "dispatch)"}, 0.27, nil},
			{"autoscaler", []string{"how many", "instances: stages", "and policies"}, 0.27, nil},
			{"telemetry", []string{"counters", "to rates"}, 0.22, nil},
		}},
	},
	{{"scenarios/strictyaml", []string{
		"the strict decoder of scenarios, testbeds and the options of policies",
	}, 1, nil}},
	{
		{"scenarios/strictyaml", []string{"decodes strictly"}, 0.25, nil},
		{"flow", []string{"five-tuples"}, 0.17, nil},
		{"units", []string{"rates, times, sizes"}, 0.22, nil},
		{"numeric", []string{"arithmetic and draws, equal everywhere"}, 0.36, nil},
	},
}

// heights are those of the rows, in pixels.
var heights = []float64{52, 52, 112, 52, 52, 152, 52, 52}

// picture draws the house as an SVG of 900 pixels.
func picture() []byte {
	const width, gap, margin = 900, 10, 16
	fills := []string{"#f2f2f2", "#eef4fa", "#dcebf7", "#eef7ee", "#eef7ee", "#fff3dc", "#f2f2f2", "#f2f2f2"}
	var b bytes.Buffer
	text := func(x, y float64, style, s string) {
		fmt.Fprintf(&b, "<text x=\"%g\" y=\"%g\"%s>%s</text>\n", x, y, style, html.EscapeString(s))
	}
	var box func(r room, x, y, w, h float64, fill string)
	box = func(r room, x, y, w, h float64, fill string) {
		if r.name == "" {
			h = 2*h + gap // two rows
			arrow := func(x, from, to, head float64) {
				fmt.Fprintf(&b, "<path d=\"M%g %g V%g m-5 %g l5 %g l5 %g\"", x, from, to, -head, head, -head)
				b.WriteString(" fill=\"none\" stroke=\"#222\" stroke-width=\"2\"/>\n")
			}
			arrow(x+w/2-12, y-gap, y+h+gap, 7)
			arrow(x+w/2+12, y+h+gap, y-gap, -7)
			text(x+w/2-22, y+h/2+5, ` text-anchor="end" font-weight="bold"`, r.says[0])
			text(x+w/2+22, y+h/2+5, ` font-weight="bold"`, r.says[1])
			return
		}
		fmt.Fprintf(&b, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\"", x, y, w, h)
		fmt.Fprintf(&b, " rx=\"5\" fill=\"%s\" stroke=\"#555\"/>\n", fill)
		text(x+10, y+20, ` font-weight="bold" font-family="monospace"`, r.name)
		for i, s := range r.says {
			text(x+10, y+38+16*float64(i), "", s)
		}
		at := x + 10
		for _, in := range r.in {
			share := (w - 20 - gap*float64(len(r.in)-1)) * in.wide
			box(in, at, y+48, share, h-58, "#ffffff")
			at += share + gap
		}
	}
	total := 2 * margin
	for _, h := range heights {
		total += int(h) + gap
	}
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\""+
		" font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		width, total+30, width, total+30)
	y := float64(margin)
	for i, row := range house {
		x := float64(margin)
		for _, r := range row {
			w := (width - 2*margin - gap*float64(len(row)-1)) * r.wide
			box(r, x, y, w, heights[i], fills[i])
			x += w + gap
		}
		y += heights[i] + gap
	}
	text(margin, y+12, "", "A room uses rooms below it, and never one above it or beside it.")
	text(margin, y+28, "", "Exceptions: results uses scenarios, strictyaml uses units, and hw uses sim/contention, "+
		"the law that is fitted to what it measures.")
	b.WriteString("</svg>\n")
	return b.Bytes()
}

const rooms = "img/rooms.svg"

func TestThePictureOfTheRoomsIsDrawnFromTheirTable(t *testing.T) {
	if *update {
		if err := os.WriteFile(rooms, picture(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rooms)
	if err != nil || !bytes.Equal(got, picture()) {
		t.Errorf("docs/%s is stale (%v): go test ./docs -update", rooms, err)
	}
}

// beside are the rooms that others of their row use.
var beside = map[string]string{"results": "scenarios", "scenarios": "units", "hw": "sim/contention"}

// The picture shows every room, and what it says of who uses whom is so.
func TestThePictureOfTheRoomsIsTrue(t *testing.T) {
	row := func(dir string) int { // that of the smallest room that has the folder
		in, name := -1, ""
		for i, rs := range house {
			for _, r := range rs {
				if r.name != "" && under(r.name)(dir) && len(r.name) > len(name) {
					in, name = i, r.name
				}
			}
		}
		return in
	}
	top := func(dir string) string { name, _, _ := strings.Cut(dir, "/"); return name }
	graph := imports(t)
	tests := under("internal") // what they alone use is in no picture
	for _, dir := range slices.Sorted(maps.Keys(graph)) {
		if row(dir) < 0 && !tests(dir) {
			t.Errorf("%s: no room of the picture has it", dir)
		}
		for _, to := range graph[dir] {
			if !tests(to) && top(to) != top(dir) && row(to) <= row(dir) && beside[top(dir)] != to {
				t.Errorf("%s uses %s, which the picture does not show below it", dir, to)
			}
		}
	}
}
