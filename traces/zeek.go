package traces

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
)

// zeekFields are the columns of a Zeek conn.log that are used. Their order in the file is that of its #fields line.
var zeekFields = [...]string{"ts", "duration", "proto", "id.orig_h", "id.resp_h", "id.orig_p", "id.resp_p",
	"orig_pkts", "orig_ip_bytes", "resp_pkts", "resp_ip_bytes"}

const (
	zTime = iota
	zDuration
	zProto
	zOrigHost
	zRespHost
	zOrigPort
	zRespPort
	zOrigPackets
	zOrigBytes
	zRespPackets
	zRespBytes
)

// zeekValues are the values of zeekFields in a record, empty if they are unset.
type zeekValues [len(zeekFields)]string

// zeekProtos are the transports that Zeek names. For icmp, the ports of a connection are type and code. What Zeek did
// not recognise gets protocol 0.
var zeekProtos = map[string]uint8{"tcp": flow.TCP, "udp": flow.UDP, "icmp": flow.ICMP, "sctp": flow.SCTP,
	"unknown_transport": 0}

// ReadZeek is ReadFlowLog for a Zeek conn.log, tab-separated or in JSON. Bytes are IP bytes (orig_ip_bytes,
// resp_ip_bytes), without the link header.
func ReadZeek(path string, o Options) (*Workload, error) {
	return readLog(path, o, []*flowLog{&zeek, &zeekJSON})
}

var zeek = flowLog{
	name: "zeek", title: "zeek conn.log", want: "a Zeek conn.log (tab-separated or JSON)",
	begins: func(line string) bool { return strings.HasPrefix(line, "#") }, read: readZeek,
}

// readZeek reads the tab-separated form, whatever its #separator. Files that were joined each have their own header.
func readZeek(l *lines, log *logged) (err error) {
	log.layer = IPBytes
	separator, unset, empty := "\t", "-", "(empty)"
	var column [len(zeekFields)]int
	fields := 0 // of a record, as #fields has them
	for text, ok := l.line(); ok; text, ok = l.line() {
		switch key, value, _ := strings.Cut(text, separator); {
		case strings.HasPrefix(text, "#separator"):
			if separator, err = zeekSeparator(strings.TrimSpace(strings.TrimPrefix(text, "#separator"))); err != nil {
				return err
			}
			unset, empty, fields = "-", "(empty)", 0
		case !strings.HasPrefix(text, "#"):
			if strings.Trim(text, " ") == "" {
				continue
			}
			if fields == 0 {
				return errors.New("no #fields line before the first record: want a Zeek conn.log in its " +
					"tab-separated form")
			}
			values := strings.Split(text, separator)
			if !slices.ContainsFunc(values, func(v string) bool { return v != "" && v != unset && v != empty }) {
				log.skip("rows without values")
				continue
			}
			if len(values) < fields {
				return fmt.Errorf("%d values, want %d, one for each of #fields", len(values), fields)
			}
			if slices.ContainsFunc(values[fields:], func(v string) bool { return v != "" }) {
				log.skip("rows with more values than there are columns")
			}
			var v zeekValues
			for i, j := range column {
				if v[i] = values[j]; v[i] == unset {
					v[i] = ""
				}
			}
			if err := v.add(l.n, log); err != nil {
				return err
			}
		case key == "#unset_field":
			unset = value
		case key == "#empty_field":
			empty = value
		case key == "#path" && value != "conn":
			return fmt.Errorf("#path is %q: want conn, the log of connections", clip(value))
		case key == "#fields":
			names := strings.Split(value, separator)
			if column, err = zeekColumns(names); err != nil {
				return err
			}
			if log.records > 0 {
				log.skip("lines that repeat the column names")
			}
			fields = len(names)
		}
	}
	if fields == 0 && l.scan.Err() == nil {
		return fmt.Errorf("no #fields line in %d lines: want a Zeek conn.log in its tab-separated form", l.n)
	}
	return nil
}

// zeekSeparator reads the value of #separator: characters, some written as \x and two hexadecimal digits.
func zeekSeparator(s string) (string, error) {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil || text == "" || strings.ContainsAny(text, "\n#") {
		return "", fmt.Errorf("#separator %q, want characters such as \\x09", clip(s))
	}
	return text, nil
}

func zeekColumns(names []string) (column [len(zeekFields)]int, err error) {
	for i, want := range zeekFields {
		column[i] = -1
		for j, name := range names {
			if name != want {
				continue
			}
			if column[i] >= 0 {
				return column, fmt.Errorf("#fields has %s twice: want it once", want)
			}
			column[i] = j
		}
		if column[i] < 0 {
			return column, fmt.Errorf("#fields has no %s: want all of %s", want, strings.Join(zeekFields[:], ", "))
		}
	}
	return column, nil
}

// add makes a connection from the values of a record, and adds both its directions.
func (f *zeekValues) add(line int, log *logged) (err error) {
	fail := func(i int, err error) error { return fmt.Errorf("%s: %w", zeekFields[i], err) }
	var c connection
	if c.start, err = parseInstant(f[zTime]); err != nil {
		return fail(zTime, err)
	}
	if f[zDuration] != "" {
		if c.duration, err = log.positive(parseLength(f[zDuration])); err != nil {
			return fail(zDuration, err)
		}
	}
	var ok bool
	if c.tuple.Proto, ok = zeekProtos[f[zProto]]; !ok {
		return fail(zProto, fmt.Errorf("%q, want tcp, udp, icmp, sctp or unknown_transport", clip(f[zProto])))
	}
	if i, err := c.ends(f[zOrigHost : zRespPort+1]); err != nil {
		return fail(zOrigHost+i, err)
	}
	if c.tuple.Proto == flow.ICMP && c.tuple.Src.Is6() {
		c.tuple.Proto = flow.ICMPv6
	}
	back := c
	back.tuple = Reverse(c.tuple)
	for _, x := range []struct {
		i  int
		to *int64
	}{{zOrigPackets, &c.packets}, {zOrigBytes, &c.bytes}, {zRespPackets, &back.packets}, {zRespBytes, &back.bytes}} {
		if f[x.i] == "" {
			continue
		}
		n, err := strconv.ParseInt(f[x.i], 10, 64)
		if err != nil || n < 0 || n > exact {
			return fail(x.i, fmt.Errorf("%q is not a count from 0 to 2^53", clip(f[x.i])))
		}
		*x.to = n
	}
	return log.add(line, c, back)
}
