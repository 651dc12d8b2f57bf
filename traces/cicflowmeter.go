package traces

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// cicColumns are the columns of CICFlowMeter, by the names that its versions and the data sets made with them use.
var cicColumns = []column{
	{names: []string{"Timestamp"}}, {names: []string{"Flow Duration"}}, {names: []string{"Protocol"}},
	{names: []string{"Src IP", "Source IP"}}, {names: []string{"Src Port", "Source Port"}},
	{names: []string{"Dst IP", "Destination IP"}}, {names: []string{"Dst Port", "Destination Port"}},
	{names: []string{"Tot Fwd Pkts", "Total Fwd Packet", "Total Fwd Packets"}},
	{names: []string{"TotLen Fwd Pkts", "Total Length of Fwd Packet", "Total Length of Fwd Packets"}},
	{names: []string{"Tot Bwd Pkts", "Total Bwd packets", "Total Backward Packets"}},
	{names: []string{"TotLen Bwd Pkts", "Total Length of Bwd Packet", "Total Length of Bwd Packets"}},
}

const (
	cTime = iota
	cDuration
	cProto
	cSrc
	cSrcPort
	cDst
	cDstPort
	cFwdPackets
	cFwdBytes
	cBwdPackets
	cBwdBytes
)

// cicTimes are the layouts in which CICFlowMeter and its data sets write a time, with the day first. Without AM or PM
// the hour is taken as it stands, although some data sets count it to twelve.
var cicTimes = []string{"2/1/2006 3:04:05 PM", "2/1/2006 15:04:05", "2/1/2006 15:04", time.DateTime}

var cicFlowMeter = flowLog{
	name: "cicflowmeter", title: "CICFlowMeter CSV", want: "the CSV of CICFlowMeter",
	begins: func(line string) bool { return hasColumns(line, "Timestamp", "Flow Duration", "Protocol") },
	read:   readCICFlowMeter,
}

// readCICFlowMeter reads the output of CICFlowMeter. A row is a flow in both directions. Times are taken as UTC.
// Durations are in microseconds; some versions write them as negative numbers.
func readCICFlowMeter(l *lines, log *logged) error {
	log.layer = PayloadBytes
	t := table{lines: l, log: log, columns: cicColumns}
	if err := t.head(); err != nil {
		return err
	}
	for {
		ok, err := t.row()
		if !ok {
			return err
		}
		var c connection
		if c.start, err = parseStamp(t.cell(cTime), cicTimes...); err != nil {
			return t.fail(cTime, err)
		}
		if c.duration, err = log.positive(parseMicroseconds(t.cell(cDuration))); err != nil {
			return t.fail(cDuration, err)
		}
		if err = t.record(&c, cSrc, cDst, cSrcPort, cDstPort, cProto, parseProto); err != nil {
			return err
		}
		back := c
		back.tuple = Reverse(c.tuple)
		if err = t.counts(&c, cFwdPackets, cFwdBytes); err != nil {
			return err
		}
		if err = t.counts(&back, cBwdPackets, cBwdBytes); err != nil {
			return err
		}
		if err := log.add(l.n, c, back); err != nil {
			return err
		}
	}
}

// parseMicroseconds reads whole microseconds, which may be negative and may be written as a decimal.
func parseMicroseconds(s string) (d instant, negative bool, err error) {
	whole, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n == math.MinInt64 || strings.Trim(frac, "0") != "" {
		return d, false, fmt.Errorf("%q is not a number of microseconds", clip(s))
	}
	if negative = n < 0; negative {
		n = -n
	}
	return instant{n / 1e6, n % 1e6 * 1e6}, negative, nil
}
