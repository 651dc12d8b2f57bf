package traces

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/smartinco/smartinco/flow"
)

// nfdumpColumns are the columns of nfdump -o csv: of version 1.6, and of 1.7.5 and later.
var nfdumpColumns = []column{
	{names: []string{"ts", "firstSeen"}}, {names: []string{"td", "duration"}}, {names: []string{"pr", "proto"}},
	{names: []string{"sa", "srcAddr"}}, {names: []string{"sp", "srcPort"}}, {names: []string{"da", "dstAddr"}},
	{names: []string{"dp", "dstPort"}},
	{names: []string{"ipkt", "packets"}}, {names: []string{"ibyt", "bytes"}},
	{names: []string{"opkt"}, optional: true}, {names: []string{"obyt"}, optional: true},
}

const (
	nTime = iota
	nDuration
	nProto
	nSrc
	nSrcPort
	nDst
	nDstPort
	nInPackets
	nInBytes
	nOutPackets
	nOutBytes
)

var nfdump = flowLog{
	name: "nfdump", title: "nfdump CSV", want: "the CSV of nfdump",
	begins: isNfdump, read: readNfdump,
}

func isNfdump(line string) bool {
	return hasColumns(line, "ts", "td", "sa", "da", "ipkt") || hasColumns(line, "firstSeen", "srcAddr", "packets")
}

// readNfdump reads the output of nfdump -o csv. Its times are taken as UTC. ipkt and ibyt count the direction from sa
// to da. opkt and obyt, which flows merged by nfdump -b have, count the other. The summary at the end of an output is
// left out; another output may follow. For ICMP, dp is type.code: the type becomes the source port and the code the
// destination port, as in a Zeek log.
func readNfdump(l *lines, log *logged) error {
	log.layer = IPBytes
	t := table{lines: l, log: log, columns: nfdumpColumns, foot: nfdumpSummary()}
	if err := t.head(); err != nil {
		return err
	}
	for {
		ok, err := t.row()
		if !ok {
			return err
		}
		var c connection
		if c.start, err = parseStamp(t.cell(nTime), time.DateTime); err != nil {
			return t.fail(nTime, err)
		}
		if c.duration, err = log.positive(parseLength(t.cell(nDuration))); err != nil {
			return t.fail(nDuration, err)
		}
		var kind [2]uint16
		if proto, _ := parseProto(t.cell(nProto)); proto == flow.ICMP || proto == flow.ICMPv6 {
			if kind, err = icmpKind(t.cell(nDstPort)); err != nil {
				return t.fail(nDstPort, err)
			}
			t.cells[t.index[nDstPort]] = "0"
		}
		if err = t.record(&c, nSrc, nDst, nSrcPort, nDstPort, nProto, parseProto); err != nil {
			return err
		}
		if c.tuple.Proto == flow.ICMP || c.tuple.Proto == flow.ICMPv6 {
			c.tuple.SrcPort, c.tuple.DstPort = kind[0], kind[1]
		}
		if err = t.counts(&c, nInPackets, nInBytes); err != nil {
			return err
		}
		back := c
		back.tuple, back.packets, back.bytes = Reverse(c.tuple), 0, 0
		if err = t.counts(&back, nOutPackets, nOutBytes); err != nil {
			return err
		}
		pair := []connection{c, back}
		if back.packets == 0 && back.bytes == 0 {
			pair = pair[:1] // a flow of one direction, not a connection without an answer
		}
		if err := log.add(l.n, pair...); err != nil {
			return err
		}
	}
}

// nfdumpSummary recognises the three lines of a summary - its title, names and values - and checks that nothing follows
// but the column names of another output.
func nfdumpSummary() func(string) (bool, error) {
	left := -1 // of the lines of a summary; -1 among records
	return func(text string) (bool, error) {
		switch {
		case strings.HasPrefix(text, "Summary"):
			left = 2
			return true, nil
		case left > 0:
			left--
			return true, nil
		case left < 0:
			return false, nil
		case !isNfdump(text):
			return false, fmt.Errorf("%q after a summary: want the end of the file, or the column names of "+
				"another output", clip(text))
		}
		left = -1
		return false, nil
	}
}

// icmpKind reads type.code, or 0, or the two in one number: 256 times the type and the code.
func icmpKind(s string) (k [2]uint16, err error) {
	kind, code, dotted := strings.Cut(s, ".")
	a, err1 := strconv.ParseUint(kind, 10, 16)
	b, err2 := uint64(0), error(nil)
	if dotted {
		b, err2 = strconv.ParseUint(code, 10, 8)
	} else {
		a, b = a>>8, a&255
	}
	if err1 != nil || err2 != nil || a > 255 {
		return k, fmt.Errorf("%q is not an ICMP type and code such as 8.0", clip(s))
	}
	return [2]uint16{uint16(a), uint16(b)}, nil
}

// parseStamp reads a date with a time of day in the first layout that fits, UTC.
func parseStamp(s string, layouts ...string) (instant, error) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, s); err == nil {
			if t.Unix() < 0 {
				return instant{}, fmt.Errorf("%q is before 1970", clip(s))
			}
			return instant{t.Unix(), int64(t.Nanosecond()) * 1000}, nil
		}
	}
	return instant{}, fmt.Errorf("%q is not a time: want one such as %s", clip(s), layouts[0])
}
