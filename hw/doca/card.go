//go:build doca

package doca

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"

	"github.com/smartinco/smartinco/flow"
)

// card is the shim, as Go sees it. All its methods are for the thread that opened it.
type card struct {
	requests [batch]C.struct_si_request
	answers  [2 * batch]C.struct_si_done
	ids      [batch]C.uint32_t
	counts   [batch]C.struct_si_count
}

// batch is how many requests go to the card in one call.
const batch = 64

type count struct{ packets, bytes uint64 }

// dropPort is the port of a rule that drops.
const dropPort = C.SI_DROP

type op = uint8

const (
	opAdd    op = C.SI_ADD
	opMove   op = C.SI_MOVE
	opRemove op = C.SI_REMOVE
	opAged   op = C.SI_AGED
)

// order is a request to the card.
type order struct {
	op     op
	port   int            // add, move
	rule   uint32         // move, remove
	idle   uint32         // add: seconds
	tuple  flow.FiveTuple // add
	cookie uint64
}

// outcome is its answer.
type outcome struct {
	op       op
	ok, gone bool
	why      int16
	rule     uint32
	cookie   uint64
	count
}

// reason says why a request was refused.
func (o *outcome) reason() string { return C.GoString(C.si_reason(C.int16_t(o.why))) }

// failed is the shim's last error.
func failed() error { return errors.New(C.GoString(C.si_error())) }

func (c *card) open(cfg *Config) error {
	texts := [...]*C.char{C.CString(cfg.PCI), C.CString(cfg.Representors), C.CString(strings.Join(cfg.Ports, " ")),
		C.CString(cfg.Probe), C.CString(cfg.Mode), C.CString(cfg.EAL)}
	defer func() {
		for _, t := range texts {
			C.free(unsafe.Pointer(t))
		}
	}()
	in := C.struct_si_config{
		pci: texts[0], representors: texts[1], devices: texts[2], probe: texts[3], mode: texts[4], eal: texts[5],
		rules: C.uint32_t(cfg.Rules), queue_depth: C.uint32_t(cfg.QueueDepth),
	}
	if cfg.DropOthers {
		in.others = C.SI_OTHERS_DROP
	}
	if cfg.MoveInPlace {
		in.in_place = 1
	}
	if C.si_open(&in) != C.SI_OK {
		return failed()
	}
	return nil
}

func (c *card) close() { C.si_close() }

// release is the SDK's version.
func (c *card) release() string { return C.GoString(C.si_release()) }

// apply sends orders and returns how many it has taken: not all if the queue is full.
func (c *card) apply(orders []order) int {
	n := min(len(orders), batch)
	for k, o := range orders[:n] {
		q := &c.requests[k]
		*q = C.struct_si_request{op: C.uint8_t(o.op), port: C.uint16_t(o.port), rule: C.uint32_t(o.rule),
			idle_s: C.uint32_t(o.idle), cookie: C.uint64_t(o.cookie)}
		if o.op != opAdd {
			continue
		}
		t := &q.tuple
		t.proto, t.src_port, t.dst_port = C.uint8_t(o.tuple.Proto), C.uint16_t(o.tuple.SrcPort),
			C.uint16_t(o.tuple.DstPort)
		src, dst := o.tuple.Src.AsSlice(), o.tuple.Dst.AsSlice()
		if len(src) == 16 {
			t.v6 = 1
		}
		for b := range src {
			t.src[b], t.dst[b] = C.uint8_t(src[b]), C.uint8_t(dst[b])
		}
	}
	var taken C.uint32_t
	C.si_apply(&c.requests[0], C.uint32_t(n), &taken)
	return int(taken)
}

// poll gives each answer that has come. If none has, it waits for one up to the given time.
func (c *card) poll(microseconds int, each func(outcome)) error {
	var n C.uint32_t
	if C.si_poll(C.uint64_t(microseconds), &c.answers[0], C.uint32_t(len(c.answers)), &n) != C.SI_OK {
		return failed()
	}
	for _, a := range c.answers[:n] {
		each(outcome{op: op(a.op), ok: a.ok != 0, gone: a.gone != 0, why: int16(a.why), rule: uint32(a.rule),
			cookie: uint64(a.cookie),
			count:  count{uint64(a.packets), uint64(a.bytes)}})
	}
	return nil
}

func (c *card) pending() int { return int(C.si_pending()) }

// age makes idle rules end; poll reports them.
func (c *card) age() { C.si_age(1000) }

// query reads the counters of rules and gives each with its index.
func (c *card) query(rules []uint32, each func(k int, c count)) error {
	for at := 0; at < len(rules); at += batch {
		part := rules[at:min(at+batch, len(rules))]
		for k, id := range part {
			c.ids[k] = C.uint32_t(id)
		}
		if C.si_query(&c.ids[0], C.uint32_t(len(part)), &c.counts[0]) != C.SI_OK {
			return failed()
		}
		for k := range part {
			each(at+k, count{uint64(c.counts[k].packets), uint64(c.counts[k].bytes)})
		}
	}
	return nil
}

func (c *card) egress(port, to int) error {
	if C.si_egress(C.uint16_t(port), C.uint16_t(to)) != C.SI_OK {
		return fmt.Errorf("the output of port %d: %w", port, failed())
	}
	return nil
}

func (c *card) egressEnd(port int) (count, error) {
	var last C.struct_si_count
	if C.si_egress_end(C.uint16_t(port), &last) != C.SI_OK {
		return count{}, failed()
	}
	return count{uint64(last.packets), uint64(last.bytes)}, nil
}

func (c *card) egressCount(port int) (count, error) {
	var now C.struct_si_count
	if C.si_egress_count(C.uint16_t(port), &now) != C.SI_OK {
		return count{}, failed()
	}
	return count{uint64(now.packets), uint64(now.bytes)}, nil
}
