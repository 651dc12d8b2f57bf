package results

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"unicode/utf8"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// The log, events.jsonl, has one JSON object a line: t_ps, the time in picoseconds; event, action or decision, with the
// kind; and the fields that carry meaning with that kind. Other fields are written if they are not zero, so that a line
// always gives back the value it was made from. See Entry for the way back.

// field is a set of fields of an Event or an Action.
type field uint16

const (
	fFlow field = 1 << iota
	fInstance
	fTuple
	fCounters // with sampled_ps
	fTimer
	fAt
	fRules   // with sampled_ps
	fReports // with sampled_ps
	fShare
	fBursts
)

// kind is how the log names a kind of event or action, and the fields that it always writes with it.
type kind struct {
	name   string
	fields field
}

var eventKinds = []kind{
	orchestrator.Start:          {"start", 0},
	orchestrator.FlowArrived:    {"flow-arrived", fFlow | fTuple},
	orchestrator.FlowEnded:      {"flow-ended", fFlow},
	orchestrator.CountersRead:   {"counters-read", fCounters},
	orchestrator.InstanceReady:  {"instance-ready", fInstance},
	orchestrator.InstanceFailed: {"instance-failed", fInstance},
	orchestrator.InstanceGone:   {"instance-gone", fInstance},
	orchestrator.RuleInstalled:  {"rule-installed", fFlow | fInstance},
	orchestrator.RuleRejected:   {"rule-rejected", fFlow | fInstance},
	orchestrator.Tick:           {"tick", fTimer},
	orchestrator.RulesRead:      {"rules-read", fRules},
	orchestrator.ReportsRead:    {"reports-read", fReports},
	orchestrator.FlowGrown:      {"flow-grown", fFlow},

	orchestrator.InstanceResized:  {"instance-resized", fInstance | fShare},
	orchestrator.InstanceIdle:     {"instance-idle", fInstance},
	orchestrator.BurstsDispatched: {"bursts-dispatched", fBursts},
}

var actionKinds = []kind{
	orchestrator.InstallRule:    {"install-rule", fFlow | fInstance},
	orchestrator.MoveRule:       {"move-rule", fFlow | fInstance},
	orchestrator.RemoveRule:     {"remove-rule", fFlow},
	orchestrator.CreateInstance: {"create-instance", fInstance},
	orchestrator.DeleteInstance: {"delete-instance", fInstance},
	orchestrator.ReadCounters:   {"read-counters", 0},
	orchestrator.SetTimer:       {"set-timer", fTimer | fAt},
	orchestrator.ReadRules:      {"read-rules", 0},
	orchestrator.ReadReports:    {"read-reports", 0},
	orchestrator.Steer:          {"steer", fFlow | fInstance},
	orchestrator.ResizeInstance: {"resize-instance", fInstance | fShare},
}

var timerNames = []string{
	orchestrator.NoTimer:        "none",
	orchestrator.TelemetryTimer: "telemetry",
	orchestrator.AutoscaleTimer: "autoscale",
	orchestrator.MoveTimer:      "move",
	orchestrator.ReportTimer:    "report",
	orchestrator.DispatchTimer:  "dispatch",
}

func appendEvent(b []byte, now units.Time, e *orchestrator.Event) ([]byte, error) {
	if int(e.Kind) >= len(eventKinds) {
		return b, fmt.Errorf("event kind %d has no name in the log", e.Kind)
	}
	k := eventKinds[e.Kind]
	b = appendTime(b, now)
	b = append(append(append(b, `,"event":"`...), k.name...), '"')
	b = appendTarget(b, k.fields, e.Flow, e.Instance)
	if k.fields&fTuple != 0 || e.Tuple != (flow.FiveTuple{}) {
		b = appendAddr(append(b, `,"src":`...), e.Tuple.Src)
		b = appendAddr(append(b, `,"dst":`...), e.Tuple.Dst)
		b = strconv.AppendUint(append(b, `,"sport":`...), uint64(e.Tuple.SrcPort), 10)
		b = strconv.AppendUint(append(b, `,"dport":`...), uint64(e.Tuple.DstPort), 10)
		b = strconv.AppendUint(append(b, `,"proto":`...), uint64(e.Tuple.Proto), 10)
	}
	if e.Rate != 0 {
		b = appendFloat(append(b, `,"rate_pps":`...), e.Rate)
	}
	if e.Tenant != "" {
		b = appendString(append(b, `,"tenant":`...), e.Tenant)
	}
	if k.fields&(fCounters|fRules|fReports) != 0 || e.Sampled != 0 || len(e.Counters) > 0 {
		b = strconv.AppendInt(append(b, `,"sampled_ps":`...), int64(e.Sampled), 10)
	}
	if k.fields&fCounters != 0 || len(e.Counters) > 0 {
		b = append(b, `,"counters":[`...)
		for i := range e.Counters {
			c := &e.Counters[i]
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(b, `{"instance":`...), int64(c.Instance), 10)
			b = strconv.AppendUint(append(b, `,"rx":`...), c.RxPackets, 10)
			b = strconv.AppendUint(append(b, `,"tx":`...), c.TxPackets, 10)
			b = strconv.AppendUint(append(b, `,"rx_bytes":`...), c.RxBytes, 10)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	if k.fields&fRules != 0 || len(e.Rules) > 0 {
		b = append(b, `,"rules":[`...)
		for i := range e.Rules {
			r := &e.Rules[i]
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(b, `{"flow":`...), int64(r.Flow), 10)
			b = strconv.AppendUint(append(b, `,"packets":`...), r.Packets, 10)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	if k.fields&fShare != 0 || e.Share != 0 {
		b = appendFloat(append(b, `,"share":`...), e.Share)
	}
	if x := e.Bursts; k.fields&fBursts != 0 || x != (orchestrator.Bursts{}) {
		b = strconv.AppendUint(append(b, `,"bursts":`...), x.Asked, 10)
		b = strconv.AppendUint(append(b, `,"decided":`...), x.Decided, 10)
		b = strconv.AppendUint(append(b, `,"moved":`...), x.Moved, 10)
		b = append(strconv.AppendUint(append(b, `,"digest":"`...), x.Digest, 16), '"')
	}
	if k.fields&fReports != 0 || len(e.Reports) > 0 {
		b = appendReports(b, e.Reports)
	}
	b, err := appendTimer(b, k.fields, e.Timer)
	if err != nil {
		return b, err
	}
	if e.Reason != "" {
		b = appendString(append(b, `,"reason":`...), e.Reason)
	}
	return append(b, "}\n"...), nil
}

// appendReports leaves out what is 0: nobody asked for it, or it is.
func appendReports(b []byte, reports []orchestrator.Report) []byte {
	b = append(b, `,"reports":[`...)
	for i := range reports {
		r := &reports[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"instance":`...), int64(r.Instance), 10)
		for _, f := range [...]struct {
			key string
			v   int64
		}{{`,"cpu_ps":`, r.CPU}, {`,"memory":`, r.Memory}, {`,"queue":`, r.Queue}} {
			if f.v != 0 {
				b = strconv.AppendInt(append(b, f.key...), f.v, 10)
			}
		}
		if d := &r.Delay; *d != (telemetry.Delays{}) {
			for k, v := range d {
				if k == 0 {
					b = append(b, `,"delay_ps":[`...)
				} else {
					b = append(b, ',')
				}
				b = strconv.AppendInt(b, v, 10)
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendAction(b []byte, now units.Time, a *orchestrator.Action) ([]byte, error) {
	if int(a.Kind) >= len(actionKinds) {
		return b, fmt.Errorf("action kind %d has no name in the log", a.Kind)
	}
	k := actionKinds[a.Kind]
	b = appendTime(b, now)
	b = append(append(append(b, `,"action":"`...), k.name...), '"')
	b = appendTarget(b, k.fields, a.Flow, a.Instance)
	b, err := appendTimer(b, k.fields, a.Timer)
	if err != nil {
		return b, err
	}
	if k.fields&fAt != 0 || a.At != 0 {
		b = strconv.AppendInt(append(b, `,"at_ps":`...), int64(a.At), 10)
	}
	if a.Hops != 0 {
		b = strconv.AppendUint(append(b, `,"hops":`...), uint64(a.Hops), 10)
	}
	if k.fields&fShare != 0 || a.Share != 0 {
		b = appendFloat(append(b, `,"share":`...), a.Share)
	}
	return append(b, "}\n"...), nil
}

// appendDecision leaves out what a decision does not have: flow if it is -1, instance if it is 0, empty texts.
func appendDecision(b []byte, d *orchestrator.Decision) []byte {
	b = appendTime(b, d.At)
	b = appendString(append(b, `,"decision":`...), d.Kind)
	if d.Policy != "" {
		b = appendString(append(b, `,"policy":`...), d.Policy)
	}
	if d.Flow != -1 {
		b = strconv.AppendInt(append(b, `,"flow":`...), int64(d.Flow), 10)
	}
	if d.Instance != 0 {
		b = strconv.AppendInt(append(b, `,"instance":`...), int64(d.Instance), 10)
	}
	if d.Current != 0 || d.Desired != 0 {
		b = strconv.AppendInt(append(b, `,"current":`...), int64(d.Current), 10)
		b = strconv.AppendInt(append(b, `,"desired":`...), int64(d.Desired), 10)
	}
	if d.Reason != "" {
		b = appendString(append(b, `,"reason":`...), d.Reason)
	}
	if len(d.Candidates) > 0 {
		b = append(b, `,"candidates":[`...)
		for i := range d.Candidates {
			c := &d.Candidates[i]
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(append(b, `{"instance":`...), int64(c.Instance), 10)
			b = appendFloat(append(b, `,"score":`...), c.Score)
			b = strconv.AppendBool(append(b, `,"fits":`...), c.Fits)
			b = append(b, '}')
		}
		b = append(b, ']')
	}
	return append(b, "}\n"...)
}

func appendTime(b []byte, t units.Time) []byte {
	return strconv.AppendInt(append(b, `{"t_ps":`...), int64(t), 10)
}

func appendTarget(b []byte, always field, f flow.ID, i flow.Instance) []byte {
	if always&fFlow != 0 || f != 0 {
		b = strconv.AppendInt(append(b, `,"flow":`...), int64(f), 10)
	}
	if always&fInstance != 0 || i != 0 {
		b = strconv.AppendInt(append(b, `,"instance":`...), int64(i), 10)
	}
	return b
}

func appendTimer(b []byte, always field, t orchestrator.Timer) ([]byte, error) {
	if int(t) >= len(timerNames) {
		return b, fmt.Errorf("timer %d has no name in the log", t)
	}
	if always&fTimer != 0 || t != 0 {
		b = append(append(append(b, `,"timer":"`...), timerNames[t]...), '"')
	}
	return b, nil
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Zone() != "" {
		return appendString(b, a.String())
	}
	return append(a.AppendTo(append(b, '"')), '"')
}

// appendFloat appends the shortest number that reads back as x; infinities and NaN, which JSON lacks, become strings.
func appendFloat(b []byte, x float64) []byte {
	switch a := math.Abs(x); {
	case math.IsNaN(x) || math.IsInf(x, 0):
		b = append(strconv.AppendFloat(append(b, '"'), x, 'g', -1, 64), '"')
		return b
	case a != 0 && (a < 1e-6 || a >= 1e21):
		return strconv.AppendFloat(b, x, 'g', -1, 64)
	}
	return strconv.AppendFloat(b, x, 'f', -1, 64)
}

const hex = "0123456789abcdef"

// appendString appends s as a JSON string; bytes that are not UTF-8 become the replacement character.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
		i++
	}
	return append(b, '"')
}
