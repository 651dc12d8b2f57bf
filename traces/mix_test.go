package traces

import (
	"bytes"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

const webSizes = "# bytes percent\n0 0\n10000 15\n20000 20\n\n30000 30\n50000 40\n80000 53\n200000 60\n" +
	"1000000 70\n2000000 80\n5000000 90\n10000000 97\n30000000 100\n"

// sizeDistance is the Kolmogorov-Smirnov distance of n draws before they are cut into frames.
func sizeDistance(s *sizes, n int) float64 {
	draws := make([]float64, n)
	r := rand.New(flowStreams.At(1, 0))
	for i := range draws {
		draws[i] = s.size(r)
	}
	slices.Sort(draws)
	cdf := func(x float64) float64 {
		i := slices.IndexFunc(s.bytes, func(b float64) bool { return b > x })
		if i < 0 {
			return 1
		}
		if i == 0 {
			return 0
		}
		return (s.percent[i-1] + (s.percent[i]-s.percent[i-1])*(x-s.bytes[i-1])/(s.bytes[i]-s.bytes[i-1])) / 100
	}
	worst := 0.0
	for i, x := range draws {
		if i+1 < n && draws[i+1] == x {
			continue // the function jumps here
		}
		worst = max(worst, math.Abs(cdf(x)-float64(i+1)/float64(n)))
	}
	return worst
}

func TestSizesFollowTheirFile(t *testing.T) {
	const n = 100_000
	try := func(t *testing.T, path string) {
		h, err := ReadSizes(path, 1500)
		if err != nil {
			t.Fatal(err)
		}
		d := sizeDistance(h.(*sizes), n)
		t.Logf("%v: KS distance %.4f", h, d)
		if d > 1.95/math.Sqrt(n) {
			t.Errorf("KS distance %.4f", d)
		}
		r := rand.New(flowStreams.At(1, 0))
		for range 1000 {
			x := h.Draw(r)
			if x.Packets < 1 || x.Bytes > 1500*x.Packets || x.Bytes < 1500*(x.Packets-1)+64 || x.Proto != flow.TCP {
				t.Fatalf("%+v", x)
			}
		}
	}
	t.Run("web", func(t *testing.T) { try(t, write(t, "web.txt", []byte(webSizes))) })
	for _, name := range []string{"WebSearch_distribution", "FbHdp_distribution", "AliStorage2019", "GoogleRPC2008"} {
		if path, here := recording(t, "flowmodels/dc_cdf/"+name+".txt"); here {
			t.Run(name, func(t *testing.T) { try(t, path) })
		}
	}
}

func TestBadSizesSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "not of 100 %",
		"1 50\n":              "not of 100 %",
		"1 2 3\n":             "line 1: 3 values, want bytes and percent",
		"1 x\n":               "line 1: \"x\", want percent",
		"-1 3\n":              "line 1: \"-1\", want bytes",
		"NaN 3\n":             "want bytes",
		"1 101\n":             "want percent from 0 to 100",
		"# x\n5 10\n4 20\n":   "line 3: 4 20 is below the line before",
		"5 20\n6 10\n10 100n": "line 2: 6 10 is below",
	} {
		if _, err := ReadSizes(write(t, "s.txt", []byte(text)), 1500); err == nil ||
			!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "s.txt") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzSizes(f *testing.F) {
	f.Add([]byte(webSizes))
	f.Add([]byte("7 100"))
	f.Fuzz(func(t *testing.T, b []byte) {
		src, err := newSource(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		defer src.Close()
		h, err := readSizes(newLines(src), "x", 64)
		if err != nil {
			return
		}
		r := rand.New(flowStreams.At(1, 0))
		for range 20 {
			if x := h.Draw(r); x.Packets < 1 || x.Bytes < 64*x.Packets {
				t.Fatalf("%+v", x)
			}
		}
	})
}

const profileText = `- duration: 0.1
  generator: {distribution: seq, clients_start: 16.0.0.1, clients_end: 16.0.0.3,
    servers_start: 48.0.0.1, servers_end: 48.0.0.2}
  mac: [0x0, 0x0, 0x0, 0x1, 0x0, 0x00]
  cap_ipg: true
  cap_info:
    - {name: cap/one.pcap, cps: 30, ipg: 10000}
    - {name: cap/two.pcap, cps: 10, ipg: 10000}
`

// profileDir holds a profile and its two templates: a question and an answer 20 ms later, and three packets one way.
func profileDir(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	there := ip4(flow.UDP, 1, 0, udpPorts)
	back := slices.Clone(there)
	copy(back[12:], []byte{10, 0, 0, 2, 10, 0, 0, 1, 0x00, 0x35, 0x04, 0x01})
	one := pcapOf(linkRaw, stamped{0, there}, stamped{20_000, append(back, 1, 2, 3)})
	two := pcapOf(linkRaw, stamped{0, there}, stamped{1000, there}, stamped{2000, there})
	for name, b := range map[string][]byte{"mix.yaml": []byte(text), "one.pcap.gz": zipped(one), "two.pcap": two} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "mix.yaml")
}

func TestAMixPlaysItsTemplates(t *testing.T) {
	m, err := ReadMix(profileDir(t, profileText), units.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rate != 40 {
		t.Errorf("%g sessions/s, want 40", m.Rate)
	}
	w, err := Generate(m, GenerateOptions{Arrivals: Arrivals{Process: "constant", Rate: m.Rate},
		Until: 100 * units.Second})
	if err != nil {
		t.Fatal(err)
	}
	check(t, w)
	seen := map[flow.FiveTuple]bool{}
	var kinds [4]int
	for _, f := range w.Flows {
		kinds[len(f.Segments)]++
		if seen[f.Tuple] {
			t.Fatalf("%v twice", f.Tuple)
		}
		seen[f.Tuple] = true
		if f.Tuple.DstPort == 53 && !seen[Reverse(f.Tuple)] && f.Tuple.Src.As4()[0] != 16 {
			t.Fatalf("%v is not from a client", f.Tuple)
		}
	}
	if n := 4000.0; math.Abs(float64(kinds[3])/n-0.25) > 0.03 || kinds[1] != 2*(4000-kinds[3]) {
		t.Errorf("%v flows by segments, want a quarter of 4000 sessions with three, and two flows of one in the others",
			kinds)
	}
	if first := w.Flows[0].Tuple; first.Src != netip.MustParseAddr("16.0.0.1") ||
		first.Dst != netip.MustParseAddr("48.0.0.1") {
		t.Errorf("session 0 is %v", first)
	}
	if p, b := w.Totals(); p != float64(kinds[1]+3*kinds[3]) || b != 28*p+1.5*float64(kinds[1]) {
		t.Errorf("%g packets, %g bytes", p, b)
	}
}

func TestHostsOfATemplateHaveSides(t *testing.T) {
	at := func(src, dst string) Flow {
		return Flow{Tuple: flow.FiveTuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), SrcPort: 5000,
			DstPort: 80, Proto: flow.UDP}}
	}
	for _, c := range []struct {
		flows []Flow
		want  []bool
	}{
		{[]Flow{at("10.0.0.1", "10.0.0.9"), at("10.0.0.9", "10.0.0.1")}, []bool{true, false}},
		// a second address of the client
		{[]Flow{at("10.0.0.1", "10.0.0.9"), at("10.0.0.9", "10.0.0.2"), at("10.0.0.2", "10.0.0.9")},
			[]bool{true, false, true}},
		{[]Flow{at("10.0.0.1", "10.0.0.9"), at("10.0.0.2", "10.0.0.3")}, []bool{true, true}},
		{[]Flow{at("10.0.0.1", "10.0.0.9"), at("10.0.0.2", "10.0.0.1")}, []bool{true, false}},
		{[]Flow{at("10.0.0.1", "10.0.0.1")}, []bool{true}},
	} {
		if got := newTemplate(c.flows).client; !slices.Equal(got, c.want) {
			t.Errorf("%v: from the client %v, want %v", c.flows, got, c.want)
		}
	}
}

func TestBadMixesSayWhatIsWrong(t *testing.T) {
	for _, c := range [][3]string{
		{"one.pcap", "../../etc/passwd", "not a path below"},
		{"one.pcap", "none.pcap", "template 1: cap/none.pcap: file does not exist"},
		{"cps: 10", "cps: 0", "template 2: name"},
		{"cps: 10", "cps: .nan", "template 2: name"},
		{"cap_ipg: true", "cap_ipg: false", "cap_ipg is false"},
		{"clients_end: 16.0.0.3", "clients_end: 16.0.0.0", "want IPv4 addresses in order"},
		{"- duration", "x: [1]\n- duration", "not a TRex profile"},
		{profileText, "[]", "0 profiles, want"},
	} {
		_, err := ReadMix(profileDir(t, strings.Replace(profileText, c[0], c[1], 1)), units.Second)
		if err == nil || !strings.Contains(err.Error(), c[2]) || !strings.Contains(err.Error(), "mix.yaml") {
			t.Errorf("%s: %v, want %q", c[1], err, c[2])
		}
	}
}

func FuzzMix(f *testing.F) {
	f.Add([]byte(profileText))
	dir := filepath.Dir(profileDir(f, profileText))
	there := map[string]*Workload{}
	for _, name := range []string{"cap/one.pcap", "cap/two.pcap"} {
		w, err := readTemplate(dir, name, units.Millisecond)
		if err != nil {
			f.Fatal(err)
		}
		there[name] = w
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		src, err := newSource(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		defer src.Close()
		p, err := parseProfile(src)
		if err != nil {
			return
		}
		m, err := newMix("x", p, func(name string) (*Workload, error) {
			if w := there[name]; w != nil {
				return w, nil
			}
			return nil, fs.ErrNotExist
		})
		if err == nil {
			m.Session(rand.New(flowStreams.At(1, 1)), 1<<30, units.Second)
		}
	})
}

// shippedMix is a profile of the captures that are shipped.
func shippedMix(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"echo-connections.pcap.gz", "tls2.pcap.gz"} {
		path, err := filepath.Abs(filepath.Join("data", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "mix.yaml")
	text := "[{generator: {clients_start: 16.0.0.1, clients_end: 16.0.0.255, " +
		"servers_start: 48.0.0.1, servers_end: 48.0.0.255},\n" +
		"cap_info: [{name: echo-connections.pcap.gz, cps: 2}, {name: tls2.pcap.gz, cps: 3}]}]\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// A mix has the rates that its templates and their sessions per second give: exactly in what is read, and in what is
// drawn as closely as chance allows. The figures of the shipped captures are those of data/ORIGIN.md; those of TRex's
// own mix at multiplier 1 were computed from the same files with other tools.
func TestAMixHasItsRates(t *testing.T) {
	files := map[string][3]float64{shippedMix(t): {2*500 + 3*334, 2*82582 + 3*7451, 154}} // flows/s, packets/s, Mbit/s
	if file, here := recording(t, "trex-sfr/sfr_delay_10_1g.yaml"); here {
		files[file] = [3]float64{4123, 215136, 1004}
	}
	for file, want := range files {
		mixHasRates(t, file, want)
	}
}

func mixHasRates(t *testing.T, file string, want [3]float64) {
	t.Helper()
	p, err := readProfile(file)
	if err != nil {
		t.Fatal(err)
	}
	var mean, square [3]float64 // of a second's flows, packets and bytes
	for _, c := range p.CapInfo {
		w, err := readTemplate(filepath.Dir(file), c.Name, 100*units.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		both := map[flow.FiveTuple]bool{}
		for _, f := range w.Flows {
			if !both[Reverse(f.Tuple)] {
				both[f.Tuple] = true
			}
		}
		n, b := w.Totals()
		for k, x := range []float64{float64(len(both)), n, b} {
			mean[k] += c.CPS * x
			square[k] += c.CPS * x * x
		}
	}
	t.Logf("read: %.1f flows/s, %.1f pps, %.2f Mbit/s", mean[0], mean[1], mean[2]*8e-6)
	if got := [3]float64{math.Round(mean[0]), math.Round(mean[1]), math.Round(mean[2] * 8e-6)}; got != want {
		t.Errorf("%s: %v flows/s, packets/s and Mbit/s, want %v", file, got, want)
	}

	m, err := ReadMix(file, 100*units.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	const seconds = 20
	w, err := Generate(m, GenerateOptions{Arrivals: Arrivals{Rate: m.Rate}, Until: seconds * units.Second, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	check(t, w)
	seen := map[flow.FiveTuple]bool{}
	for _, f := range w.Flows {
		if seen[f.Tuple] || f.Tuple.Src == f.Tuple.Dst {
			t.Fatalf("%v twice, or with itself", f.Tuple)
		}
		seen[f.Tuple] = true
	}
	drawn, octets := w.Totals()
	t.Logf("drawn: %.1f flows/s, %.0f pps, %.0f Mbit/s",
		float64(len(seen))/2/seconds, drawn/seconds, octets*8e-6/seconds)
	for k, got := range []float64{float64(len(seen)) / 2, drawn, octets} {
		// Sessions are a Poisson process, so that each template adds its rate times its square to the variance.
		if within := 4 * math.Sqrt(square[k]*seconds); math.Abs(got-mean[k]*seconds) > within {
			t.Errorf("%s: drew %.0f, want %.0f within %.0f", file, got, mean[k]*seconds, within)
		}
	}
}

func TestMixFiles(t *testing.T) {
	file := profileDir(t, profileText)
	names, paths, err := MixFiles(file)
	dir := filepath.Dir(file)
	if want := []string{"cap/one.pcap", "cap/two.pcap"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("names %q, %v; want %q", names, err, want)
	}
	if want := []string{filepath.Join(dir, "one.pcap.gz"), filepath.Join(dir, "two.pcap")}; !slices.Equal(paths, want) {
		t.Errorf("paths %q, want %q", paths, want)
	}
}
