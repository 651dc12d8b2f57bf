package results

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// appendEntry writes e as its Recorder method would.
func appendEntry(b []byte, e Entry) ([]byte, error) {
	switch {
	case e.Event != nil:
		return appendEvent(b, e.At, e.Event)
	case e.Action != nil:
		return appendAction(b, e.At, e.Action)
	}
	return appendDecision(b, e.Decision), nil
}

func TestLogLines(t *testing.T) {
	tuple := flow.FiveTuple{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("2001:db8::1"),
		SrcPort: 1024, DstPort: 53, Proto: flow.UDP}
	tests := []struct {
		entry Entry
		line  string
	}{
		{Entry{Event: &orchestrator.Event{Kind: orchestrator.Start}},
			`{"t_ps":0,"event":"start"}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.FlowArrived, Tuple: tuple}},
			`{"t_ps":5,"event":"flow-arrived","flow":0,"src":"10.0.0.1","dst":"2001:db8::1","sport":1024,"dport":53,` +
				`"proto":17}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.FlowArrived, Tuple: tuple,
			Rate: 4650297.619047619}},
			`{"t_ps":5,"event":"flow-arrived","flow":0,"src":"10.0.0.1","dst":"2001:db8::1","sport":1024,"dport":53,` +
				`"proto":17,"rate_pps":4650297.619047619}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.FlowArrived, Tuple: tuple, Tenant: "blue \"1\""}},
			`{"t_ps":5,"event":"flow-arrived","flow":0,"src":"10.0.0.1","dst":"2001:db8::1","sport":1024,"dport":53,` +
				`"proto":17,"tenant":"blue \"1\""}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.FlowEnded, Flow: 7}},
			`{"t_ps":5,"event":"flow-ended","flow":7}`},
		{Entry{At: units.Second, Event: &orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: 9,
			Counters: []orchestrator.Counter{{Instance: 1, RxPackets: math.MaxUint64, TxPackets: 2, RxBytes: 3},
				{Instance: 2}}}},
			`{"t_ps":1000000000000,"event":"counters-read","sampled_ps":9,"counters":[{"instance":1,` +
				`"rx":18446744073709551615,"tx":2,"rx_bytes":3},{"instance":2,"rx":0,"tx":0,"rx_bytes":0}]}`},
		{Entry{Event: &orchestrator.Event{Kind: orchestrator.CountersRead}},
			`{"t_ps":0,"event":"counters-read","sampled_ps":0,"counters":[]}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.RulesRead, Sampled: 4,
			Rules: []orchestrator.RuleCounter{{Flow: 0, Packets: math.MaxUint64}, {Flow: 7}}}},
			`{"t_ps":5,"event":"rules-read","sampled_ps":4,"rules":[{"flow":0,"packets":18446744073709551615},` +
				`{"flow":7,"packets":0}]}`},
		{Entry{Event: &orchestrator.Event{Kind: orchestrator.RulesRead}},
			`{"t_ps":0,"event":"rules-read","sampled_ps":0,"rules":[]}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.ReportsRead, Sampled: 4,
			Reports: []orchestrator.Report{{Instance: 1, CPU: 7, Memory: math.MaxInt64, Queue: 3,
				Delay: telemetry.Delays{0, 1, 2, 3}}, {Instance: 2}}}},
			`{"t_ps":5,"event":"reports-read","sampled_ps":4,"reports":[{"instance":1,"cpu_ps":7,` +
				`"memory":9223372036854775807,"queue":3,"delay_ps":[0,1,2,3]},{"instance":2}]}`},
		{Entry{At: 5, Action: &orchestrator.Action{Kind: orchestrator.ResizeInstance, Instance: 2, Share: 0.25}},
			`{"t_ps":5,"action":"resize-instance","instance":2,"share":0.25}`},
		{Entry{At: 5, Action: &orchestrator.Action{Kind: orchestrator.CreateInstance, Instance: 2}},
			`{"t_ps":5,"action":"create-instance","instance":2}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.InstanceResized, Instance: 2, Reason: "no"}},
			`{"t_ps":5,"event":"instance-resized","instance":2,"share":0,"reason":"no"}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.BurstsDispatched,
			Bursts: orchestrator.Bursts{Asked: 9, Decided: 7, Moved: 3, Digest: math.MaxUint64}}},
			`{"t_ps":5,"event":"bursts-dispatched","bursts":9,"decided":7,"moved":3,"digest":"ffffffffffffffff"}`},
		{Entry{At: 5, Action: &orchestrator.Action{Kind: orchestrator.ReadReports}},
			`{"t_ps":5,"action":"read-reports"}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: 4,
			Reason: "no \"image\" <x>\n\\"}},
			`{"t_ps":5,"event":"instance-failed","instance":4,"reason":"no \"image\" <x>\u000a\\"}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.RuleRejected, Flow: 1, Instance: 2,
			Reason: "table full"}},
			`{"t_ps":5,"event":"rule-rejected","flow":1,"instance":2,"reason":"table full"}`},
		{Entry{At: 5, Event: &orchestrator.Event{Kind: orchestrator.Tick, Timer: orchestrator.AutoscaleTimer}},
			`{"t_ps":5,"event":"tick","timer":"autoscale"}`},
		{Entry{At: 5, Action: &orchestrator.Action{Kind: orchestrator.InstallRule, Flow: 1}},
			`{"t_ps":5,"action":"install-rule","flow":1,"instance":0}`},
		{Entry{At: 5, Action: &orchestrator.Action{Kind: orchestrator.ReadCounters}},
			`{"t_ps":5,"action":"read-counters"}`},
		{Entry{At: 5, Action: &orchestrator.Action{Kind: orchestrator.ReadRules}},
			`{"t_ps":5,"action":"read-rules"}`},
		{Entry{At: 5, Action: &orchestrator.Action{Kind: orchestrator.SetTimer, Timer: orchestrator.TelemetryTimer,
			At: 6}},
			`{"t_ps":5,"action":"set-timer","timer":"telemetry","at_ps":6}`},
		{Entry{At: 5, Decision: &orchestrator.Decision{At: 5, Kind: "schedule", Policy: "best-fit", Instance: 2,
			Reason: "fits",
			Candidates: []orchestrator.Candidate{{Instance: 2, Score: 2.5e6, Fits: true},
				{Instance: 3, Score: math.Inf(1)}}}},
			`{"t_ps":5,"decision":"schedule","policy":"best-fit","flow":0,"instance":2,"reason":"fits",` +
				`"candidates":[{"instance":2,"score":2500000,"fits":true},` +
				`{"instance":3,"score":"+Inf","fits":false}]}`},
		{Entry{At: 5, Decision: &orchestrator.Decision{At: 5, Kind: "recommend", Flow: -1, Current: 3, Desired: 4}},
			`{"t_ps":5,"decision":"recommend","current":3,"desired":4}`},
	}
	for _, test := range tests {
		b, err := appendEntry(nil, test.entry)
		if err != nil || string(b) != test.line+"\n" {
			t.Errorf("got  %s, %v\nwant %s", b, err, test.line)
		}
		for e, err := range ReadLog(bytes.NewReader(b)) {
			if err != nil || !reflect.DeepEqual(e, test.entry) {
				t.Errorf("%s reads as %+v, %v", b, e, err)
			}
		}
	}
}

// Every field of every kind comes back, whether or not it has a meaning with the kind.
func TestEveryFieldOfTheLogComesBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	text := []string{"", "a", "\x00\"\\\t", "später · 24 h", "\u2028"}
	var b []byte
	var want []Entry
	for range 2000 {
		n := func() int { return rng.IntN(3) * rng.IntN(1<<31) }
		e := Entry{At: units.Time(rng.Int64())}
		switch rng.IntN(3) {
		case 0:
			ev := &orchestrator.Event{Kind: orchestrator.EventKind(rng.IntN(len(eventKinds))), Flow: flow.ID(n()),
				Instance: flow.Instance(n()),
				Timer:    orchestrator.Timer(rng.IntN(len(timerNames))), Sampled: units.Time(n()),
				Share: float64(n()) / 3, Reason: text[rng.IntN(len(text))]}
			if rng.IntN(2) == 0 {
				ev.Bursts = orchestrator.Bursts{Asked: uint64(n()), Decided: uint64(n()), Moved: uint64(n()),
					Digest: rng.Uint64()}
			}
			if rng.IntN(2) == 0 {
				ev.Tuple = flow.FiveTuple{Src: netip.MustParseAddr(`fe80::1%e"0`),
					Dst: netip.MustParseAddr("::ffff:1.2.3.4"), SrcPort: uint16(n()), DstPort: 65535, Proto: uint8(n())}
			}
			for range rng.IntN(4) {
				ev.Counters = append(ev.Counters, orchestrator.Counter{Instance: flow.Instance(n()),
					RxPackets: rng.Uint64(), TxPackets: rng.Uint64(), RxBytes: rng.Uint64()})
			}
			for range rng.IntN(3) {
				ev.Reports = append(ev.Reports, orchestrator.Report{Instance: flow.Instance(n()), CPU: int64(n()),
					Memory: int64(n()), Queue: int64(n()), Delay: telemetry.Delays{int64(n()), int64(n())}})
			}
			e.Event = ev
		case 1:
			e.Action = &orchestrator.Action{Kind: orchestrator.ActionKind(rng.IntN(len(actionKinds))),
				Flow: flow.ID(n()), Instance: flow.Instance(n()),
				Timer: orchestrator.Timer(rng.IntN(len(timerNames))), At: units.Time(n()), Hops: uint8(n()),
				Share: float64(n()) / 3}
		case 2:
			d := &orchestrator.Decision{At: e.At, Kind: text[rng.IntN(len(text))], Policy: text[rng.IntN(len(text))],
				Flow:     flow.ID(n() - 1),
				Instance: flow.Instance(n()), Current: n(), Desired: -n(), Reason: text[rng.IntN(len(text))]}
			for range rng.IntN(4) {
				d.Candidates = append(d.Candidates,
					orchestrator.Candidate{Instance: flow.Instance(n()),
						Score: math.Ldexp(rng.NormFloat64(), rng.IntN(2000)-1000), Fits: rng.IntN(2) == 0})
			}
			e.Decision = d
		}
		want = append(want, e)
		var err error
		if b, err = appendEntry(b, e); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	for e, err := range ReadLog(bytes.NewReader(b)) {
		if err != nil || !reflect.DeepEqual(e, want[i]) {
			w, _ := appendEntry(nil, want[i])
			t.Fatalf("entry %d: %+v, %v\nwant %s", i, e, err, w)
		}
		i++
	}
	if i != len(want) {
		t.Errorf("%d entries, want %d", i, len(want))
	}
}

func TestBadLogLines(t *testing.T) {
	tests := []struct{ log, want string }{
		{`{"t_ps":0,"event":"start"}` + "\n" + `{"t_ps":1,"event":"started"}` + "\n",
			`line 2: event is "started", want one of start, flow-arrived`},
		{`{"t_ps":0,"action":"start"}` + "\n", `action is "start", want one of install-rule`},
		{`{"t_ps":0,"event":"tick","timer":"egg"}` + "\n", `timer is "egg", want one of none, telemetry`},
		{`{"event":"start"}` + "\n", "no t_ps"},
		{`{"t_ps":0}` + "\n", "want one of the keys event, action and decision"},
		{`{"t_ps":0,"event":"start","action":"read-counters"}` + "\n", "want one of the keys"},
		{`{"t_ps":0,"event":"flow-arrived","src":"10.0.0"}` + "\n", `src is "10.0.0", want an IP address`},
		{`{"t_ps":0,"event":"flow-ended","flow":3000000000}` + "\n", "line 1: "},
		{`{"t_ps":0,"decision":"schedule","candidates":[{"score":"x"}]}` + "\n", "want a number"},
		{`{"t_ps":0,"event":"start"}`, "line 1: unexpected EOF"},
		{"\n", "line 1: "},
	}
	for _, test := range tests {
		var last error
		for _, err := range ReadLog(strings.NewReader(test.log)) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.log, last, test.want)
		}
	}
	if _, err := appendEvent(nil, 0, &orchestrator.Event{Kind: 99}); err == nil {
		t.Error("an event of kind 99 has a line")
	}
}

func FuzzReadLog(f *testing.F) {
	m := NewMemory()
	playOpen(f, m, 2)
	f.Add(m.log)
	f.Add(m.log[:len(m.log)/2])
	f.Add([]byte(`{"t_ps":0,"decision":"x","candidates":[{"score":"NaN"}]}` + "\n"))
	f.Fuzz(func(t *testing.T, log []byte) {
		var once []byte
		for e, err := range ReadLog(bytes.NewReader(log)) {
			if err != nil {
				break
			}
			var failed error
			if once, failed = appendEntry(once, e); failed != nil {
				t.Fatalf("%+v was read and cannot be written: %v", e, failed)
			}
		}
		var twice []byte
		for e, err := range ReadLog(bytes.NewReader(once)) {
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatalf("%s was written and cannot be read: %v", once, err)
			}
			twice, _ = appendEntry(twice, e)
		}
		if !bytes.Equal(once, twice) {
			t.Errorf("wrote %s\nread it and wrote %s", once, twice)
		}
	})
}
