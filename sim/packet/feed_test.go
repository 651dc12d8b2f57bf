package packet_test

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// periodic sends the packets of a constant-rate flow one by one.
type periodic struct {
	traces.Periodic
	n    int64 // so far
	size int32
}

func (p *periodic) Read(to []traces.Arrival) (n int, err error) {
	for ; n < len(to) && p.Phase+p.Period.At(p.n) < p.End; n++ {
		to[n] = traces.Arrival{At: p.Phase + p.Period.At(p.n), Bytes: p.size}
		p.n++
	}
	if n == 0 {
		err = io.EOF
	}
	return n, err
}

// oneByOne makes constant-rate flows of a workload into flows that have packets of their own. Those for which pick says
// no stay as they are.
func oneByOne(w *traces.Workload, pick func(i int) bool) *traces.Workload {
	own := *w
	for i, c := range w.Constant {
		if size := w.Flows[i].Segments[0]; pick(i) {
			own.Packets = append(own.Packets, traces.Packets{Flows: []flow.ID{flow.ID(i)},
				Open: func() traces.PacketReader {
					return &periodic{c, 0, int32(size.Bytes/size.Packets + 0.5)}
				}})
		}
	}
	return &own
}

var (
	downs  = regexp.MustCompile(`.*kind: link-down.*\n`)
	limits = regexp.MustCompile(`(link|eswitch_limit): \d+[kM](bps|pps)`)
)

// Packets that are handed to the engine one by one fare like those that it makes itself from a rate.
func TestPacketsOfTheirOwnFareAsThoseOfARate(t *testing.T) {
	n := 40
	if testing.Short() {
		n = 10
	}
	for i := range n {
		fareAlike(t, rand.New(rand.NewPCG(3, uint64(i))), 1)
	}
}

// FuzzOwnPackets searches for a scenario, in a thirtieth of the time, in which they do not.
func FuzzOwnPackets(f *testing.F) {
	for seed := range uint64(4) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { fareAlike(t, rand.New(rand.NewPCG(5, seed)), 1./30) })
}

func fareAlike(t *testing.T, r *rand.Rand, scale float64) {
	t.Helper()
	text, engine := scenario(r), packet.Stage
	if r.IntN(2) == 0 {
		text, engine = limits.ReplaceAllString(text, "$1: 0"), packet.New
	}
	whole := r.IntN(2) == 0 // the link is always up
	if whole {
		text = regexp.MustCompile(`faults:\n$`).ReplaceAllString(downs.ReplaceAllString(text, ""), "")
	}
	delays, fractions := r.IntN(3) == 0, r.IntN(2) == 0
	if delays {
		text += "engine: packet\nmeasure: {delay: flows}\n"
	}
	sc, err := simtest.Parse(t, text).Scaled(1, scale)
	if err != nil {
		t.Fatal(err)
	}
	w := simtest.Traffic(t, sc)
	for share, what := range []string{"all", "some"} {
		// Of two packets of one instant, one with a time of its own comes first: here there are no such two.
		picked := make(map[flow.FiveTuple]bool)
		for k := range w.Constant {
			c := &w.Constant[k]
			picked[w.Flows[k].Tuple] = r.IntN(2) >= share
			if c.Period.Num &^= 1; share == 0 && fractions { // all are picked, and come in their order
				c.Period = traces.Spread(c.Period.Num*7, 7-int64(k%3))
			}
			c.Phase = (c.Phase + units.Time(r.IntN(int(float64(scale*float64(units.Millisecond))))))
			c.Phase = min(c.Phase, c.End-3) &^ 1
			if picked[w.Flows[k].Tuple] {
				c.Phase++
			}
			w.Flows[k].Segments[0].Start = c.Phase
		}
		w := traces.Merge(w)
		rate, own := results.NewMemory(), results.NewMemory()
		simtest.Record(t, sc, w, engine, rate)
		simtest.Record(t, sc, oneByOne(w, func(k int) bool { return picked[w.Flows[k].Tuple] }), engine, own)
		if !own.Run.Conservation.Holds {
			t.Errorf("%s: %+v", what, own.Run.Conservation)
		}
		for k := range rate.Flows {
			if !reflect.DeepEqual(rate.Flows[k], own.Flows[k]) {
				t.Errorf("%s: flow %d: %+v, want %+v", what, k, own.Flows[k], rate.Flows[k])
				break
			}
		}
		if !reflect.DeepEqual(rate.Windows, own.Windows) || !reflect.DeepEqual(rate.Instances, own.Instances) {
			t.Errorf("%s: windows differ", what)
		}
		if !reflect.DeepEqual(rate.Latencies, own.Latencies) || !reflect.DeepEqual(rate.Buckets, own.Buckets) ||
			!reflect.DeepEqual(rate.Run.Little, own.Run.Little) {
			t.Errorf("%s: delays differ", what)
		}
		if l := own.Run.Little; (l != nil) != delays || l != nil && !l.Holds {
			t.Errorf("%s: Little's law: %+v", what, l)
		}
		if t.Failed() {
			t.Fatal(text)
		}
	}
}

// recording is the path of a recording of package traces and whether it is here. Those of its data and testdata are
// shipped. Others are below the folder that SMARTINCO_TRACES names or, where that is not set, nowhere.
func recording(t *testing.T, name string) (path string, here bool) {
	t.Helper()
	dir := filepath.Join("..", "..", "traces")
	if !strings.HasPrefix(name, "data/") && !strings.HasPrefix(name, "testdata/") {
		if dir = os.Getenv("SMARTINCO_TRACES"); dir == "" {
			return "", false
		}
	}
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return path, true
}

// recorded runs a scenario whose one source reads the file.
func recorded(t *testing.T, source, path, nic string, copies int, engine sim.Engine) *results.Memory {
	t.Helper()
	m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(
		"engine: packet\nnic: %s\nworkload: [{%s: {file: %q, copies: %d, timeout: 0s}}]\n",
		nic, source, path, copies)), engine)
	if !m.Run.Conservation.Holds {
		t.Errorf("%+v", m.Run.Conservation)
	}
	return m
}

// The figures were measured with other tools (traces/data/ORIGIN.md); flows are directed five-tuples, and those of
// frames that are not IP.
func TestEveryPacketOfACaptureIsReplayed(t *testing.T) {
	many := 100
	if testing.Short() {
		many = 10
	}
	for _, c := range []struct {
		file           string
		packets, bytes float64
		flows          int64
	}{
		{"data/echo-connections.pcap.gz", 82582, 5512362, 1000},
		{"data/tls2.pcap.gz", 7451, 2734637, 665},
		{"pcap/cicddos2019-synflood.pcap.gz", 26316, 1578960, 13122},
		{"pcap/open5gs-5g-roaming-lbo.pcapng", 2690, 543300, 205 + 2},
	} {
		path, here := recording(t, c.file)
		if !here {
			continue
		}
		for _, how := range []struct {
			nic    string
			copies int
		}{{"ideal", 1}, {"ideal", 10}, {"bluefield2", 1}, {"bluefield2", many}} {
			t.Run(fmt.Sprintf("%s-%s-%d", filepath.Base(c.file), how.nic, how.copies), func(t *testing.T) {
				got := recorded(t, "pcap", path, how.nic, how.copies, packet.New).Run.Totals
				n, flows := float64(how.copies), int64(how.copies)*c.flows
				if got.Offered != n*c.packets || got.OfferedBytes != n*c.bytes || got.Flows != flows {
					t.Errorf("offered %.0f packets of %.0f bytes and %d flows, want %.0f of %.0f and %d",
						got.Offered, got.OfferedBytes, got.Flows, n*c.packets, n*c.bytes, flows)
				}
				// An ideal NIC loses nothing itself, and three instances have room for this.
				if how.nic == "ideal" && (got.Processed != got.Offered || got.ProcessedBytes != got.OfferedBytes) {
					t.Errorf("processed %.0f packets of %.0f bytes: %+v", got.Processed, got.ProcessedBytes,
						got.Dropped)
				}
			})
		}
	}
}

// A flow log has no packets of its own. Both engines offer what it counts.
func TestEveryRecordOfAFlowLogIsPlayed(t *testing.T) {
	for _, c := range []struct {
		source, file   string
		packets, bytes float64
	}{
		{"records", "testdata/nfdump-1.6.csv", 22, 16454},
		{"records", "testdata/cicflowmeter-4.csv", 12, 3660},
		{"zeek", "flowrecords/m57-2009-11-18_zeek_conn.log.gz", 871971, 862519782},
		{"zeek", "flowrecords/rita-2024-04-19_zeek_conn.log.gz", 295896, 96810954},
		{"zeek", "flowrecords/rita-2024-04-20_zeek_conn.log.gz", 246874, 36446064},
	} {
		path, here := recording(t, c.file)
		if !here {
			continue
		}
		for _, e := range []struct {
			name   string
			engine sim.Engine
		}{{"fluid", fluid.New}, {"packet", packet.New}} {
			t.Run(filepath.Base(c.file)+"-"+e.name, func(t *testing.T) {
				got := recorded(t, c.source, path, "bluefield2", 1, e.engine).Run.Totals
				// A flow's mean packet size need not be a whole number, so the sum of its bytes is not exact.
				if got.Offered != c.packets || math.Abs(got.OfferedBytes-c.bytes) > 1e-3 {
					t.Errorf("offered %v packets of %v bytes, want %v of %v",
						got.Offered, got.OfferedBytes, c.packets, c.bytes)
				}
			})
		}
	}
}

// Poisson arrivals at one instance with exponential service are M/M/1/K: the loss is that of the closed form, and the
// fluid engine takes the mean rate.
func TestPoissonFlowsMakeMM1K(t *testing.T) {
	const text = `
name: MM1-16
duration: 500ms
engine: packet
seed: %d
nic: ideal
vnf: {buffer: 16, service: exponential, contention: {model: constant, rate: 1Mpps}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
workload:
  - cbr: {flows: 2, rate: 300kpps, arrivals: poisson}
  - flows: [{rate: 300kpps, arrivals: poisson}]
`
	const rho, k = 0.9, 16
	want := (1 - rho) * math.Pow(rho, k) / (1 - math.Pow(rho, k+1))
	var losses []float64
	for seed := range 8 {
		m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(text, seed+1)), packet.New)
		r := m.Run.Totals
		if math.Abs(r.Offered-450e3) > 4*math.Sqrt(450e3) {
			t.Errorf("seed %d: offered %.0f, want 450000", seed, r.Offered)
		}
		losses = append(losses, r.Dropped.Instance/r.Offered)
	}
	mean, sd := stat.MeanStdDev(losses, nil)
	t.Logf("loss %.5f, standard error %.5f, want %.5f", mean, sd/math.Sqrt(8), want)
	if math.Abs(mean-want) > 5*sd/math.Sqrt(8) {
		t.Errorf("loss %.5f with a standard error of %.5f, want %.5f", mean, sd/math.Sqrt(8), want)
	}
	r := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(text, 1)), fluid.New).Run.Totals
	if math.Abs(r.Offered-450e3) > 1 || r.Dropped.Instance != 0 {
		t.Errorf("fluid: offered %.1f, lost %.1f", r.Offered, r.Dropped.Instance)
	}
}

// Both engines see the same flows of a model. Of what is random in one, the other has the mean.
func TestRandomTrafficHasItsMean(t *testing.T) {
	offered, expected := 0.0, 0.0
	for seed := range 10 {
		sc := builtin(t, "campus", "duration=200ms", fmt.Sprintf("seed=%d", seed), "workload.1.cbr.on_time=10us",
			"workload.1.cbr.off_time=90us")[0]
		p, f := simtest.Run(t, sc, packet.New).Run, simtest.Run(t, sc, fluid.New).Run
		if !p.Conservation.Holds || p.Totals.Flows != f.Totals.Flows {
			t.Errorf("seed %d: %d flows and %d, %+v", seed, p.Totals.Flows, f.Totals.Flows, p.Conservation)
		}
		offered += p.Totals.Offered
		expected += f.Totals.Offered
	}
	// Of 4 sources of 10 Mpps for 2 s in cycles of 100 us, and of 2 Mpps for 2 s; AGH's flows differ by their
	// roundings.
	sd := math.Sqrt(4*20_000*100*100*1.64 + 4e6)
	t.Logf("offered %.0f, expected %.0f, standard deviation %.0f", offered, expected, sd)
	if math.Abs(offered-expected) > 4*sd {
		t.Errorf("offered %.0f, expected %.0f, standard deviation %.0f", offered, expected, sd)
	}
}
