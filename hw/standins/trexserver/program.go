package trexserver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"github.com/smartinco/smartinco/flow"
)

// instruction is a step of the field engine as the request gives it.
type instruction struct {
	kind, name, op       string
	size                 int
	first, low, high, by uint64
	offset, add          int
	bigEndian            bool
}

// instructionKinds are the steps that there are.
var instructionKinds = []string{"flow_var", "write_flow_var", "fix_checksum_ipv4"}

func parseInstruction(o object) instruction {
	in := instruction{kind: o.choice("type", instructionKinds)}
	switch in.kind {
	case "flow_var":
		in.name, in.op = o.str("name"), o.choice("op", []string{"inc", "dec", "random"})
		in.size = int(o.uint("size", 8, "byte"))
		if s := in.size; s != 1 && s != 2 && s != 4 && s != 8 {
			o.fail("VM: flow var size: %d is not 1, 2, 4 or 8", s)
		}
		in.first, in.low, in.high = o.uint("init_value", 64, "uint64"), o.uint("min_value", 64, "uint64"),
			o.uint("max_value", 64, "uint64")
		in.by = o.uint("step", 64, "uint64")
		if in.high < in.low {
			o.fail("VM: requested flow var max value: '%d' is smaller than min value: %d", in.high, in.low)
		}
		if in.size < 8 && in.high>>(8*max(in.size, 0)) != 0 {
			o.fail("VM: requested flow var max value: '%d' does not fit into %d bytes", in.high, in.size)
		}
		if in.first < in.low || in.first > in.high {
			o.fail("VM: requested flow var init value: '%d' is not between %d and %d", in.first, in.low, in.high)
		}
	case "write_flow_var":
		in.name, in.offset, in.add = o.str("name"), int(o.uint("pkt_offset", 16, "uint16")), o.int("add_value")
		in.bigEndian = o.boolean("is_big_endian")
	case "fix_checksum_ipv4":
		in.offset = int(o.uint("pkt_offset", 16, "uint16"))
	}
	return in
}

// variable is a flow_var at work.
type variable struct {
	instruction
	value uint64
	rng   *rand.Rand
}

// step moves on to the next value.
func (v *variable) step() {
	span := v.high - v.low // inclusive, so one less than the number of values
	switch {
	case v.op == "random":
		if span+1 == 0 {
			v.value = v.rng.Uint64()
		} else {
			v.value = v.low + v.rng.Uint64N(span+1)
		}
	case v.op == "inc":
		if v.high-v.value < v.by {
			v.value = v.low
		} else {
			v.value += v.by
		}
	default:
		if v.value-v.low < v.by {
			v.value = v.high
		} else {
			v.value -= v.by
		}
	}
}

// program is a field engine at work on a stream's packets.
type program struct {
	vars  []*variable
	steps []func(packet []byte)
}

// compile links a program to the length of the packets that it will change.
func compile(ins []instruction, length int) (*program, error) {
	p := &program{}
	byName := map[string]*variable{}
	for i, in := range ins {
		switch in.kind {
		case "flow_var":
			v := &variable{in, in.first, rand.New(rand.NewPCG(in.first, uint64(i)))}
			if byName[in.name] != nil {
				return nil, fmt.Errorf("instruction id '%d' flow variable name '%s' already exists", i, in.name)
			}
			byName[in.name] = v
			p.vars = append(p.vars, v)
		case "write_flow_var":
			v := byName[in.name]
			if v == nil {
				return nil, fmt.Errorf("instruction id '%d' packet write with no valid flow variable name '%s'", i,
					in.name)
			}
			if in.offset+v.size > length {
				return nil, fmt.Errorf("instruction id '%d' packet write of %d bytes at %d passes the packet's end "+
					"at %d", i, v.size, in.offset, length)
			}
			p.steps = append(p.steps, func(b []byte) {
				write(b[in.offset:], v.size, v.value+uint64(in.add),
					in.bigEndian)
			})
		case "fix_checksum_ipv4":
			if in.offset+20 > length {
				return nil, fmt.Errorf("instruction id '%d' IPv4 header at %d passes the packet's end at %d", i,
					in.offset, length)
			}
			p.steps = append(p.steps, func(b []byte) { fixIPv4(b[in.offset:]) })
		}
	}
	return p, nil
}

func write(b []byte, size int, v uint64, big bool) {
	var full [8]byte
	if big {
		binary.BigEndian.PutUint64(full[:], v)
		copy(b[:size], full[8-size:])
	} else {
		binary.LittleEndian.PutUint64(full[:], v)
		copy(b[:size], full[:])
	}
}

// run changes one packet.
func (p *program) run(packet []byte) {
	for _, step := range p.steps {
		step(packet)
	}
	for _, v := range p.vars {
		v.step()
	}
}

// fixIPv4 sets the checksum of the IPv4 header that b begins with.
func fixIPv4(b []byte) {
	n := int(b[0]&15) * 4
	if n < 20 || n > len(b) {
		return
	}
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], checksum(0, b[:n]))
}

// fixTransport sets the checksum of the TCP or UDP segment in the IPv4 packet that b begins with. One of UDP that was
// left out stays so (RFC 768).
func fixTransport(b []byte) {
	at := 0 // of the checksum in the header
	switch b[9] {
	case flow.TCP:
		at = 16
	case flow.UDP:
		at = 6
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if at == 0 || n > len(b) || n < 20+at+2 || binary.BigEndian.Uint16(b[6:])&0x3fff != 0 {
		return
	}
	segment := b[20:n]
	if b[9] == flow.UDP && segment[at] == 0 && segment[at+1] == 0 {
		return
	}
	segment[at], segment[at+1] = 0, 0
	sum := uint32(b[9]) + uint32(len(segment))
	for i := 12; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	c := checksum(sum, segment)
	if c == 0 && b[9] == flow.UDP {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(segment[at:], c)
}

// checksum is the Internet checksum (RFC 1071) of b, where sum comes before it.
func checksum(sum uint32, b []byte) uint16 {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
