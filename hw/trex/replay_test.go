package trex

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
)

// exchange is a line of testdata/sessions.jsonl.
type exchange struct {
	N                 int
	Session, Label    string
	Request, Response json.RawMessage
}

func sessions(t testing.TB) (lines []exchange) {
	f, err := os.Open("testdata/sessions.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var e exchange
		if err := json.Unmarshal(s.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, e)
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return lines
}

type wireRequest struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params map[string]any  `json:"params"`
}

// requests are the calls of a message, nil if it is not made of calls with parameters as a client would make them.
func requests(b []byte) (calls []wireRequest) {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '{' {
		b = append(append([]byte{'['}, b...), ']')
	}
	if unmarshal(b, &calls) != nil {
		return nil
	}
	for _, c := range calls {
		if c.Method == "" || c.Params == nil {
			return nil
		}
	}
	return calls
}

// recorded is a server that gives one recorded answer, with the ids of the question put.
type recorded struct {
	answer []byte
	asked  []wireRequest
	err    error
}

func (r *recorded) Close() error { return nil }

func (r *recorded) exchange(_ context.Context, b []byte) ([]byte, error) {
	r.asked = requests(b)
	var parts []map[string]any
	list := bytes.HasPrefix(r.answer, []byte("["))
	if list {
		r.err = unmarshal(r.answer, &parts)
	} else {
		parts = make([]map[string]any, 1)
		r.err = unmarshal(r.answer, &parts[0])
	}
	if len(parts) == len(r.asked) {
		for i := range parts {
			if parts[i]["id"] != nil {
				parts[i]["id"] = r.asked[i].ID
			}
		}
	}
	if list {
		return json.Marshal(parts)
	}
	return json.Marshal(parts[0])
}

// Every recorded call, made through the client: what goes out is what was recorded, and what comes back is the
// recorded result or the recorded refusal, in every part.
func TestEveryRecordedCall(t *testing.T) {
	done := 0
	for _, e := range sessions(t) {
		calls := requests(e.Request)
		if calls == nil || e.Response == nil || string(e.Response) == "null" {
			continue
		}
		if _, ok := calls[0].Params["api_h"]; !ok && !withoutHandle[calls[0].Method] {
			continue // a missing handle is a mistake that the client cannot make
		}
		server := &recorded{answer: e.Response}
		c := &Client{link: server}
		var batch []Call
		results := make([]any, len(calls))
		for i, call := range calls {
			params := Params{}
			for k, v := range call.Params {
				if k == "api_h" {
					c.handle = fmt.Sprint(v)
				} else {
					params[k] = v
				}
			}
			batch = append(batch, Call{call.Method, params, &results[i]})
		}
		err := c.Batch(t.Context(), batch)
		for i, sent := range server.asked {
			if calls[i].Params["api_h"] == nil || withoutHandle[sent.Method] {
				delete(sent.Params, "api_h")
				delete(calls[i].Params, "api_h")
			}
			if sent.Method != calls[i].Method || !reflect.DeepEqual(sent.Params, calls[i].Params) {
				t.Errorf("%d %s: sent %s %v, recorded %s %v", e.N, e.Label, sent.Method, sent.Params, calls[i].Method,
					calls[i].Params)
			}
		}
		var answers []map[string]any
		if b := []byte(e.Response); b[0] == '[' {
			unmarshal(b, &answers)
		} else {
			answers = make([]map[string]any, 1)
			unmarshal(b, &answers[0])
		}
		for i, a := range answers {
			if refusal, ok := a["error"].(map[string]any); ok {
				var got *Error
				specific, _ := refusal["specific_err"].(string)
				if !errors.As(err, &got) || !strings.Contains(err.Error(), specific) ||
					!strings.Contains(err.Error(), fmt.Sprint(refusal["code"])) {
					t.Errorf("%d %s: error %v, want %v", e.N, e.Label, err, refusal)
				}
			} else if !reflect.DeepEqual(results[i], a["result"]) {
				t.Errorf("%d %s: result %v, want %v", e.N, e.Label, results[i], a["result"])
			}
		}
		done++
	}
	if done < 350 {
		t.Errorf("%d exchanges replayed, want at least 350 of the file", done)
	}
}

// answering is a client whose server gives the recorded answer with that number.
func answering(t *testing.T, n int) *Client {
	for _, e := range sessions(t) {
		if e.N == n {
			return &Client{link: &recorded{answer: e.Response}, handle: "x"}
		}
	}
	t.Fatalf("no exchange %d", n)
	return nil
}

// What the typed methods make of recorded answers.
func TestTypedResults(t *testing.T) {
	ctx := t.Context()
	port := func(n int) *Port { return &Port{client: answering(t, n), handler: "h"} }

	s, err := answering(t, 15).System(ctx)
	if err != nil || s.PortCount != 2 || s.Ports[0].Index != 0 || s.Ports[0].MAC != "02:00:00:00:00:00" ||
		s.Ports[1].RX.Counters != 1023 {
		t.Errorf("system %+v, %v: want two ports in order", s, err)
	}
	st, err := answering(t, 113).Status(ctx, 0)
	if err != nil || st.State != Sending || !st.State.Busy() || st.Owner != "gosim" || st.Attr.SpeedGbps != 10 ||
		!st.Attr.Link.Up {
		t.Errorf("status %+v, %v", st, err)
	}
	p, err := answering(t, 50).Acquire(ctx, 0, true)
	if err != nil || p.handler != "42QL30a7" {
		t.Errorf("acquired %+v, %v: want the handler, a bare string", p, err)
	}
	if _, err := answering(t, 48).Acquire(ctx, 0, false); err == nil ||
		err.Error() != "port 0: trex: acquire: port is already taken by 'gosim' (code -32000)" {
		t.Errorf("a port of another: %v", err)
	}
	g, err := port(588).Validate(ctx)
	if err != nil || g.Rate.MaxPPS != 3200 || len(g.Graph.Events) != 32 || g.Graph.Events[31].TimeUsec != 310e6 ||
		g.Graph.ExpectedDuration != -1 {
		t.Errorf("graph %+v, %v", g.Rate, err)
	}
	n, err := answering(t, 182).PortStats(ctx, 0)
	if err != nil || n != (Counters{TxPackets: 15786, TxBytes: 1034284}) {
		t.Errorf("port counters %+v, %v", n, err)
	}
	f, err := answering(t, 129).FlowStats(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tx, _ := f.Flows[5].Tx()
	rx, bytes := f.Flows[5].Rx()
	if tx != 4977 || rx != 4975 || bytes != 318400 || f.Flows[5].RxPackets[1] != 4975 || f.Version[6] != 3 {
		t.Errorf("group 5: %+v", f.Flows[5])
	}
	if l := f.Latency[6]; l.Average != 524 || l.Min != 7 || l.Max != 5566 || l.Histogram[5000] != 1 ||
		len(f.Latency) != 1 {
		t.Errorf("latency %+v", f.Latency)
	}
	if f, err := answering(t, 395).FlowStats(ctx); err != nil || len(f.Flows) != 0 {
		t.Errorf("nothing to show, which is null: %+v, %v", f, err)
	}
	events, err := answering(t, 435).Events(ctx)
	if err != nil || len(events) != 3 || events[0].Type != EventProfile+EventStarted ||
		events[2].Type != EventAcquired ||
		events[2].Data.Who != "thief" || !events[2].Data.Force || events[2].Seq != 49 {
		t.Errorf("events %+v, %v", events, err)
	}
	if m, err := port(134).Update(ctx, Set, Factor{PPS, 2200}, false); err != nil || m != 2.1 {
		t.Errorf("update: %v, %v", m, err)
	}
	if err := answering(t, 343).Call(ctx, "no_such_method", nil, nil); !IsCode(err, CodeMethod) {
		t.Errorf("unknown method: %v", err)
	}
}

// A message as a whole may be refused, or answered with something else altogether.
func TestAnswersThatDoNotFit(t *testing.T) {
	for _, c := range []struct{ answer, want string }{
		{`{"error":{"code":-32603,"message":"Request is too large (1000060 bytes)."},"id":null,"jsonrpc":"2.0"}`,
			"too large"},
		{`null`, "id"},
		{`5`, "answer"},
		{`[]`, "0 answers to 1 calls"},
		{`{"id":7,"result":{}}`, "want 1"},
		{`{"id":1}`, "neither result nor error"},
		{`{"id":1,"result":{}} {}`, "more than one"},
		{`{"id":1,"result":"`, "EOF"},
	} {
		_, err := decode([]byte(c.answer), []Call{{Method: "ping"}}, []uint64{1})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.answer, err, c.want)
		}
	}
}

// Batches are split before the server would refuse them, and keep their order.
func TestBatchesAreSplit(t *testing.T) {
	var sizes []int
	c := &Client{link: linkFunc(func(b []byte) ([]byte, error) {
		if len(b) > maxBatch+2 {
			t.Errorf("a message of %d bytes", len(b))
		}
		asked := requests(b)
		sizes = append(sizes, len(asked))
		out := []map[string]any{}
		for _, a := range asked {
			out = append(out, map[string]any{"id": a.ID, "result": a.Params["n"]})
		}
		return json.Marshal(out)
	})}
	pad := strings.Repeat("x", 1000)
	calls := make([]Call, 1200)
	got := make([]int, len(calls))
	for i := range calls {
		calls[i] = Call{"ping", Params{"n": i, "pad": pad}, &got[i]}
	}
	if err := c.Batch(t.Context(), calls); err != nil {
		t.Fatal(err)
	}
	for i, n := range got {
		if n != i {
			t.Fatalf("call %d was answered %d", i, n)
		}
	}
	if len(sizes) != 3 {
		t.Errorf("messages of %v calls, want three", sizes)
	}
}

type linkFunc func([]byte) ([]byte, error)

func (f linkFunc) exchange(_ context.Context, b []byte) ([]byte, error) { return f(b) }
func (linkFunc) Close() error                                           { return nil }

// A busy server is asked again, and work in progress is waited for by its ticket.
func TestTryAgainAndTickets(t *testing.T) {
	answers := []string{`"error":{"code":-32001,"message":"busy"}`,
		`"error":{"code":-32002,"message":"wait","specific_err":"42"}`,
		`"error":{"code":-32002,"message":"wait","specific_err":"42"}`, `"result":"done"`}
	var asked []string
	c := &Client{link: linkFunc(func(b []byte) ([]byte, error) {
		r := requests(b)[0]
		asked = append(asked, fmt.Sprint(r.Method, r.Params["ticket_id"]))
		a := fmt.Sprintf(`{"id":%s,%s}`, r.ID, answers[0])
		answers = answers[1:]
		return []byte(a), nil
	})}
	var got string
	if err := c.Call(t.Context(), "slow", nil, &got); err != nil || got != "done" {
		t.Fatal(got, err)
	}
	if want := "[slow<nil> slow<nil> get_async_results42 get_async_results42]"; fmt.Sprint(asked) != want {
		t.Errorf("asked %v, want %v", asked, want)
	}
}

func TestCountersSinceABaseline(t *testing.T) {
	a, b := Counters{TxPackets: 10, RxPackets: 3}, Counters{TxPackets: 4, RxPackets: 5}
	if d := a.Since(b); d != (Counters{TxPackets: 6, RxPackets: 3}) {
		t.Errorf("%+v: want the difference, and from 0 what went back", d)
	}
}

// Whatever a server answers is a result or an error, for any number of calls.
func FuzzDecode(f *testing.F) {
	for i, e := range sessions(f) {
		if i%20 == 0 {
			f.Add([]byte(e.Response))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r struct{ Result any }
		decode(b, []Call{{Method: "ping", Result: &r.Result}}, []uint64{1})
		decode(b, make([]Call, 3), []uint64{1, 2, 3})
	})
}

func FuzzUnpack(f *testing.F) {
	f.Add(Pack([]byte("{}")), 100)
	f.Add([]byte{0xab, 0xe8, 0x5c, 0xea, 0, 0, 0, 5}, 100)
	f.Fuzz(func(t *testing.T, b []byte, limit int) {
		limit &= 0xffff
		body, _, err := Unpack(b, limit)
		if err == nil && len(body) > limit {
			t.Fatalf("%d bytes of at most %d", len(body), limit)
		}
		again, packed, err := Unpack(Pack(b), len(b))
		if err != nil || !packed || !bytes.Equal(again, b) {
			t.Fatalf("packed and unpacked: %q, %v, %v", again, packed, err)
		}
	})
}
