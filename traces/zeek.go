package traces

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
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

// ReadZeek is ReadFlowLog of a Zeek conn.log in its tab-separated form. Bytes are IP bytes (orig_ip_bytes,
// resp_ip_bytes): without the link header.
func ReadZeek(path string, o Options) (*Workload, error) { return readFlowLog(path, o, &zeek) }

var zeek = flowLog{
	name: "zeek", title: "zeek conn.log", want: "a Zeek conn.log in its tab-separated form",
	begins: func(line string) bool { return strings.HasPrefix(line, "#") }, read: readZeek,
}

func readZeek(l *lines, log *logged) (err error) {
	log.layer = IPBytes
	var column [len(zeekFields)]int
	known := false
	for text, ok := l.line(); ok; text, ok = l.line() {
		if strings.HasPrefix(text, "#") {
			if fields, ok := strings.CutPrefix(text, "#fields\t"); ok {
				if column, err = zeekColumns(fields); err != nil {
					return err
				}
				known = true
			}
			continue
		}
		if text == "" {
			continue
		}
		if !known {
			return errors.New("no #fields line before the first record: want a Zeek conn.log in its tab-separated form")
		}
		pair, err := parseConnection(text, &column)
		if err == nil {
			err = log.add(pair[:]...)
		}
		if err != nil {
			return err
		}
	}
	if !known && l.scan.Err() == nil {
		return fmt.Errorf("no #fields line in %d lines: want a Zeek conn.log in its tab-separated form", l.n)
	}
	return nil
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
