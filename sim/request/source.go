package request

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"math/bits"
	"math/rand/v2"
	"sort"
	"strconv"
	"strings"
	"unicode"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// class is a kind of request.
type class struct {
	name     string
	source   int
	priority uint8
	slo      int64
	laws     []law // of the services that it visits, in order
	path     []int // their numbers
}

// law is how long a service takes.
type law struct {
	mean     int64 // exponential and deterministic
	constant bool
	times    *packet.Times // empirical; else nil
}

func (l *law) draw(r *rand.PCG) int64 {
	switch {
	case l.constant:
		return l.mean
	case l.times != nil:
		return l.times.Draw(r)
	}
	return span(r, l.mean)
}

// source makes requests. Everything that it draws comes from streams of its own, in the order of its requests, so that
// policies are compared on the same requests, as long as these do not depend on the replies.
type source struct {
	next     int64 // when its next request comes; never if none does
	arrivals *rand.PCG
	service  *rand.PCG
	kinds    *rand.PCG // of classes, tenants and sessions

	classes  []uint16 // by their numbers
	share    pick     // of them
	tenants  int      // the number of the first
	tenanted pick     // their shares; empty with one
	sessions uint64
	plain    bool // of a request nothing is drawn but an exponential service time

	advancing func(s *source, now int64)
	end       int64 // nothing comes from then on

	gap      [2]gaps // poisson, mmpp: mean time between requests, out of bursts and in them
	bursting int
	phase    [2]int64 // mmpp: mean length of what bursting says; on-off: off, on
	until    int64    // mmpp: end of the phase

	clock  clock   // on-off, closed: who sends next
	untils []int64 // on-off: until when each is on
	period int64   // on-off
	shape  float64

	file  []arrival
	spent int // of the file

	client  int32 // closed: whose request comes next
	thought int64 // mean
}

// arrival is a line of a file.
type arrival struct{ at, service int64 } // service -1: is drawn

// pick draws one of several by their shares.
type pick struct{ upTo []uint64 }

func newPick(shares []float64) pick {
	total, sum := 0.0, 0.0
	for _, s := range shares {
		total += s
	}
	p := pick{make([]uint64, len(shares))}
	for i, s := range shares {
		sum += s
		p.upTo[i] = uint64(min(float64(sum/total)*(1<<63), 1<<63))
	}
	p.upTo[len(shares)-1] = 1 << 63
	return p
}

func (p *pick) draw(r *rand.PCG) int {
	u := r.Uint64() >> 1
	if len(p.upTo) <= 8 {
		i := 0
		for p.upTo[i] <= u {
			i++
		}
		return i
	}
	return sort.Search(len(p.upTo), func(i int) bool { return p.upTo[i] > u })
}

// draw draws what a request is.
func (s *source) draw(e *Engine, j *job) {
	if s.plain {
		c := &e.classes[s.classes[0]]
		j.class, j.tenant, j.priority, j.client = s.classes[0], uint16(s.tenants), c.priority, s.client
		j.service = span(s.service, c.laws[0].mean)
		return
	}
	k := 0
	if len(s.classes) > 1 {
		k = s.share.draw(s.kinds)
	}
	j.class = s.classes[k]
	c := &e.classes[j.class]
	j.priority = c.priority
	j.service = c.laws[0].draw(s.service)
	for hop := 1; hop < len(c.laws); hop++ {
		e.later[hop-1] = c.laws[hop].draw(s.service)
	}
	if s.file != nil {
		if t := s.file[s.spent].service; t >= 0 {
			j.service = t
		}
	}
	j.tenant = uint16(s.tenants)
	if len(s.tenanted.upTo) > 0 {
		j.tenant = uint16(s.tenants + s.tenanted.draw(s.kinds))
	}
	if s.sessions > 0 {
		j.session, _ = bits.Mul64(s.kinds.Uint64(), s.sessions)
	}
	j.client = s.client
}

// advance says when the next request comes, after one has.
func (s *source) advance(now int64) {
	if s.advancing(s, now); s.next >= s.end {
		s.next = never
	}
}

func after(now, span int64) int64 {
	if span >= never-now {
		return never
	}
	return now + span
}

func poisson(s *source, now int64) { s.next = after(now, s.gap[0].of(exponential(s.arrivals))) }

// mmpp goes on in the phase that it is in. The exponential has no memory, so what was drawn beyond the end of a phase
// is drawn again from there.
func mmpp(s *source, now int64) {
	for now < s.end {
		t := after(now, s.gap[s.bursting].of(exponential(s.arrivals)))
		if t < s.until {
			s.next = t
			return
		}
		now = s.until
		s.bursting ^= 1
		s.until = after(now, span(s.arrivals, s.phase[s.bursting]))
	}
	s.next = never
}

// pareto draws a time of a Pareto distribution of the given mean and the source's shape, by inversion.
func (s *source) pareto(mean int64) int64 {
	u := (float64(s.arrivals.Uint64()>>12) + 0.5) / (1 << 52)
	least := float64(mean) * (s.shape - 1) / s.shape
	return int64(min(float64(least*numeric.Exp(-numeric.Log(u)/s.shape)), 1<<61))
}

// turnOn begins a time on of one of many at a time. The first request comes within a period, so that there are as many
// in the mean as the times on hold periods.
func (s *source) turnOn(id int32, at int64) {
	for at < s.end {
		until := after(at, s.pareto(s.phase[1]))
		offset, _ := bits.Mul64(s.arrivals.Uint64(), uint64(s.period))
		if first := after(at, int64(offset)); first < until {
			s.untils[id] = until
			s.clock.push(first, id)
			return
		}
		at = after(until, s.pareto(s.phase[0]))
	}
}

func onOff(s *source, now int64) {
	id := s.clock.pop()
	if t := after(now, s.period); t < s.untils[id] {
		s.clock.push(t, id)
	} else {
		s.turnOn(id, after(s.untils[id], s.pareto(s.phase[0])))
	}
	s.next = s.clock.first()
}

func fromFile(s *source, _ int64) {
	s.next = never
	if s.spent++; s.spent < len(s.file) {
		s.next = s.file[s.spent].at
	}
}

// closed has the client whose request has come wait.
func closed(s *source, _ int64) {
	s.clock.pop()
	s.ready()
}

func (s *source) ready() {
	s.next, s.client = s.clock.first(), s.clock.id()
	if s.next >= s.end {
		s.next = never
	}
}

// think has a client think from a time on.
func (s *source) think(from int64, client int32) {
	s.clock.push(after(from, span(s.arrivals, s.thought)), client)
	s.ready()
}

// load makes the sources, and the classes and tenants of all of them.
func (e *Engine) load() error {
	sc := e.sc
	tenants := map[string]int{}
	for i := range sc.Workload {
		r := sc.Workload[i].Requests
		if r == nil {
			return fmt.Errorf("workload.%d: want requests", i)
		}
		seed := func(n numeric.Numbered) *rand.PCG { return n.At(sc.Seed, uint64(i)) }
		e.sources = append(e.sources, source{next: never, client: -1, end: e.end,
			arrivals: seed(numeric.Streams("sim/request/arrivals")),
			service:  seed(numeric.Streams("sim/request/service")),
			kinds:    seed(numeric.Streams("sim/request/kinds")),
			sessions: uint64(r.Sessions)})
		s := &e.sources[i]
		var shares []float64
		for j := range r.Classes {
			c, err := newClass(sc, &r.Classes[j], fmt.Sprintf("workload.%d.requests.classes.%d", i, j))
			if err != nil {
				return err
			}
			if c.source = i; c.slo == 0 {
				c.slo = int64(r.SLO)
			}
			s.classes = append(s.classes, uint16(len(e.classes)))
			e.classes = append(e.classes, c)
			shares = append(shares, r.Classes[j].Share)
		}
		s.share = newPick(shares)
		names := sc.Workload[i].TenantNames()
		if len(names) == 1 { // several sources may be of one tenant
			at, known := tenants[names[0]]
			if !known {
				at = len(e.tenants)
				tenants[names[0]], e.tenants = at, append(e.tenants, names[0])
			}
			s.tenants = at
		} else {
			s.tenants, e.tenants = len(e.tenants), append(e.tenants, names...)
			s.tenanted = newPick(zipf(len(names), r.Zipf))
		}
		if err := s.arrive(sc, r, i); err != nil {
			return err
		}
		laws := e.classes[s.classes[0]].laws
		s.plain = len(s.classes) == 1 && len(laws) == 1 && !laws[0].constant && laws[0].times == nil &&
			len(s.tenanted.upTo) == 0 && s.sessions == 0 && s.file == nil
	}
	e.soonest()
	e.byClass = make([]group, len(e.classes))
	for i := range e.byClass {
		if e.byClass[i].slo = e.classes[i].slo; e.byClass[i].slo == 0 {
			e.byClass[i].slo = never
		}
	}
	if len(e.tenants) > 1 {
		e.byTenant = make([]group, len(e.tenants))
	}
	return nil
}

// zipf are n shares, that of i in proportion to 1/i to a power.
func zipf(n int, power float64) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		shares[i] = numeric.Exp(-power * numeric.Log(float64(i+1)))
	}
	return shares
}

func newClass(sc *scenarios.Scenario, of *scenarios.Class, key string) (c class, err error) {
	c = class{name: of.Name, priority: uint8(of.Priority), slo: int64(of.SLO)}
	var laws []scenarios.ServiceLaw
	c.path, laws = sc.Visits(of)
	for i := range laws {
		at := key
		if len(of.Path) > 0 {
			at = fmt.Sprintf("%s.path.%d", key, i)
		}
		l, err := newLaw(sc, &laws[i], at)
		if err != nil {
			return c, err
		}
		c.laws = append(c.laws, l)
	}
	return c, nil
}

func newLaw(sc *scenarios.Scenario, of *scenarios.ServiceLaw, key string) (l law, err error) {
	l = law{mean: int64(of.Mean), constant: of.Service == "deterministic"}
	switch {
	case of.Service != "empirical":
	case of.ServiceFile != "":
		err = read(sc.Path(of.ServiceFile), key+".service_file", func(r io.Reader) (err error) {
			l.times, err = packet.ReadTimes(r)
			return err
		})
	default:
		var values []int64
		var weights []uint64
		for _, t := range of.ServiceTimes {
			values, weights = append(values, int64(t.Time)), append(weights, uint64(t.Weight))
		}
		if l.times, err = packet.NewTimes(values, weights); err != nil {
			err = fmt.Errorf("%s.service_times: %w", key, err)
		}
	}
	return l, err
}

// read reads a file of the scenario. What is wrong with it begins with a colon and the number of the line.
func read(path, key string, reader func(io.Reader) error) error {
	f, _, err := traces.OpenFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	defer f.Close()
	if err := reader(f); err != nil {
		return fmt.Errorf("%s: %s%w", key, path, err)
	}
	return nil
}

// arrive sets a source going.
func (s *source) arrive(sc *scenarios.Scenario, r *scenarios.Requests, number int) error {
	key := fmt.Sprintf("workload.%d.requests", number)
	rate := sc.RequestRate(r)
	ps := float64(units.Second) / rate
	switch r.Arrivals {
	case "poisson":
		s.advancing, s.gap[0] = poisson, gaps{mean: ps}
	case "mmpp":
		s.advancing, s.phase = mmpp, [2]int64{int64(r.Off), int64(r.On)}
		on := float64(r.On) / (float64(r.On) + float64(r.Off)) // share of the time
		calm := ps * (float64(on*r.Burst) + (1 - on))
		s.gap = [2]gaps{{mean: calm}, {mean: calm / r.Burst}}
		if numeric.Uniform(rand.New(s.arrivals)) < on {
			s.bursting = 1
		}
		s.until = span(s.arrivals, s.phase[s.bursting])
	case "on-off":
		on := float64(r.On) / (float64(r.On) + float64(r.Off))
		s.advancing, s.phase, s.shape = onOff, [2]int64{int64(r.Off), int64(r.On)}, r.Shape
		s.period = int64(math.Round(min(ps*float64(r.Sources)*on, 1<<61)))
		if s.period < 1 {
			return fmt.Errorf("%s.sources: %d: want more, of which none sends more than one request a picosecond", key,
				r.Sources)
		}
		s.untils = make([]int64, r.Sources)
		for id := range int32(r.Sources) {
			at := int64(0)
			if numeric.Uniform(rand.New(s.arrivals)) >= on {
				at = s.pareto(s.phase[0])
			}
			s.turnOn(id, at)
		}
		s.next = s.clock.first()
		return nil
	case "file":
		s.advancing = fromFile
		err := read(sc.Path(r.File), key+".file", func(f io.Reader) (err error) {
			s.file, err = readArrivals(f)
			return err
		})
		if err == nil {
			s.next = s.file[0].at
		}
		if s.next >= s.end {
			s.next = never
		}
		return err
	case "closed":
		s.advancing, s.thought = closed, int64(r.Think)
		for id := range int32(r.Clients) {
			s.think(0, id)
		}
		return nil
	}
	s.advance(0)
	return nil
}

// readArrivals reads lines of a time and, after a comma, a service time; both are in picoseconds where they have no
// unit. Empty lines and those that begin with # are left out, and so is a first line that begins with a letter: a head.
// An error begins with a colon and, where it is about a line, its number.
func readArrivals(r io.Reader) (all []arrival, err error) {
	lines := bufio.NewScanner(r)
	last := int64(0)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' || n == 1 && unicode.IsLetter(rune(text[0])) {
			continue
		}
		at, service, given := strings.Cut(text, ",")
		a := arrival{service: -1}
		var ok bool
		if a.at, ok = picoseconds(at); !ok || a.at < last {
			return nil, fmt.Errorf(":%d: found %q, want a time from that of the line before it on, in picoseconds "+
				"without a unit", n, at)
		}
		if given {
			if a.service, ok = picoseconds(service); !ok || a.service > int64(units.Second) {
				return nil, fmt.Errorf(":%d: found %q, want a service time from 0 to 1s, in picoseconds without a unit",
					n, service)
			}
		}
		last = a.at
		all = append(all, a)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf(": no request, want at least one line with a time")
	}
	return all, nil
}

func picoseconds(s string) (int64, bool) {
	s = strings.TrimSpace(s)
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v, v >= 0
	}
	t, err := units.ParseTime(s)
	return int64(t), err == nil && t >= 0
}

// clock holds when each of many sends next: a binary heap in order of time, then of number.
type clock struct{ heap []tick }

type tick struct {
	at int64
	id int32
}

func (a tick) before(b tick) bool { return a.at < b.at || a.at == b.at && a.id < b.id }

// first is the earliest time; never if there is none.
func (c *clock) first() int64 {
	if len(c.heap) == 0 {
		return never
	}
	return c.heap[0].at
}

// id is who sends at the earliest time, or -1.
func (c *clock) id() int32 {
	if len(c.heap) == 0 {
		return -1
	}
	return c.heap[0].id
}

func (c *clock) push(at int64, id int32) {
	c.heap = append(c.heap, tick{at, id})
	h := c.heap
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(h[up]) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (c *clock) pop() int32 {
	h := c.heap
	id, last := h[0].id, len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && h[down+1].before(h[down]) {
			down++
		}
		if !h[down].before(h[i]) {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	c.heap = h
	return id
}
