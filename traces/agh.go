package traces

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
)

//go:embed data/agh_2015/*.csv.gz data/agh_2015/*.json
var aghFiles embed.FS

// AGHOptions chooses a part of the AGH 2015 campus model (see data/agh_2015/ORIGIN.md) and a way to draw from it.
type AGHOptions struct {
	Protocol string // all, tcp or udp; empty is all
	// length (packets) or size (bytes) is drawn, and the other follows from it; empty is length
	Feature  string
	Sampling string // histogram, as published, or mixture, the fitted distribution; empty is histogram
}

// aghRow is a bin of a histogram, with how many of its flows are TCP and UDP.
type aghRow struct {
	lo, hi                 int64
	flows, packets, octets int64
	tcp, udp               int64
}

// agh draws flows from the AGH 2015 model.
//
// By histogram: a bin is drawn with the number of its flows as weight, exactly, and the feature is uniform within the
// bin. By mixture: a component is drawn by its weight, then x from U(loc, loc+scale) or as loc + scale exp(s Z); the
// feature is the next integer above x, and at least 64 for bytes. Either way the other feature is this one times the
// ratio of packets to octets in its bin, rounded at random so that the mean is exact. The protocol has its share in the
// bin or, by mixture, in all flows: the mixtures miss the small sizes, in which the shares of TCP and UDP differ most.
type agh struct {
	o     AGHOptions
	rows  []aghRow
	sum   aghRow // of all rows
	bins  numeric.Alias
	mix   []component
	parts numeric.Alias
}

type component struct {
	lognormal       bool
	s, floor, scale float64
}

// NewAGH makes the model.
func NewAGH(o AGHOptions) (Holdings, error) {
	for _, x := range []struct {
		key     string
		value   *string
		choices []string
	}{
		{"protocol", &o.Protocol, []string{"all", "tcp", "udp"}},
		{"feature", &o.Feature, []string{"length", "size"}},
		{"sampling", &o.Sampling, []string{"histogram", "mixture"}},
	} {
		if *x.value == "" {
			*x.value = x.choices[0]
		}
		if !slices.Contains(x.choices, *x.value) {
			return nil, fmt.Errorf("traces: agh-2015: %s is %q, want one of %s", x.key, *x.value,
				strings.Join(x.choices, ", "))
		}
	}
	m := &agh{o: o, rows: aghHistogram(o.Protocol, o.Feature)}
	weights := make([]int64, len(m.rows))
	for i, row := range m.rows {
		weights[i] = row.flows
		m.sum.flows += row.flows
		m.sum.tcp += row.tcp
		m.sum.udp += row.udp
	}
	m.bins = numeric.NewAlias(weights)
	m.mix, m.parts = aghMixture(o.Protocol, o.Feature)
	return m, nil
}

func (m *agh) String() string {
	return fmt.Sprintf("agh-2015: %s, %s by %s", m.o.Protocol, m.o.Feature, m.o.Sampling)
}

// Draw implements Holdings.
func (m *agh) Draw(r *rand.Rand) Holding {
	var row *aghRow
	var x int64
	if m.o.Sampling == "histogram" {
		row = &m.rows[m.bins.Draw(r)]
		x = row.lo + r.Int64N(row.hi-row.lo)
	} else {
		c := m.mix[m.parts.Draw(r)]
		v := numeric.Uniform(r)
		if c.lognormal {
			v = numeric.Exp(float64(c.s * numeric.NormalQuantile(v)))
		}
		x = int64(min(math.Floor(c.floor+float64(c.scale*v))+1, 1<<40)) // beyond every flow of the 30 days
		if m.o.Feature == "size" {
			x = max(x, 64)
		}
		row = m.row(x)
	}
	h := Holding{Proto: flow.ICMP}
	if m.o.Feature == "length" {
		h.Packets, h.Bytes = x, scaled(r, x, row.octets, row.packets)
	} else {
		h.Bytes, h.Packets = x, max(1, scaled(r, x, row.packets, row.octets))
	}
	if m.o.Sampling == "mixture" {
		row = &m.sum
	}
	switch u := r.Int64N(row.flows); {
	case u < row.tcp:
		h.Proto = flow.TCP
	case u < row.tcp+row.udp:
		h.Proto = flow.UDP
	}
	return h
}

// row is the bin that holds x or, if x falls between two, the one below it.
func (m *agh) row(x int64) *aghRow {
	i, found := slices.BinarySearchFunc(m.rows, x, func(r aghRow, x int64) int { return cmp.Compare(r.lo, x) })
	if !found {
		i = max(i-1, 0)
	}
	return &m.rows[i]
}

// scaled is x times num/den, rounded up or down with the probabilities that make the mean exact.
func scaled(r *rand.Rand, x, num, den int64) int64 {
	hi, lo := bits.Mul64(uint64(x), uint64(num))
	q, rest := bits.Div64(hi, lo, uint64(den))
	if r.Uint64N(uint64(den)) < rest {
		q++
	}
	return int64(q)
}

// aghHistogram reads a shipped histogram; its rows are in order. The files are the program's own, so a fault panics.
func aghHistogram(protocol, feature string) []aghRow {
	aghLock.Lock()
	defer aghLock.Unlock()
	name := protocol + "-" + feature
	if rows := aghCache[name]; rows != nil {
		return rows
	}
	rows := aghRead(name)
	if protocol == "all" {
		for _, x := range []struct {
			name string
			to   func(*aghRow) *int64
		}{{"tcp-" + feature, func(r *aghRow) *int64 { return &r.tcp }},
			{"udp-" + feature, func(r *aghRow) *int64 { return &r.udp }}} {
			part := aghRead(x.name)
			for i, j := 0, 0; i < len(rows) && j < len(part); i++ {
				if rows[i].lo == part[j].lo {
					*x.to(&rows[i]) = part[j].flows
					j++
				}
			}
		}
	}
	for i := range rows {
		switch protocol {
		case "tcp":
			rows[i].tcp = rows[i].flows
		case "udp":
			rows[i].udp = rows[i].flows
		}
	}
	aghCache[name] = rows
	return rows
}

var (
	aghLock  sync.Mutex
	aghCache = map[string][]aghRow{}
)

func aghRead(name string) []aghRow {
	b, err := aghFiles.ReadFile("data/agh_2015/" + name + ".csv.gz")
	if err != nil {
		panic(err)
	}
	rows, err := parseHistogram(b)
	if err != nil {
		panic(err)
	}
	return rows
}

func parseHistogram(b []byte) (rows []aghRow, err error) {
	raw, err := gunzip(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	if _, err := text.ReadFrom(raw); err != nil {
		return nil, err
	}
	for i, line := range strings.Split(strings.TrimSpace(text.String()), "\n") {
		if i == 0 {
			continue
		}
		var v [5]int64
		for j, cell := range strings.Split(line, ",") {
			if v[j], err = strconv.ParseInt(cell, 10, 64); err != nil {
				return nil, err
			}
		}
		rows = append(rows, aghRow{lo: v[0], hi: v[1], flows: v[2], packets: v[3], octets: v[4]})
	}
	return rows, nil
}

// aghMixture reads a shipped mixture.
func aghMixture(protocol, feature string) ([]component, numeric.Alias) {
	b, err := aghFiles.ReadFile("data/agh_2015/" + protocol + "-" + feature + "-mixture.json")
	if err != nil {
		panic(err)
	}
	var file struct{ Mix [][]json.RawMessage }
	if err := json.Unmarshal(b, &file); err != nil {
		panic(err)
	}
	var mix []component
	var weights []int64
	for _, part := range file.Mix {
		var weight float64
		var kind string
		var p []float64
		for i, to := range []any{&weight, &kind, &p} {
			if err := json.Unmarshal(part[i], to); err != nil {
				panic(err)
			}
		}
		c := component{lognormal: kind == "lognorm"} // the other kind is "uniform"
		if c.lognormal {
			c.s, p = p[0], p[1:]
		}
		c.floor, c.scale = p[0], p[1]
		mix = append(mix, c)
		weights = append(weights, int64(float64(weight*(1<<40))))
	}
	return mix, numeric.NewAlias(weights)
}
