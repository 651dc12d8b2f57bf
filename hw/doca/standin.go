//go:build doca && standin

package doca

// The stand-in's release is chosen from outside: CGO_CFLAGS=-DSTANDIN_RELEASE=303.

// #cgo CFLAGS: -std=gnu11 -Wall -I${SRCDIR}/standin/include -I${SRCDIR}/standin
// #cgo LDFLAGS: -lpthread
// #include <stdlib.h>
// #include "doca_version.h"
// #include "standin.h"
import "C"

import "unsafe"

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
func refuse(call string, after, times int) {
	name := C.CString(call)
	defer C.free(unsafe.Pointer(name))
	C.standin_fail(name, C.uint32_t(after), C.uint32_t(times), failure)
}

const failure = 14 // DOCA_ERROR_DRIVER of the stand-in

func countersEvery(ms int) { C.standin_counters(C.uint32_t(ms)) }
func refreshCounters()     { C.standin_refresh() }
func passSeconds(n int)    { C.standin_pass(C.uint32_t(n)) }
func limitEntries(n int)   { C.standin_limit(C.uint32_t(n)) }
func entries() int         { return int(C.standin_entries()) }
func objects() int         { return int(C.standin_objects()) }
func misuse() string       { return C.GoString(C.standin_misuse()) }
func newCard()             { C.standin_reset() }

// release is the one that the stand-in plays: 300 for 3.0.
func release() int { return int(C.STANDIN_RELEASE) }
