//go:build doca && standin

package doca

// The stand-in's release is chosen from outside: CGO_CFLAGS=-DSTANDIN_RELEASE=303.

// #cgo CFLAGS: -std=gnu11 -Wall -I${SRCDIR}/../standins/doca/include -I${SRCDIR}/../standins/doca/src
// #cgo LDFLAGS: -lpthread
// #include <stdlib.h>
// #include "doca_version.h"
// #include "standin.h"
// #include "violations.h"
import "C"

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	// so that the go command recompiles when the stand-in's C files change
	_ "github.com/smartinco/smartinco/hw/standins/doca"
)

// HasStandIn says whether this program has the stand-in for DOCA Flow.
const HasStandIn = true

// present gives the card the representors that the driver expects, unless a test has given it others.
func (s *Switch) present() {
	if !presented {
		givenRepresentors(s.cfg.Ports)
	}
}

var presented bool

func givenRepresentors(devices []string) {
	names := make([]*C.char, 0, len(devices)+1)
	for _, d := range devices {
		names = append(names, C.CString(d))
	}
	C.standin_representors(unsafe.SliceData(append(names, nil)), C.uint32_t(len(names)))
	for _, n := range names {
		C.free(unsafe.Pointer(n))
	}
}

// withRepresentors gives the card representors of these devices, whatever the driver expects; without devices, it ends
// that.
func withRepresentors(devices ...string) {
	presented = devices != nil
	givenRepresentors(devices)
}

// probedWith and mode are what the card was opened with.
func probedWith() string { return C.GoString(C.standin_probe()) }
func mode() string       { return C.GoString(C.standin_mode()) }

// wire makes the card's ports network devices. Their namespace becomes that of the thread, which is the driver's own.
func (s *Switch) wire() error {
	w := s.cfg.StandIn
	if w == nil {
		return nil
	}
	ns, err := netns.GetFromPid(os.Getpid())
	if w.Netns != "" {
		ns, err = netns.GetFromName(w.Netns)
	}
	if err == nil {
		err = netns.Set(ns)
		ns.Close()
	}
	if err != nil {
		return fmt.Errorf("network namespace %q: %w", w.Netns, err)
	}
	kernel, err := peer(s.cfg.Uplink)
	if err != nil {
		return fmt.Errorf("uplink %s: %w", s.cfg.Uplink, err)
	}
	names := make([]*C.char, 0, len(s.cfg.Ports)+2)
	for _, n := range slices.Concat([]string{w.Wire}, s.cfg.Ports, []string{kernel}) {
		names = append(names, C.CString(n))
	}
	defer func() {
		for _, n := range names {
			C.free(unsafe.Pointer(n))
		}
	}()
	ports := len(names) - 1
	if why := C.standin_wire(&names[0], C.uint32_t(ports), names[ports]); why != nil {
		return fmt.Errorf("stand-in: %s", C.GoString(why))
	}
	C.standin_counters(C.uint32_t(max(s.cfg.CounterLag.Milliseconds()/2, 1)))
	return nil
}

func (s *Switch) unwire() {
	if s.cfg.StandIn != nil {
		C.standin_unwire()
	}
}

// peer is the other end of a pair of virtual Ethernet devices.
func peer(name string) (string, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return "", err
	}
	v, ok := l.(*netlink.Veth)
	if !ok {
		return "", fmt.Errorf("a device of type %s: want one of a pair of virtual Ethernet devices", l.Type())
	}
	index, err := netlink.VethPeerIndex(v)
	if err == nil {
		l, err = netlink.LinkByIndex(index)
	}
	if err != nil {
		return "", fmt.Errorf("its peer: %w", err)
	}
	return l.Attrs().Name, nil
}

// carried is what the wires have carried.
func carried() (received, left, sent, unsent uint64) {
	t := C.standin_carried()
	return uint64(t.received), uint64(t.left), uint64(t.sent), uint64(t.unsent)
}

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
	v := C.standin_packet(C.uint16_t(port), (*C.uint8_t)(unsafe.Pointer(unsafe.SliceData(frame))),
		C.uint32_t(len(frame)))
	return verdict{int(v.kind), int(v.port)}
}

// refuse makes a call of the SDK fail after so many that go well; "" ends that.
func refuse(call string, after, times int) { refuseWith(call, after, times, C.DOCA_ERROR_DRIVER) }

// busy makes a call of the SDK ask to be called again.
func busy(call string, after, times int) { refuseWith(call, after, times, C.DOCA_ERROR_AGAIN) }

func refuseWith(call string, after, times int, err C.int) {
	name := C.CString(call)
	defer C.free(unsafe.Pointer(name))
	C.standin_fail(name, C.uint32_t(after), C.uint32_t(times), err)
}

// noteCalls begins to note calls of the SDK; noted returns their names.
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
func passSeconds(n int)    { C.standin_pass(C.uint32_t(n)) }           // of idle rules
func completeAtMost(n int) { C.standin_pace(C.uint32_t(n)) }           // in one call
func spent() time.Duration { return time.Duration(C.standin_spent()) } // in the stand-in
func limitEntries(n int)   { C.standin_limit(C.uint32_t(n)) }
func entries() int         { return int(C.standin_entries()) }
func objects() int         { return int(C.standin_objects()) }
func misuse() string       { return C.GoString(C.standin_misuse()) }
func newCard()             { C.standin_reset() }

// release is the one that the stand-in plays: 300 for 3.0.
func release() int { return int(C.STANDIN_RELEASE) }
