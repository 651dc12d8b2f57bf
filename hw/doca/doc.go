// Package doca drives the eSwitch of a BlueField through DOCA Flow: hardware steering, without Open vSwitch in between.
//
// It is in two parts. The shim, in C, is all that sees NVIDIA's SDK: releases.h makes one interface of the releases
// from 2.7 to 3.3, start.c opens the card, shim.c carries out requests; shim.h is what it offers, in numbers. The
// driver in Go asks it for rules and reads what became of them. Since the SDK is needed to compile the shim, both are
// behind the build tag doca, and without it Open says how to build with it:
//
//	CGO_ENABLED=1 go build -tags doca ./cmd/smartinco
//
// With the tags doca and standin the shim is compiled against the stand-in for the SDK (hw/standins/doca), which keeps
// rules in memory and breaks where the SDK is documented to. The driver's tests run on it, as seven releases. It also
// forwards real frames between network devices by those rules, so that the lab runs on it: Config.StandIn.
//
// # Rules
//
// A root pipe separates what comes in at the uplink from what comes in elsewhere. The former goes by way of a pipe that
// looks at the protocols to one of four pipes, for TCP and UDP over IPv4 and IPv6, with an entry for each flow: it
// counts, and forwards to the instance's port. What matches none goes to the kernel, which shows it on the uplink's
// network device; there the driver reads it and reports a packet-in. What comes out of an instance meets a pipe with an
// entry for each port, which counts and forwards to the sink.
//
// An instance's counter is the sum of what its rules counted while they led to it. The card renews its counters every
// half second or second, so what a rule counts between the last renewal and a move is charged to the new instance. What
// it counts between the last renewal and its removal is lost: the card forgets an entry's counter with the entry.
//
// A rule is moved by removing its entry and adding another; until the second is in force, some tenths of a millisecond,
// the flow's packets are packet-ins. Config.MoveInPlace changes the entry instead, as the interface offers. No program
// of NVIDIA's does that with pipes of this kind, and of two public programs that do, one sees an entry changed once in
// its life and never without actions, which this driver has none of, and one sees the removal of changed entries fail.
//
// # What has not been tried
//
// This driver has never been run on a card. docs/hardware.md lists what to check first.
package doca

import (
	"errors"
	"io"
	"time"
)

// ErrNotBuilt says that this program was built without DOCA Flow.
var ErrNotBuilt = errors.New("this program was built without DOCA Flow; on the card, or in NVIDIA's development " +
	"container, build it with CGO_ENABLED=1 go build -tags doca ./cmd/smartinco")

// Config says which card, and how much of it is used. PCI, Representors, Uplink and Ports must be given.
type Config struct {
	PCI          string   // address of the physical function, 0000:03:00.0
	Representors string   // in DPDK's notation: vf[0-3]. From 3.1 they are found by Ports, unless Probe names them
	Uplink       string   // network device of the uplink, port 0 of DPDK
	Ports        []string // network devices of the representors, in their order: ports 1, 2, ... of DPDK
	Sink         string   // one of the above, to which the instances' output goes; the uplink if empty

	// device arguments; empty for those of the release. With representor= among them, those are all
	Probe       string
	Mode        string        // of DOCA Flow; empty for that of the release, such as switch,hws,isolated,hairpinq_num=4
	EAL         string        // more arguments for DPDK, separated by spaces
	Rules       int           // that each of the four pipes can hold; 0 means 8192
	QueueDepth  int           // requests under way at a time; 0 means 128
	MoveInPlace bool          // move by changing an entry, which public programs saw fail
	DropOthers  bool          // drop what is neither TCP nor UDP, rather than leave it to the kernel
	CounterLag  time.Duration // how old counters may be; 0 means 1 s

	PacketInQueue int // 0 means 1024

	StandIn *StandIn // in a program that was built with the stand-in for the SDK, and there alone

	// Reader and Writer open a network device for frames: each Read gives one that came in, each Write sends one. Nil
	// opens a packet socket.
	Reader func(name string) (io.ReadCloser, error)
	Writer func(name string) (io.WriteCloser, error)
}

// StandIn is how the stand-in for the SDK carries packets: the card's ports are network devices of the same names, and
// its counters are renewed twice in Config.CounterLag.
type StandIn struct {
	Netns string // network namespace of the devices, as ip-netns(8) names it; that of the process if empty

	// Wire is the device at which the traffic comes in, since Uplink is, as on a card, the kernel's view of that port:
	// one end of a pair of virtual Ethernet devices, where what rules leave to the kernel comes in.
	Wire string
}
