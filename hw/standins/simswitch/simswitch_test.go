package simswitch_test

import (
	"slices"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/standins/simswitch"
	"github.com/smartinco/smartinco/hw/switchtest"
)

// bench wires a device's ports to channels.
func bench(latency time.Duration) func(*testing.T) *switchtest.Bench {
	return func(t *testing.T) *switchtest.Bench {
		b := &switchtest.Bench{Uplink: "uplink", Sink: "sink", Ports: [6]string{"a", "b", "c", "d", "e", "f"}}
		d := simswitch.New(simswitch.Config{Uplink: b.Uplink, Sink: b.Sink, Ports: b.Ports[:], Latency: latency})
		out := map[string]chan []byte{}
		for _, p := range append(b.Ports[:], b.Uplink, b.Sink) {
			c := make(chan []byte, 1024)
			out[p] = c
			d.Connect(p, func(frame []byte) { c <- slices.Clone(frame) })
		}
		b.Open = func(adopt bool) (hw.Switch, error) { return d.Open(adopt) }
		b.Send = func(port string, frame []byte) error { d.Send(port, frame); return nil }
		b.Out = func(port string) <-chan []byte { return out[port] }
		b.Room = func(n int) error { d.Limit(d.Len() + n); return nil }
		b.Stop = func() error { d.Stop(); return nil }
		b.Start = func() error { d.Start(); return nil }
		b.Foreign = func(from, to string) error { d.Forward(from, to); return nil }
		b.Delete = func(r hw.Rule) error { d.Delete(r.Flow); return nil }
		b.Unplug = func(port string) error { d.Unplug(port); return nil }
		return b
	}
}

func TestConformance(t *testing.T) {
	t.Run("AtOnce", func(t *testing.T) { switchtest.Run(t, bench(0)) })
	t.Run("Late", func(t *testing.T) { switchtest.Run(t, bench(5*time.Millisecond)) })
}
