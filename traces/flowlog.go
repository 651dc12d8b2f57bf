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
	start          instant
	duration       units.Time
	tuple          flow.FiveTuple
	packets, bytes int64
}

// flowLog is a text format of flow records.
type flowLog struct {
	name, title, want string
	begins            func(line string) bool // whether a file with this first line is one
	read              func(*lines, *logged) error
}

// flowLogs are the formats. A line of column names decides between those in CSV.
var flowLogs = []*flowLog{&zeek, &nfdump, &cicFlowMeter, &flowCSV}

// logged takes the records of a log as they are read.
type logged struct {
	layer   Layer
	records int64
	skipped []Count
	take    func(*logged, connection) error

	packets, bytes int64
}

// add takes one record: a connection for each direction.
func (g *logged) add(directions ...connection) (err error) {
	g.records++
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
		if err := g.take(g, c); err != nil {
			return err
		}
	}
	return nil
}

func (g *logged) skip(reason string) { g.skipped = count(g.skipped, reason, 1) }

// each reads the log at path.
func (f *flowLog) each(path string, take func(*logged, connection) error) (*logged, error) {
	l, err := openLines(path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	g := &logged{take: take}
	if err := f.read(l, g); err != nil {
		if l.n > 0 {
			err = fmt.Errorf("line %d: %w", l.n, err)
		}
		return nil, err
	}
	return g, l.fault()
}

// ReadFlowLog reads flow records, gzip or not: a Zeek conn.log in its tab-separated form, the CSV of nfdump or of
// CICFlowMeter, or the flow CSV of this program; the content decides. A record becomes a flow in each direction that has
// packets, of constant rate from its start for its duration, or for o.Resolution if that is 0 or unset. Bytes are those
// that the format counts, see Layer. A record that the cut divides keeps its share. o.Timeout is not used: the flows are
// separate already. A file without a packet in the cut is an error.
func ReadFlowLog(path string, o Options) (*Workload, error) {
	f, err := sniff(path)
	if err == nil && f == nil {
		err = errors.New("a packet capture, want a flow log: a Zeek conn.log, or the CSV of nfdump, CICFlowMeter or smartinco")
	}
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	return readFlowLog(path, o, f)
}

func readFlowLog(path string, o Options, f *flowLog) (*Workload, error) {
	o, err := o.normal()
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	w, err := f.workload(path, o)
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	return w.transform(path, f.title, o, nil)
}

// workload reads a log's flows in the cut, at the log's own pace.
func (f *flowLog) workload(path string, o Options) (*Workload, error) {
	var cs []connection
	g, err := f.each(path, func(_ *logged, c connection) error { cs = append(cs, c); return nil })
	if err != nil {
		return nil, err
	}
	base := earliest(cs)
	w := &Workload{Layer: g.layer, Skipped: g.skipped}
	w.Provenance = append(w.Provenance, fmt.Sprintf("%s: %d records; bytes are %s", f.title, g.records, g.layer))
	for _, c := range cs {
		s, err := c.segment(base, o.Resolution)
		if err != nil {
			return nil, err
		}
		if s = s.clip(o.From, o.To); s.End <= s.Start {
			w.skip(outsideCut, c.packets)
			continue
		}
		w.Flows = append(w.Flows, Flow{Tuple: c.tuple, Segments: []Segment{s}})
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

// segment is the connection's traffic, its time counted from base. One without a duration lasts width.
func (c *connection) segment(base instant, width units.Time) (Segment, error) {
	start, err := c.start.sub(base)
	if err != nil {
		return Segment{}, fmt.Errorf("records from %d.%012d s and %d.%012d s: %w", base.sec, base.ps, c.start.sec, c.start.ps, err)
	}
	span := c.duration
	if span == 0 {
		span = width
	}
	if start > maxSpan-span {
		return Segment{}, fmt.Errorf("a record ends more than %v after the first began", maxSpan)
	}
	return Segment{Start: start, End: start + span, Packets: float64(c.packets), Bytes: float64(c.bytes)}, nil
}

// clip is the part of s inside the cut, counted from the cut's start, with its share of packets and bytes.
func (s Segment) clip(from, to units.Time) Segment {
	start, end := max(s.Start, from), s.End
	if to > 0 {
		end = min(end, to)
	}
	if share := float64(end-start) / float64(s.End-s.Start); share < 1 {
		s.Packets *= share
		s.Bytes *= share
	}
	s.Start, s.End = start-from, end-from
	return s
}

// Reverse is the five-tuple of the other direction.
func Reverse(t flow.FiveTuple) flow.FiveTuple {
	t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	return t
}

// table reads a CSV file with a line of column names.
type table struct {
	*lines
	header string
	index  []int // by wanted column; -1 where an optional one is missing
	cells  []string
}

// column is one that a format uses, by the names that its versions give it.
type column struct {
	names    []string
	optional bool
}

// openTable reads the line of column names.
func openTable(l *lines, columns []column) (*table, error) {
	header, ok := l.line()
	if !ok {
		return nil, errors.New("empty: want a line of column names")
	}
	t := &table{lines: l, header: header}
	names, err := splitCSV(strings.TrimPrefix(header, "\ufeff"))
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		at := slices.IndexFunc(names, func(name string) bool { return slices.Contains(c.names, name) })
		if at < 0 && !c.optional {
			return nil, fmt.Errorf("no column %s: found %s", strings.Join(c.names, " or "), clip(strings.Join(names, ", ")))
		}
		t.index = append(t.index, at)
	}
	return t, nil
}

// row splits a line; blank says that there is nothing in it.
func (t *table) row(text string) (blank bool, err error) {
	if strings.TrimSpace(text) == "" {
		return true, nil
	}
	t.cells, err = splitCSV(text)
	if most := slices.Max(t.index); err == nil && len(t.cells) <= most {
		err = fmt.Errorf("%d values, want %d or more", len(t.cells), most+1)
	}
	return false, err
}

// cell is the value of a wanted column in the current row, empty where the column is missing.
func (t *table) cell(i int) string {
	if t.index[i] < 0 {
		return ""
	}
	return t.cells[t.index[i]]
}

// record reads the columns of a record that all formats have into c; the error names the column.
func (t *table) record(c *connection, src, dst, srcPort, dstPort, proto int, number func(string) (uint8, error)) (err error) {
	if c.tuple.Proto, err = number(t.cell(proto)); err != nil {
		return t.fail(proto, err)
	}
	for _, x := range []struct {
		i  int
		to *netip.Addr
	}{{src, &c.tuple.Src}, {dst, &c.tuple.Dst}} {
		if *x.to, err = netip.ParseAddr(clip(t.cell(x.i))); err != nil {
			return t.fail(x.i, fmt.Errorf("%q is not an IP address", clip(t.cell(x.i))))
		}
		*x.to = x.to.WithZone("")
	}
	if c.tuple.Src.Is4() != c.tuple.Dst.Is4() {
		return t.fail(dst, fmt.Errorf("%v, want an address of the same IP version as the source, %v", c.tuple.Dst, c.tuple.Src))
	}
	for _, x := range []struct {
		i  int
		to *uint16
	}{{srcPort, &c.tuple.SrcPort}, {dstPort, &c.tuple.DstPort}} {
		port, err := strconv.ParseUint(t.cell(x.i), 10, 16)
		if err != nil {
			return t.fail(x.i, fmt.Errorf("%q is not a port", clip(t.cell(x.i))))
		}
		*x.to = uint16(port)
	}
	return nil
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
	names, _ := splitCSV(strings.TrimPrefix(t.header, "\ufeff"))
	return fmt.Errorf("column %s: %w", names[t.index[i]], err)
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
	"icmp": flow.ICMP, "igmp": 2, "ipip": 4, "tcp": flow.TCP, "egp": 8, "udp": flow.UDP, "rdp": 27, "dccp": 33, "ipv6": 41,
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
