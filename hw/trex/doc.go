// Package trex drives a TRex traffic generator in stateless mode (STL, API 5.1) through its JSON-RPC server.
//
// The generator is another process, often on another machine. This package tells it what to send:
//
//	c, err := trex.Dial(ctx, trex.Options{Addr: "192.0.2.7:4501", User: "smartinco"})
//	tx, err := c.Acquire(ctx, 0, false)               // never by force unless told
//	streams, err := trex.Streams(flows)               // constant-rate flows to TRex streams
//	err = tx.Replace(ctx, streams)                    // one batch, then the server's own validation
//	err = c.Mark(ctx)                                 // counters are counted from here
//	err = tx.Start(ctx, trex.Run{Duration: 30 * time.Second})
//	err = c.WaitDone(ctx, tx)
//	stats, err := c.PortStats(ctx, 0)
//	flows, err := c.FlowStats(ctx)
//	err = tx.Stop(ctx)                                // also makes the receive counters ready for the next run
//
// The package follows the behaviour of a running TRex v3.08, since the manual is wrong in a dozen places. What may
// surprise:
//
//   - The transport is ZeroMQ REQ on TCP port 4501. A REQ socket cannot ask again, so after a timeout the connection
//     is closed and the next call makes a new one. A request that got no answer may or may not have been carried out.
//   - There are no notifications, params are always an object, and a batch of one is answered by an object.
//   - Counters cannot be cleared, so Mark keeps a baseline. Reported rates are moving averages that linger: compute
//     rates from counters.
//   - Events wait on the server and are fetched. After ten seconds without a fetch the server silently drops them, so
//     WaitDone relies on the port's state.
//   - The server stops counting received packets of a flow after a stop, unless its receive filters are removed and
//     set again by the next start.
//   - Frame sizes here include the four bytes of the frame check sequence, as everywhere in SmartINCO: a 64-byte frame
//     is 60 bytes of packet for TRex.
package trex
