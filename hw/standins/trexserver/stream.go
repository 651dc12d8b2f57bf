package trexserver

import (
	"encoding/base64"
	"strings"
)

// What the original accepts for a packet, and what it pads to.
const (
	minPacket      = 14
	maxPacket      = 9238
	shortPacket    = 60
	fcs            = 4
	ethernetHeader = 14
	l1Overhead     = 20 // preamble and gap
)

// stream is what add_stream was given.
type stream struct {
	id      uint32
	json    dict // as it came, for get_stream
	packet  []byte
	flags   int
	enabled bool
	self    bool // starts with the traffic
	paused  bool // starts paused
	gap     float64
	next    int // stream that follows, -1: none
	actions uint64
	mode    string
	total   uint64 // packets of a burst
	bursts  uint64 // 0: for ever
	between float64
	rate    rate
	program []instruction
	group   *group
	latency bool
}

type rate struct {
	unit  string
	value float64
}

// pps is the stream's rate. The line rate is in bit/s.
func (s *stream) pps(line float64) float64 {
	l2 := float64(len(s.packet)+fcs) * 8
	l1 := l2 + 8*l1Overhead
	switch s.rate.unit {
	case "bps_L1":
		return s.rate.value / l1
	case "bps_L2":
		return s.rate.value / l2
	case "percentage":
		return s.rate.value / 100 * line / l1
	}
	return s.rate.value
}

// continuous tells whether the stream never ends by itself.
func (s *stream) continuous() bool {
	return s.mode == "continuous" || s.mode == "multi_burst" && s.bursts == 0
}

// flowRule is a stream's flow_stats.
type flowRule struct {
	id      uint32
	latency bool
}

// parseStream reads the parameters of add_stream in the order in which the original does, so that of several mistakes
// it names the same one.
func parseStream(o object) (*stream, *flowRule, error) {
	s := &stream{id: o.uint32("stream_id")}
	in := o.object("stream")
	mode := in.object("mode")
	s.mode = mode.str("type")
	if o.failed() != nil {
		return nil, nil, o.failed()
	}
	if s.mode != "continuous" && s.mode != "single_burst" && s.mode != "multi_burst" {
		return nil, nil, failed("bad stream type provided: '%s'", s.mode)
	}
	r := mode.object("rate")
	s.rate.unit = r.choice("type", []string{"pps", "bps_L1", "bps_L2", "percentage"})
	s.rate.value = r.udouble("value")
	total := map[string]string{"single_burst": "total_pkts", "multi_burst": "pkts_per_burst"}[s.mode]
	if total != "" {
		s.bursts = 1
		if s.total = uint64(mode.uint32(total)); s.total == 0 {
			o.fail("%s: '%s' cannot be zero.", s.mode, total)
		}
	}
	if s.mode == "multi_burst" {
		s.between = mode.udouble("ibg")
		s.bursts = uint64(mode.uint32("count"))
	}
	s.enabled = in.boolean("enabled")
	s.self = in.boolean("self_start")
	s.paused = in.has("start_paused") && in.boolean("start_paused")
	s.flags = in.int("flags")
	s.actions = uint64(in.uint32("action_count"))
	s.gap = in.udouble("isg")
	s.next = in.int("next_stream_id")
	if err := s.parsePacket(in.object("packet")); err != nil {
		return nil, nil, err
	}
	for _, v := range in.object("vm").array("instructions") {
		if v.kind != '{' {
			o.fail("error at offset: %d - 'instructions' holds '%s', expecting 'object'", v.at, kindNames[v.kind])
			break
		}
		s.program = append(s.program, parseInstruction(object{v.fields, o.err}))
	}
	var rule *flowRule
	if fs := in.object("flow_stats"); fs.boolean("enabled") {
		rule = &flowRule{fs.uint32("stream_id"), fs.choice("rule_type", []string{"stats", "latency"}) == "latency"}
		s.latency = rule.latency
	}
	if o.failed() != nil {
		return nil, nil, o.failed()
	}
	s.json, _ = o.fields["stream"].plain().(dict)
	return s, rule, nil
}

func (s *stream) parsePacket(o object) error {
	text := o.str("binary")
	if o.failed() != nil {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return failed("packet is not base64: %v", err)
	}
	if len(b) < minPacket || len(b) > maxPacket {
		return failed("Bad packet size provided: %d. Should be between %d and %d", len(b), minPacket, maxPacket)
	}
	s.packet = append(b, make([]byte, max(0, shortPacket-len(b)))...)
	o.str("meta")
	return nil
}
