package results

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// Entry is one line of the log: exactly one of Event, Action and Decision is set. At is when it happened.
type Entry struct {
	At       units.Time
	Event    *orchestrator.Event
	Action   *orchestrator.Action
	Decision *orchestrator.Decision
}

// maxLine bounds a line of the log, in bytes; a decision among a million candidates takes less.
const maxLine = 1 << 26

// ReadLog reads a log line by line. The entries are the caller's to keep. It ends with the first error, which names the
// line; the error is io.ErrUnexpectedEOF if the last line was cut off, as it is when a run is killed.
func ReadLog(r io.Reader) iter.Seq2[Entry, error] {
	return readLog(r, func([]byte) bool { return true })
}

// readLog is ReadLog of the lines that are wanted.
func readLog(r io.Reader, wanted func(line []byte) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		sc := bufio.NewScanner(r)
		sc.Buffer(make([]byte, 0, 1<<16), maxLine)
		sc.Split(func(b []byte, end bool) (int, []byte, error) {
			if i := bytes.IndexByte(b, '\n'); i >= 0 {
				return i + 1, b[:i], nil
			}
			if end && len(b) > 0 {
				return 0, nil, io.ErrUnexpectedEOF
			}
			return 0, nil, nil
		})
		line := 1
		for ; sc.Scan(); line++ {
			if !wanted(sc.Bytes()) {
				continue
			}
			e, err := parseLine(sc.Bytes())
			if err != nil {
				yield(Entry{}, fmt.Errorf("line %d: %w", line, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if err := sc.Err(); err != nil {
			yield(Entry{}, fmt.Errorf("line %d: %w", line, err))
		}
	}
}

type logLine struct {
	T          *int64                 `json:"t_ps"`
	Event      *string                `json:"event"`
	Action     *string                `json:"action"`
	Decision   *string                `json:"decision"`
	Flow       *flow.ID               `json:"flow"`
	Instance   flow.Instance          `json:"instance"`
	Timer      string                 `json:"timer"`
	At         units64                `json:"at_ps"`
	Hops       uint8                  `json:"hops"`
	Src        string                 `json:"src"`
	Dst        string                 `json:"dst"`
	SrcPort    uint16                 `json:"sport"`
	DstPort    uint16                 `json:"dport"`
	Proto      uint8                  `json:"proto"`
	Rate       logFloat               `json:"rate_pps"`
	Tenant     string                 `json:"tenant"`
	Sampled    units64                `json:"sampled_ps"`
	Counters   []orchestrator.Counter `json:"counters"`
	Reason     string                 `json:"reason"`
	Policy     string                 `json:"policy"`
	Current    int                    `json:"current"`
	Desired    int                    `json:"desired"`
	Candidates []logCandidate         `json:"candidates"`

	Rules   []orchestrator.RuleCounter `json:"rules"`
	Reports []orchestrator.Report      `json:"reports"`
	Share   logFloat                   `json:"share"`

	Bursts        uint64    `json:"bursts"`
	BurstsDecided uint64    `json:"decided"`
	BurstsMoved   uint64    `json:"moved"`
	Digest        logDigest `json:"digest"`
}

// units64 is a time as a bare number of picoseconds, where units.Time would be read as text.
type units64 int64

type logCandidate struct {
	Instance flow.Instance `json:"instance"`
	Score    logFloat      `json:"score"`
	Fits     bool          `json:"fits"`
}

// logFloat reads what appendFloat writes.
type logFloat float64

func (f *logFloat) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	if err != nil {
		return fmt.Errorf("found %s, want a number", Quote(string(b)))
	}
	*f = logFloat(v)
	return nil
}

// logDigest reads a hexadecimal number in a text.
type logDigest uint64

// UnmarshalJSON reads a digest as the log has it.
func (d *logDigest) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseUint(strings.Trim(string(b), `"`), 16, 64)
	if err != nil {
		return fmt.Errorf("found %s, want a hexadecimal number of 64 bits", Quote(string(b)))
	}
	*d = logDigest(v)
	return nil
}

func parseLine(b []byte) (Entry, error) {
	var l logLine
	if err := json.Unmarshal(b, &l); err != nil {
		return Entry{}, bounded{err}
	}
	if l.T == nil {
		return Entry{}, errors.New("no t_ps, want the time in picoseconds")
	}
	e := Entry{At: units.Time(*l.T)}
	timer, err := kindOf(l.Timer, "timer", timerNames, func(n string) string { return n })
	if l.Timer != "" && err != nil {
		return Entry{}, err
	}
	target := flow.ID(0)
	if l.Flow != nil {
		target = *l.Flow
	}
	switch {
	case l.Event != nil && l.Action == nil && l.Decision == nil:
		k, err := kindOf(*l.Event, "event", eventKinds, func(k kind) string { return k.name })
		if err != nil {
			return Entry{}, err
		}
		ev := &orchestrator.Event{Kind: orchestrator.EventKind(k), Flow: target, Instance: l.Instance,
			Timer:   orchestrator.Timer(timer),
			Tuple:   flow.FiveTuple{SrcPort: l.SrcPort, DstPort: l.DstPort, Proto: l.Proto},
			Rate:    float64(l.Rate),
			Tenant:  l.Tenant,
			Sampled: units.Time(l.Sampled), Counters: l.Counters, Rules: l.Rules, Reports: l.Reports,
			Share: float64(l.Share), Reason: l.Reason,
			Bursts: orchestrator.Bursts{Asked: l.Bursts, Decided: l.BurstsDecided, Moved: l.BurstsMoved,
				Digest: uint64(l.Digest)}}
		if ev.Tuple.Src, err = parseAddr("src", l.Src); err != nil {
			return Entry{}, err
		}
		if ev.Tuple.Dst, err = parseAddr("dst", l.Dst); err != nil {
			return Entry{}, err
		}
		if len(ev.Counters) == 0 {
			ev.Counters = nil
		}
		if len(ev.Rules) == 0 {
			ev.Rules = nil
		}
		if len(ev.Reports) == 0 {
			ev.Reports = nil
		}
		e.Event = ev
	case l.Action != nil && l.Event == nil && l.Decision == nil:
		k, err := kindOf(*l.Action, "action", actionKinds, func(k kind) string { return k.name })
		if err != nil {
			return Entry{}, err
		}
		e.Action = &orchestrator.Action{Kind: orchestrator.ActionKind(k), Flow: target, Instance: l.Instance,
			Timer: orchestrator.Timer(timer), At: units.Time(l.At), Hops: l.Hops,
			Share: float64(l.Share)}
	case l.Decision != nil && l.Event == nil && l.Action == nil:
		if l.Flow == nil {
			target = -1
		}
		d := &orchestrator.Decision{At: e.At, Kind: *l.Decision, Policy: l.Policy, Flow: target, Instance: l.Instance,
			Current: l.Current, Desired: l.Desired, Reason: l.Reason}
		for _, c := range l.Candidates {
			d.Candidates = append(d.Candidates, orchestrator.Candidate{Instance: c.Instance, Score: float64(c.Score),
				Fits: c.Fits})
		}
		e.Decision = d
	default:
		return Entry{}, errors.New("want one of the keys event, action and decision")
	}
	return e, nil
}

// kindOf is the index of the entry that is called name.
func kindOf[T any](name, what string, table []T, nameOf func(T) string) (int, error) {
	if i := slices.IndexFunc(table, func(k T) bool { return nameOf(k) == name }); i >= 0 {
		return i, nil
	}
	known := make([]string, len(table))
	for i, k := range table {
		known[i] = nameOf(k)
	}
	return 0, fmt.Errorf("%s is %q, want one of %s", what, clip(name), strings.Join(known, ", "))
}

func parseAddr(key, s string) (netip.Addr, error) {
	if s == "" { // the zero address
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return a, fmt.Errorf("%s is %q, want an IP address: %w", key, clip(s), bounded{err})
	}
	return a, nil
}
