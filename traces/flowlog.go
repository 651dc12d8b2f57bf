package traces

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// connection is one direction of a record of a flow log.
type connection struct {
	start, duration instant
	tuple           flow.FiveTuple
	packets, bytes  int64
	line            int
}

// flowLog is a text format of flow records.
type flowLog struct {
	name, title, want string
	begins            func(line string) bool // whether a file with this first line, blank ones aside, is one
	read              func(*lines, *logged) error
}

// flowLogs are the formats. A line of column names decides between those in CSV.
var flowLogs = []*flowLog{&zeek, &zeekJSON, &nfdump, &cicFlowMeter, &flowCSV}

// logged takes the records of a log as they are read.
type logged struct {
	layer   Layer
	records int64
	skipped []Count
	take    func(*logged, connection) error

	packets, bytes int64
	undated, dated int // lines of the first record of 1970, and of the first that is later
}

// add takes one record: a connection for each direction.
func (g *logged) add(line int, directions ...connection) (err error) {
	g.records++
	if err := g.date(line, directions[0].start); err != nil {
		return err
	}
	for _, c := range directions {
		if g.packets, err = addExact(g.packets, c.packets); err != nil {
			return err
		}
		if g.bytes, err = addExact(g.bytes, c.bytes); err != nil {
			return err
		}
		if c.packets == 0 {
			if c.bytes > 0 {
				return fmt.Errorf("%d %s in no packet", c.bytes, g.layer)
			}
			g.skip("directions of connections without packets")
			continue
		}
		if c.bytes < c.packets*g.layer.least(&c.tuple) {
			g.skip("directions of fewer bytes than their packets' headers have, kept")
		}
		c.line = line
		if err := g.take(g, c); err != nil {
			return err
		}
	}
	return nil
}

// date judges the time of a record. A record of 1970 has no time, unless all records are of 1970: then the clock was
// never set, or counts from the beginning.
func (g *logged) date(line int, at instant) error {
	if err := at.plausible(); err != nil {
		return err
	}
	first := &g.dated
	if at.sec < 365*24*3600 {
		first = &g.undated
	}
	if *first == 0 {
		*first = line
	}
	if g.undated == 0 || g.dated == 0 {
		return nil
	}
	return fmt.Errorf("the record of line %d begins in 1970, and that of line %d in another year: the former has no "+
		"time, and is to be left out", g.undated, g.dated)
}

func (g *logged) skip(reason string) { g.skipped = count(g.skipped, reason, 1) }

// positive is the length of a connection; a negative one, which some programs write, counts as 0. Its parameters are
// the results of parseLength and parseMicroseconds.
func (g *logged) positive(d instant, negative bool, err error) (instant, error) {
	switch {
	case err != nil:
		return d, err
	case d.sec > longest:
		return d, fmt.Errorf("%d s are more than %d", d.sec, int64(longest))
	case negative && d != (instant{}):
		g.skip("negative durations, taken as 0")
		return instant{}, nil
	}
	return d, nil
}

// parseLength is parseSeconds for a value that may be negative.
func parseLength(s string) (d instant, negative bool, err error) {
	rest, negative := strings.CutPrefix(s, "-")
	if d, err = parseSeconds(rest); err != nil {
		err = fmt.Errorf("%q is not a number of seconds", clip(s))
	}
	return d, negative, err
}

// longest is the longest record there is, in seconds.
const longest = lastDate

// each reads a log.
func (f *flowLog) each(src *source, take func(*logged, connection) error) (*logged, error) {
	l := newLines(src)
	g := &logged{take: take}
	err := f.read(l, g)
	if fault := l.fault(); fault != nil && (err == nil || l.scan.Err() != nil) {
		return nil, fault
	}
	if err != nil {
		if l.n > 0 {
			err = fmt.Errorf("line %d: %w", l.n, err)
		}
		return nil, err
	}
	g.skipped = l.notes(g.skipped)
	return g, nil
}

// ReadFlowLog reads flow records, compressed or not: a Zeek conn.log in its tab-separated form or in JSON, the CSV of
// nfdump or of CICFlowMeter, or the flow CSV of this program. The content decides which. A record becomes a flow in
// each direction that has packets. The flow has a constant rate from its start for its duration, or for o.Resolution if
// the duration is 0 or unset. Bytes are those that the format counts, see Layer. A record that the cut divides keeps
// its share. o.Timeout is not used: the flows are separate already. A file without a packet in the cut is an error.
func ReadFlowLog(path string, o Options) (*Workload, error) { return readLog(path, o, flowLogs) }

// readLog reads a log of one of the formats.
func readLog(path string, o Options, formats []*flowLog) (*Workload, error) {
	src, f, err := openTraffic(path, o.Context)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if !slices.Contains(formats, f) {
		found := "a packet capture"
		if f != nil {
			found = f.want
		}
		return nil, fmt.Errorf("traces: %s: %s, want a flow log: %s", path, found, wanted(formats))
	}
	return readFlowLog(src, path, o, f)
}

func readFlowLog(src *source, path string, o Options, f *flowLog) (*Workload, error) {
	o, err := o.normal()
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	w, err := f.workload(src, o)
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	return w.transform(path, f.title, o, nil)
}

// workload reads a log's flows in the cut, at the log's own pace.
func (f *flowLog) workload(src *source, o Options) (*Workload, error) {
	var cs []connection
	g, err := f.each(src, func(_ *logged, c connection) error { cs = append(cs, c); return nil })
	if err != nil {
		return nil, err
	}
	w := &Workload{Layer: g.layer, Skipped: g.skipped}
	w.Provenance = append(w.Provenance, fmt.Sprintf("%s: %d records; bytes are %s", f.title, g.records, g.layer))
	base := earliest(cs)
	for i := range cs {
		s, err := cs[i].segment(base, o.Resolution, o.From, o.To)
		if err != nil {
			return nil, err
		}
		if s.End <= s.Start {
			w.skip(outsideCut, cs[i].packets)
			continue
		}
		w.Flows = append(w.Flows, Flow{Tuple: cs[i].tuple, Segments: []Segment{s}})
	}
	return w, nil
}

func earliest(cs []connection) (base instant) {
	for i, c := range cs {
		if i == 0 || c.start.before(base) {
			base = c.start
		}
	}
	return base
}

// life returns when the connection begins and ends. One without a duration lasts width.
func (c *connection) life(width units.Time) (start, end instant) {
	if c.duration == (instant{}) {
		return c.start, c.start.add(width)
	}
	return c.start, c.start.plus(c.duration)
}

// segment is the connection's traffic in the cut: its share of packets and bytes, with time counted from the cut's
// start. From and To count from base. The segment is empty if there is no traffic in the cut.
func (c *connection) segment(base instant, width, from, to units.Time) (Segment, error) {
	start, end := c.life(width)
	whole := end.minus(start)
	zero := base.add(from)
	if start.before(zero) {
		start = zero
	}
	if last := base.add(to); to > 0 && last.before(end) {
		end = last
	}
	if !start.before(end) {
		return Segment{}, nil
	}
	s := Segment{Packets: float64(c.packets), Bytes: float64(c.bytes)}
	if part := end.minus(start); part != whole {
		x := portion(part, whole)
		s.Packets *= x
		s.Bytes *= x
	}
	if s.Start, s.End = start.minus(zero).time(), end.minus(zero).time(); s.End > maxSpan {
		return s, fmt.Errorf("line %d: the record ends at %v, more than %v after %v, at which the traffic begins: "+
			"want from and to", c.line, end, maxSpan, zero)
	}
	return s, nil
}

// Reverse is the five-tuple of the other direction.
func Reverse(t flow.FiveTuple) flow.FiveTuple {
	t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	return t
}

// table reads a CSV file with a line of column names.
type table struct {
	*lines
	log     *logged
	columns []column
	named   func(names []string) error      // told of each line of column names; may be nil
	foot    func(text string) (bool, error) // tells lines that are no rows; may be nil
	names   []string
	index   []int // by wanted column; -1 where an optional one is missing
	cells   []string
}

// column is a column that a format uses, by the names that its versions give it.
type column struct {
	names    []string
	optional bool
}

// head reads the line of column names.
func (t *table) head() error {
	header, ok := t.line()
	for ok && strings.TrimSpace(header) == "" {
		header, ok = t.line()
	}
	if !ok {
		return errors.New("empty: want a line of column names")
	}
	names, err := splitCSV(header)
	if err != nil {
		return err
	}
	return t.name(names)
}

// name finds the wanted columns.
func (t *table) name(names []string) error {
	t.index = t.index[:0]
	for len(names) > 0 && names[len(names)-1] == "" { // a comma too much
		names = names[:len(names)-1]
	}
	t.names = names
	for _, c := range t.columns {
		at := -1
		for i, name := range names {
			if !slices.Contains(c.names, name) {
				continue
			}
			if at >= 0 {
				return fmt.Errorf("columns %d and %d are both %s: want one", at+1, i+1, strings.Join(c.names, " or "))
			}
			at = i
		}
		if at < 0 && !c.optional {
			return fmt.Errorf("no column %s: found %q", strings.Join(c.names, " or "), clip(strings.Join(names, ", ")))
		}
		t.index = append(t.index, at)
	}
	if t.named != nil {
		return t.named(names)
	}
	return nil
}

// row reads the next row with values; ok is false at the end and on an error. A line of column names in the middle, as
// in files that were joined, names the columns anew.
func (t *table) row() (ok bool, err error) {
	for {
		text, ok := t.line()
		if !ok {
			return false, nil
		}
		if strings.TrimSpace(text) == "" {
			continue
		}
		if t.foot != nil {
			if is, err := t.foot(text); is || err != nil {
				if err != nil {
					return false, err
				}
				continue
			}
		}
		if t.cells, err = splitCSV(text); err != nil {
			return false, err
		}
		switch first := t.index[0]; {
		case first < len(t.cells) && slices.Contains(t.columns[0].names, t.cells[first]),
			slices.Equal(t.cells, t.names):
			t.log.skip("lines that repeat the column names")
			if err := t.name(t.cells); err != nil {
				return false, err
			}
			continue
		case !slices.ContainsFunc(t.cells, func(cell string) bool { return cell != "" }):
			t.log.skip("rows without values")
			continue
		case len(t.cells) < len(t.names):
			return false, fmt.Errorf("%d values, want %d, one for each column", len(t.cells), len(t.names))
		case slices.ContainsFunc(t.cells[len(t.names):], func(cell string) bool { return cell != "" }):
			t.log.skip("rows with more values than there are columns")
		}
		return true, nil
	}
}

// cell is the value of a wanted column in the current row, empty where the column is missing.
func (t *table) cell(i int) string {
	if t.index[i] < 0 {
		return ""
	}
	return t.cells[t.index[i]]
}

// record reads the columns of a record that all formats have into c; the error names the column.
func (t *table) record(c *connection, src, dst, srcPort, dstPort, proto int,
	number func(string) (uint8, error)) (err error) {
	if c.tuple.Proto, err = number(t.cell(proto)); err != nil {
		return t.fail(proto, err)
	}
	if i, err := c.ends([]string{t.cell(src), t.cell(dst), t.cell(srcPort), t.cell(dstPort)}); err != nil {
		return t.fail([]int{src, dst, srcPort, dstPort}[i], err)
	}
	return nil
}

// ends reads source, destination, and their ports; i is the one at fault.
func (c *connection) ends(values []string) (i int, err error) {
	for i, to := range []*netip.Addr{&c.tuple.Src, &c.tuple.Dst} {
		if *to, err = netip.ParseAddr(clip(values[i])); err != nil {
			return i, fmt.Errorf("%q is not an IP address", clip(values[i]))
		}
		*to = to.WithZone("")
	}
	if c.tuple.Src.Is4() != c.tuple.Dst.Is4() {
		return 1, fmt.Errorf("%v, want an address of the same IP version as the source, %v", c.tuple.Dst, c.tuple.Src)
	}
	for i, to := range []*uint16{&c.tuple.SrcPort, &c.tuple.DstPort} {
		port, err := strconv.ParseUint(values[2+i], 10, 16)
		if err != nil {
			return 2 + i, fmt.Errorf("%q is not a port", clip(values[2+i]))
		}
		*to = uint16(port)
	}
	return 0, nil
}

// counts reads the packets and the bytes of a direction.
func (t *table) counts(c *connection, packets, bytes int) (err error) {
	for _, x := range []struct {
		i  int
		to *int64
	}{{packets, &c.packets}, {bytes, &c.bytes}} {
		if t.index[x.i] < 0 {
			continue
		}
		if *x.to, err = parseCount(t.cell(x.i)); err != nil {
			return t.fail(x.i, err)
		}
	}
	return nil
}

// fail names the column of a value at fault.
func (t *table) fail(i int, err error) error {
	return fmt.Errorf("column %s: %w", t.names[t.index[i]], err)
}

// parseCount reads a count, which some programs write as a decimal: 12.0.
func parseCount(s string) (int64, error) {
	whole, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 || n > exact || strings.Trim(frac, "0") != "" {
		return 0, fmt.Errorf("%q is not a count from 0 to 2^53", clip(s))
	}
	return n, nil
}

// protocols are transports by the names that flow logs give them, in lower case.
var protocols = map[string]uint8{
	"icmp": flow.ICMP, "igmp": 2, "ipip": 4, "tcp": flow.TCP, "egp": 8, "udp": flow.UDP, "rdp": 27, "dccp": 33,
	"ipv6": 41,
	"rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "icmp6": flow.ICMPv6, "icmpv6": flow.ICMPv6, "ipv6-icmp": flow.ICMPv6,
	"eigrp": 88, "ospf": 89, "pim": 103, "vrrp": 112, "l2tp": 115, "sctp": flow.SCTP, "udplite": 136,
}

// parseProto reads a protocol's number or name.
func parseProto(s string) (uint8, error) {
	if n, err := strconv.ParseUint(s, 10, 8); err == nil {
		return uint8(n), nil
	}
	if n, ok := protocols[strings.ToLower(s)]; ok {
		return n, nil
	}
	return 0, fmt.Errorf("%q is not a protocol: want a number from 0 to 255 or a name such as tcp", clip(s))
}
