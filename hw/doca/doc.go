// Package doca drives the eSwitch of a BlueField through DOCA Flow: hardware steering, without Open vSwitch in between.
//
// It has two parts. Only the shim, in C, sees NVIDIA's SDK: releases.h hides the differences between the releases from
// 2.7 to 3.3, start.c opens the card, shim.c carries out requests, and shim.h is the shim's interface, all in numbers.
// The driver, in Go, asks the shim for rules and reads the answers. Compiling the shim takes the SDK, so both are
// behind the build tag doca. Without the tag, Open says how to build with it:
//
//	CGO_ENABLED=1 go build -tags doca ./cmd/smartinco
//
// With the tags doca and standin the shim is compiled against the stand-in for the SDK (hw/standins/doca), which keeps
// rules in memory and breaks where the SDK is documented to. The driver's tests run on it, as seven releases. It also
// forwards real frames between network devices by those rules, so that the lab can run on it (Config.StandIn).
//
// # Rules
//
// A root pipe separates packets that come in at the uplink from all others. Packets from the uplink pass a pipe that
// looks at their protocols, and reach one of four pipes, for TCP and UDP over IPv4 and IPv6. These have an entry for
// each flow, which counts and forwards to the instance's port. A packet without an entry goes to the kernel, which
// shows it on the uplink's network device, where the driver reads it and reports a packet-in. Packets from an instance
// reach a pipe with an entry for each port, which counts and forwards to the sink.
//
// An instance's counter is the sum of what its rules counted while they led to it. The card renews its counters every
// half second or second. So what a rule counts between the last renewal and a move is charged to the new instance, and
// what it counts between the last renewal and its removal is lost, since the card removes an entry's counter with the
// entry.
//
// A move removes the rule's entry and adds another. Until the new one is in force, some tenths of a millisecond later,
// the flow's packets are packet-ins. Config.MoveInPlace changes the entry instead, as the interface allows. No program
// of NVIDIA's does that with pipes of this kind. Two public programs do: one found that an entry can be changed only
// once, and only if it has actions, which this driver's entries lack; the other found that changed entries cannot be
// removed.
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

	// device arguments; empty for those of the release. If they have representor=, that is the list of representors
	Probe       string
	Mode        string        // of DOCA Flow; empty for that of the release, such as switch,hws,isolated,hairpinq_num=4
	EAL         string        // more arguments for DPDK, separated by spaces
	Rules       int           // that each of the four pipes can hold; 0 means 8192
	QueueDepth  int           // requests under way at a time; 0 means 128
	MoveInPlace bool          // move by changing an entry, which public programs saw fail
	DropOthers  bool          // drop what is neither TCP nor UDP, rather than leave it to the kernel
	CounterLag  time.Duration // how old counters may be; 0 means 1 s

	PacketInQueue int // 0 means 1024

	StandIn *StandIn // only for a program that was built with the stand-in for the SDK

	// Reader and Writer open a network device for frames: each Read returns a frame that came in, each Write sends one.
	// If nil, the driver opens packet sockets.
	Reader func(name string) (io.ReadCloser, error)
	Writer func(name string) (io.WriteCloser, error)
}

// StandIn says how the stand-in for the SDK carries packets. The card's ports are network devices of the same names,
// and its counters are renewed twice in Config.CounterLag.
type StandIn struct {
	Netns string // network namespace of the devices, as ip-netns(8) names it; that of the process if empty

	// Wire is the device at which the traffic comes in. As on a card, Uplink is the kernel's view of that port: one end
	// of a pair of virtual Ethernet devices, where packets without a rule come in.
	Wire string
}
