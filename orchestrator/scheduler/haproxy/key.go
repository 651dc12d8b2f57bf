package haproxy

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var hashRow = policy.Row{
	Info: policy.Info{Name: "haproxy-hash",
		Rule:   "the instance that a map or a ring has for the hash of a key of the flow",
		Source: source + "backend.c, hash.c, lb_map.c, lb_chash.c", Score: "the entry of the map or the ring",
		Sees: policy.T0 | policy.T1, State: hashState, Cost: hashCost,
		Deviates: "a flow has no path and no header: a key of its five-tuple is hashed; " + hashLacks},
	Tuple:    true,
	Reasons:  reasons("entry of the key"),
	Counters: hashCounters,
	Maker:    policy.Make(newKeyHashed),
}

type hashOptions struct {
	Key           string `yaml:"key" enum:"five-tuple|src|dst|src-port|dst-port" default:"five-tuple"`
	Function      string `yaml:"function" enum:"auto|sdbm|djb2|wt6|crc32" default:"auto"`
	sourceOptions `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (hashOptions) Docs() string {
	return `
key: the bytes that are hashed: the addresses, the ports and the protocol, or one of them, in network order
function: hash-type's second word. auto: sdbm, which with consistent is then mixed once more
`
}

// keyHashed is balance uri, hdr and hash, of bytes that a flow has.
type keyHashed struct {
	hashed
	key      func(t *flow.FiveTuple, to []byte) []byte
	function func(key []byte) uint32
	bytes    []byte
}

var keys = map[string]func(t *flow.FiveTuple, to []byte) []byte{
	"five-tuple": func(t *flow.FiveTuple, to []byte) []byte {
		to = appendPort(appendPort(appendAddr(appendAddr(to, t.Src), t.Dst), t.SrcPort), t.DstPort)
		return append(to, t.Proto)
	},
	"src":      func(t *flow.FiveTuple, to []byte) []byte { return appendAddr(to, t.Src) },
	"dst":      func(t *flow.FiveTuple, to []byte) []byte { return appendAddr(to, t.Dst) },
	"src-port": func(t *flow.FiveTuple, to []byte) []byte { return appendPort(to, t.SrcPort) },
	"dst-port": func(t *flow.FiveTuple, to []byte) []byte { return appendPort(to, t.DstPort) },
}

func appendAddr(to []byte, a netip.Addr) []byte {
	if a.Is4() {
		b := a.As4()
		return append(to, b[:]...)
	}
	b := a.As16()
	return append(to, b[:]...)
}

func appendPort(to []byte, port uint16) []byte { return binary.BigEndian.AppendUint16(to, port) }

var functions = map[string]func(key []byte) uint32{"auto": sdbm, "sdbm": sdbm, "djb2": djb2, "wt6": wt6,
	"crc32": crc32.ChecksumIEEE}

func newKeyHashed(o hashOptions, env policy.Env) (policy.Policy, error) {
	if o.Modifier == "auto" && o.Function != "auto" {
		o.Modifier = "none"
	}
	h, err := newHashed(o.sourceOptions, env)
	if err != nil {
		return nil, err
	}
	return &keyHashed{hashed: *h.(*hashed), key: keys[o.Key], function: functions[o.Function]}, nil
}

func (k *keyHashed) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	k.bytes = k.key(&w.Tuple, k.bytes[:0])
	return k.choose(k.mix(k.function(k.bytes)), v, log)
}

func sdbm(key []byte) (h uint32) {
	for _, b := range key {
		h = uint32(b) + h*65599
	}
	return h
}

func djb2(key []byte) uint32 {
	h := uint32(5381)
	for _, b := range key {
		h = h*33 + uint32(b)
	}
	return h
}

// wt6 is HAProxy's own function, whose rotations depend on what it has read.
func wt6(key []byte) uint32 {
	h0, h1, left, right := uint32(0xa53c965a), uint32(0x5ca6953a), 6, 18
	for _, b := range key {
		h0, h1 = ^(h0 ^ uint32(b)), ^(h1 + uint32(b))
		h0, h1 = bits.RotateLeft32(h1, left), bits.RotateLeft32(h0, right)
		t := (h0>>16 ^ h1) & 0xffff
		left, right = int(t&31), int(t>>11)
	}
	return h0 ^ h1
}
