// Package trexserver stands in for TRex on machines without it: it speaks the same JSON-RPC protocol and sends and
// receives real packets on Linux network interfaces.
//
// Prefer the real TRex wherever it can run: it drives a NIC at millions of packets a second, where a packet socket
// reaches some hundred thousand. This package is for the lab, which has no NIC, and for the tests of the client
// (package hw/trex).
//
// It answers as TRex v3.08 (STL API 5.1) does, down to the texts of its refusals, for what the scenarios and TRex's own
// Python client need; any other method is "not registered". The tests replay sessions that were recorded with
// that release (hw/trex/testdata), and states_test.go says of each refusal whether it was recorded, tried, or read in
// TRex's source. The stand-in differs on purpose in four ways:
//
//   - It survives the messages that make the original abort: a number, string or boolean at the top level, and an
//     array that holds one, or an array.
//   - get_version says in built_by who it is, and get_supported_cmds lists what there is here.
//   - The field engine knows flow_var, write_flow_var and fix_checksum_ipv4; other instructions are refused when the
//     stream is added.
//   - Per-flow statistics need IPv4 without a VLAN tag.
//
// The parts, each a file: json (a parser that knows where in the request a value was, because the refusals say it),
// rpc (envelope, batches, dispatch), commands (the table of methods), port and stream (the state behind them), program
// (the field engine), engine (when each packet goes out), flows (per-flow statistics), graph (what validate expects),
// events, publish and serve (the two ZeroMQ sockets), device (AF_PACKET).
//
// Time enters only through Server's clock and packets only through Device, so that the tests replay hours of recorded
// sessions in a moment.
package trexserver
