package trexserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/hw/trex"
)

// refusals are what TRex v3.08 says to each command that needs a port of one's own, by the state of the port's default
// profile; "" is no refusal. A command of the driver's that is missing here fails the test. Where each was seen:
//
//	(n)  exchange n of ../../trex/testdata/sessions.jsonl, recorded with a v3.08 server
//	(v)  tried on a running v3.08 with this driver
//	(s)  read in the source of a release with profiles, trex_stl_port.cpp, and not seen on the wire
//
// The state of a link stands with the states: traffic is not started on one that is down (s).
var refusals = map[string]map[trex.State]string{
	"acquire": {}, "release": {}, // in any state (n: 365 after 364, and others)
	"set_port_attr": {}, "service": {}, "set_rx_feature": {},
	// 156; s
	"add_stream": {trex.Sending: state("add_stream", "TX"), trex.Paused: state("add_stream", "PAUSE")},
	"remove_stream": {trex.Idle: "stream 1 does not exists in profile_id(_)",
		trex.Sending: state("remove_stream", "TX"), trex.Paused: state("remove_stream", "PAUSE")},
	// 56, 157; s
	"remove_all_streams": {trex.Sending: state("remove_and_delete_all_streams", "TX"),
		trex.Paused: state("remove_and_delete_all_streams", "PAUSE")},
	"validate": {trex.Idle: "no streams attached to port"}, // s
	// 58, 112; s
	"start_traffic": {trex.Idle: state("start", "IDLE"), trex.Sending: state("start", "TX"),
		trex.Paused: state("start", "PAUSE"),
		trex.Down:   "Link state is DOWN."},
	// 177, in any state
	"stop_traffic": {},
	// v; s
	"remove_rx_filters": {trex.Idle: state("remove_rx_filters", "IDLE"), trex.Sending: state("remove_rx_filters", "TX"),
		trex.Paused: state("remove_rx_filters", "PAUSE")},
	// s, 179
	"update_traffic": {trex.Idle: state("update", "IDLE"), trex.Ready: state("update", "STREAMS")},
	// s
	"pause_traffic": {trex.Idle: state("pause", "IDLE"), trex.Ready: state("pause", "STREAMS"),
		trex.Paused: state("pause", "PAUSE")},
	// s, 171
	"resume_traffic": {trex.Idle: state("resume", "IDLE"), trex.Ready: state("resume", "STREAMS"),
		trex.Sending: state("resume", "TX")},
	"update_streams": {trex.Idle: state("update", "IDLE"), trex.Ready: state("update", "STREAMS")}, // s
	"pause_streams":  {trex.Idle: state("pause", "IDLE"), trex.Ready: state("pause", "STREAMS")},   // s
	"resume_streams": {trex.Idle: state("resume", "IDLE"), trex.Ready: state("resume", "STREAMS")}, // s
}

func state(command, in string) string {
	return fmt.Sprintf("command '%s' cannot be executed on current state: '%s on profile_id(_).", command, in)
}

// in is a bench whose port 0, owned by handler8, is in a state.
func in(t *testing.T, s trex.State) *bench {
	t.Helper()
	b := newBench()
	b.owner(t)
	if s != trex.Idle {
		endless := burst(unhex(t, udp), 1, 1000, dict{"enabled": false})
		endless["mode"] = dict{"type": "continuous", "rate": dict{"type": "pps", "value": 1000}}
		b.command(t, "add_stream", dict{"stream_id": 1, "stream": endless})
	}
	if s == trex.Sending || s == trex.Paused {
		b.command(t, "start_traffic", start)
	}
	if s == trex.Paused {
		b.command(t, "pause_traffic", dict{})
	}
	b.cables[0].down = s == trex.Down
	if got := b.ports[0].state(); s != trex.Down && got != s {
		t.Fatalf("port 0 is in state %s, want %s", got, s)
	}
	return b
}

// A command in a state that it is not for is refused as TRex refuses it, with its code and its words, and in any other
// carried out. One that needs an owned port is refused to everybody else.
func TestCommandsByState(t *testing.T) {
	params := map[string]dict{
		"acquire":       {"user": "tester", "session_id": 1, "force": false},
		"set_port_attr": {"attr": dict{"promiscuous": dict{"enabled": true}}},
		"service":       {"enabled": false}, "set_rx_feature": {"type": "queue", "enabled": false},
		"add_stream":    {"stream_id": 2, "stream": burst(unhex(t, udp), 1, 100, dict{"enabled": false})},
		"remove_stream": {"stream_id": 1}, "start_traffic": start,
		"update_traffic": {"mul": start["mul"], "force": false}, "update_streams": {"mul": start["mul"], "force": false,
			"stream_ids": []int{1}},
		"pause_streams": {"stream_ids": []int{1}}, "resume_streams": {"stream_ids": []int{1}},
	}
	type answer struct {
		Result any
		Error  *struct {
			Code     trex.Code
			Message  string
			Specific string `json:"specific_err"`
		}
	}
	call := func(b *bench, method, handler string) (a answer) {
		p := maps.Clone(params[method])
		if p == nil {
			p = dict{}
		}
		p["api_h"], p["port_id"], p["handler"] = b.handle, 0, handler
		if err := json.Unmarshal(b.Handle(encode(dict{"jsonrpc": "2.0", "id": 1, "method": method, "params": p})),
			&a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, method := range slices.Sorted(maps.Keys(commands)) {
		by, known := refusals[method]
		if commands[method].port == owned && !known {
			t.Errorf("%s: nothing is known of what TRex says to it in each state", method)
		}
		if !known {
			continue
		}
		for _, s := range []trex.State{trex.Idle, trex.Ready, trex.Sending, trex.Paused, trex.Down} {
			a, want := call(in(t, s), method, "handler8"), by[s]
			if s == trex.Down && want == "" { // the link alone is: the port has streams
				want = by[trex.Ready]
			}
			switch {
			case want == "" && a.Error != nil:
				t.Errorf("%s in %s is refused: %+v", method, s, *a.Error)
			case want != "" && (a.Error == nil || a.Error.Code != trex.CodeExecute ||
				a.Error.Message != "Failed To Execute Method" || a.Error.Specific != want):
				t.Errorf("%s in %s: %+v, want code %d and %q", method, s, a.Error, trex.CodeExecute, want)
			}
		}
		if commands[method].port != owned {
			continue
		}
		free := in(t, trex.Idle)
		free.command(t, "release", dict{})
		for _, c := range []struct {
			b    *bench
			want string
		}{
			{in(t, trex.Idle), "port is not owned by you or your current executing session"}, // 51, 366, 434
			{free, "please acquire the port before modifying port state"},                    // 41, 365
		} {
			if a := call(c.b, method, "another8"); a.Error == nil || a.Error.Code != trex.CodeExecute ||
				a.Error.Specific != c.want {
				t.Errorf("%s with another's handler: %+v, want %q", method, a.Error, c.want)
			}
		}
	}
}

// What has an end of its own cannot be paused (205; the other s), and streams are given absolute rates alone (s).
func TestWhatTheStateDoesNotDecide(t *testing.T) {
	for _, c := range []struct {
		method   string
		bursts   bool
		duration float64
		params   dict
		want     string
	}{
		{"pause_traffic", true, -1, dict{}, " pause is supported when all streams are in continues mode "},
		{"pause_traffic", false, 10, dict{}, " pause is supported when duration is not enable is start command "},
		{"pause_streams", true, -1, dict{"stream_ids": []int{1}},
			" pause is supported when all streams are in continues mode "},
		{"pause_streams", false, 10, dict{"stream_ids": []int{1}},
			" pause is supported when duration is not enable is start command "},
		{"update_streams", false, -1, dict{"stream_ids": []int{1}, "force": false,
			"mul": dict{"type": "raw", "op": "add", "value": 1}}, "Must use absolute multiplier for updating stream"},
	} {
		b := in(t, trex.Ready)
		if c.bursts {
			b.command(t, "add_stream", dict{"stream_id": 2,
				"stream": burst(unhex(t, udp), 1000, 100, dict{"enabled": false})})
		}
		run := maps.Clone(start)
		run["duration"] = c.duration
		b.command(t, "start_traffic", run)
		p := maps.Clone(c.params)
		p["api_h"], p["port_id"], p["handler"] = b.handle, 0, "handler8"
		var a struct {
			Error struct {
				Specific string `json:"specific_err"`
			}
		}
		if err := json.Unmarshal(b.Handle(encode(dict{"jsonrpc": "2.0", "id": 1, "method": c.method, "params": p})),
			&a); err != nil || a.Error.Specific != c.want {
			t.Errorf("%s: %q, want %q", c.method, a.Error.Specific, c.want)
		}
	}
}
