package traces

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// zeekFields are the columns of a Zeek conn.log that are used; their order in the file is that of its #fields line.
var zeekFields = [...]string{"ts", "duration", "proto", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p",
	"orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"}

const (
	zTime = iota
	zDuration
	zProto
	zOrigHost
	zOrigPort
	zRespHost
	zRespPort
	zOrigPackets
	zOrigBytes
	zRespPackets
	zRespBytes
)

// zeekProtos are the transports that Zeek names. In a connection of icmp, the ports are the ICMP type and code. What Zeek did not recognise gets protocol 0.
var zeekProtos = map[string]uint8{"tcp": flow.TCP, "udp": flow.UDP, "icmp": flow.ICMP, "sctp": flow.SCTP, "unknown_transport": 0}

// connection is one direction of a record.
type connection struct {
	start          instant
	duration       units.Time
	tuple          flow.FiveTuple
	packets, bytes int64
}

// ReadZeek reads a Zeek conn.log in its tab-separated form. A record becomes a flow in each direction that has packets,
// of constant rate from ts for duration, or for o.Resolution if the duration is 0 or unset. Bytes are IP bytes
// (orig_ip_bytes, resp_ip_bytes): without the link header. A connection that the cut divides keeps its share.
// o.Timeout is not used: Zeek has separated connections already. A file without a packet in the cut is an error.
func ReadZeek(path string, o Options) (*Workload, error) {
	o, err := o.normal()
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	w := &Workload{}
	cs, err := readConnections(path, w)
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	var base instant
	for i, c := range cs {
		if i == 0 || c.start.before(base) {
			base = c.start
		}
	}
	for _, c := range cs {
		start, err := c.start.sub(base)
		if err != nil {
			return nil, fmt.Errorf("traces: %s: records from %d.%012d s and %d.%012d s: %w", path, base.sec, base.ps, c.start.sec, c.start.ps, err)
		}
		if c.duration == 0 {
			c.duration = o.Resolution
		}
		if start > maxSpan-c.duration {
			return nil, fmt.Errorf("traces: %s: a record ends more than %v after the first began", path, maxSpan)
		}
		s := Segment{Start: start, End: start + c.duration, Packets: float64(c.packets), Bytes: float64(c.bytes)}
		if s = s.clip(o.From, o.To); s.End <= s.Start {
			w.skip(outsideCut, c.packets)
			continue
		}
		w.Flows = append(w.Flows, Flow{Tuple: c.tuple, Segments: []Segment{s}})
	}
	if w, err = w.transform(path, "zeek conn.log", o); err == nil {
		w.Provenance[0] += "; bytes are IP bytes"
	}
	return w, err
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

func readConnections(path string, w *Workload) ([]connection, error) {
	l, err := openLines(path)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var cs []connection
	var column [len(zeekFields)]int
	var packets, bytes, records int64
	known := false
	for text, ok := l.line(); ok; text, ok = l.line() {
		if strings.HasPrefix(text, "#") {
			if fields, ok := strings.CutPrefix(text, "#fields\t"); ok {
				if column, err = zeekColumns(fields); err != nil {
					return nil, fmt.Errorf("line %d: %w", l.n, err)
				}
				known = true
			}
			continue
		}
		if text == "" {
			continue
		}
		if !known {
			return nil, fmt.Errorf("line %d: no #fields line before the first record: want a Zeek conn.log in its tab-separated form", l.n)
		}
		records++
		pair, err := parseConnection(text, &column)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", l.n, err)
		}
		for _, c := range pair {
			if packets, err = addExact(packets, c.packets); err == nil {
				bytes, err = addExact(bytes, c.bytes)
			}
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", l.n, err)
			}
			if c.packets == 0 {
				if c.bytes > 0 {
					return nil, fmt.Errorf("line %d: %d IP bytes in no packet", l.n, c.bytes)
				}
				w.skip("directions of connections without packets", 1)
				continue
			}
			cs = append(cs, c)
		}
	}
	if err := l.fault(); err != nil {
		return nil, err
	}
	if !known {
		return nil, fmt.Errorf("no #fields line in %d lines: want a Zeek conn.log in its tab-separated form", l.n)
	}
	w.Provenance = append(w.Provenance, fmt.Sprintf("zeek conn.log: %d connections", records))
	return cs, nil
}

func zeekColumns(fields string) (column [len(zeekFields)]int, err error) {
	names := strings.Split(fields, "\t")
	for i, want := range zeekFields {
		column[i] = -1
		for j, name := range names {
			if name == want {
				column[i] = j
			}
		}
		if column[i] < 0 {
			return column, fmt.Errorf("#fields has no %s: want all of %s", want, strings.Join(zeekFields[:], ", "))
		}
	}
	return column, nil
}

func parseConnection(text string, column *[len(zeekFields)]int) (pair [2]connection, err error) {
	var f [len(zeekFields)]string
	values := strings.Split(text, "\t")
	for i, j := range column {
		if j >= len(values) {
			return pair, fmt.Errorf("%d values, want one for each of #fields", len(values))
		}
		f[i] = values[j]
	}
	fail := func(i int, err error) ([2]connection, error) { return pair, fmt.Errorf("%s: %w", zeekFields[i], err) }

	var c connection
	if c.start, err = parseSeconds(f[zTime]); err != nil {
		return fail(zTime, err)
	}
	if f[zDuration] != "-" {
		d, err := parseSeconds(f[zDuration])
		if err == nil {
			c.duration, err = d.sub(instant{})
		}
		if err != nil {
			return fail(zDuration, err)
		}
	}
	var ok bool
	if c.tuple.Proto, ok = zeekProtos[f[zProto]]; !ok {
		return fail(zProto, fmt.Errorf("%q, want tcp, udp, icmp, sctp or unknown_transport", clip(f[zProto])))
	}
	for _, x := range []struct {
		i  int
		to *netip.Addr
	}{{zOrigHost, &c.tuple.Src}, {zRespHost, &c.tuple.Dst}} {
		if *x.to, err = netip.ParseAddr(clip(f[x.i])); err != nil {
			return fail(x.i, err)
		}
		*x.to = x.to.WithZone("")
	}
	for _, x := range []struct {
		i  int
		to *uint16
	}{{zOrigPort, &c.tuple.SrcPort}, {zRespPort, &c.tuple.DstPort}} {
		port, err := strconv.ParseUint(f[x.i], 10, 16)
		if err != nil {
			return fail(x.i, fmt.Errorf("%q is not a port", clip(f[x.i])))
		}
		*x.to = uint16(port)
	}
	if c.tuple.Proto == flow.ICMP && c.tuple.Src.Is6() {
		c.tuple.Proto = flow.ICMPv6
	}
	pair = [2]connection{c, c}
	pair[1].tuple = Reverse(c.tuple)
	for _, x := range []struct {
		i  int
		to *int64
	}{{zOrigPackets, &pair[0].packets}, {zOrigBytes, &pair[0].bytes}, {zRespPackets, &pair[1].packets}, {zRespBytes, &pair[1].bytes}} {
		if f[x.i] == "-" {
			continue
		}
		n, err := strconv.ParseInt(f[x.i], 10, 64)
		if err != nil || n < 0 || n > exact {
			return fail(x.i, fmt.Errorf("%q is not a count from 0 to 2^53", clip(f[x.i])))
		}
		*x.to = n
	}
	return pair, nil
}

// Reverse is the five-tuple of the other direction.
func Reverse(t flow.FiveTuple) flow.FiveTuple {
	t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	return t
}
