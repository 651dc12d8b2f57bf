//go:build doca && standin

package doca

// The stand-in's release is chosen from outside: CGO_CFLAGS=-DSTANDIN_RELEASE=303.

// #cgo CFLAGS: -std=gnu11 -Wall -I${SRCDIR}/standin/include -I${SRCDIR}/standin
// #cgo LDFLAGS: -lpthread
// #include <stdlib.h>
// #include "doca_version.h"
// #include "standin.h"
// #include "violations.h"
import "C"

import (
	"strings"
	"unsafe"
)

// verdict is what the card's rules make of a frame.
type verdict struct {
	kind int
	port int
}

// What becomes of a frame.
const (
	dropped  = C.STANDIN_DROPPED
	toPort   = C.STANDIN_PORT
	toKernel = C.STANDIN_KERNEL
)

// receive puts a frame into the stand-in's card.
func receive(port int, frame []byte) verdict {
	v := C.standin_packet(C.uint16_t(port), (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(frame))), C.uint32_t(len(frame)))
	return verdict{int(v.kind), int(v.port)}
}

// refuse makes a call of the SDK fail after so many that go well; "" ends that.
func refuse(call string, after, times int) { refuseWith(call, after, times, C.DOCA_ERROR_DRIVER) }

// busy makes it ask to be called again.
func busy(call string, after, times int) { refuseWith(call, after, times, C.DOCA_ERROR_AGAIN) }

func refuseWith(call string, after, times int, err C.int) {
	name := C.CString(call)
	defer C.free(unsafe.Pointer(name))
	C.standin_fail(name, C.uint32_t(after), C.uint32_t(times), err)
}

// noteCalls has calls of the SDK noted; noted gives their names.
func noteCalls()      { C.standin_note() }
func noted() []string { return strings.Fields(C.GoString(C.standin_noted())) }

// violation is something that the SDK is documented to refuse.
type violation struct {
	name, said string
	v          *C.struct_violation
}

func violations() (all []violation) {
	for k := C.uint32_t(0); ; k++ {
		v := C.violation(k)
		if v == nil {
			return all
		}
		all = append(all, violation{C.GoString(v.name), C.GoString(v.said), v})
	}
}

// commit reports whether the stand-in refused.
func (v violation) commit() bool { return C.violate(v.v) != C.DOCA_SUCCESS }

func countersEvery(ms int) { C.standin_counters(C.uint32_t(ms)) }
func refreshCounters()     { C.standin_refresh() }
func passSeconds(n int)    { C.standin_pass(C.uint32_t(n)) } // of idle rules
func completeAtMost(n int) { C.standin_pace(C.uint32_t(n)) } // in one call
func limitEntries(n int)   { C.standin_limit(C.uint32_t(n)) }
func entries() int         { return int(C.standin_entries()) }
func objects() int         { return int(C.standin_objects()) }
func misuse() string       { return C.GoString(C.standin_misuse()) }
func newCard()             { C.standin_reset() }

// release is the one that the stand-in plays: 300 for 3.0.
func release() int { return int(C.STANDIN_RELEASE) }
