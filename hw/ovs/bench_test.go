package ovs_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/ovs"
	"github.com/smartinco/smartinco/hw/ovs/openflow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// BenchmarkPacketInToFlowMod is the way of a flow's first packet: from the switch's write of the packet-in until it has
// read the flow-mod, over a Unix socket, one flow after the other. Whoever reads the events installs at once.
func BenchmarkPacketInToFlowMod(b *testing.B) {
	f := newFake(b)
	f.seen = make(chan openflow.FlowMod, 16)
	d, err := ovs.Open(context.Background(), ovs.Config{Address: f.address, Uplink: "uplink"})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	for range 4 {
		<-f.seen // the rules for misses
	}
	go func() {
		var n flow.ID
		for e := range d.Events() {
			if e.Kind == hw.PacketIn {
				_ = d.Install(hw.Rule{Flow: n, Tuple: e.Tuple, Instance: 1})
				n++
			}
		}
	}()
	frame := append(make([]byte, 12), 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1)
	frame = append(frame, make([]byte, 26)...)
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for n := range b.N {
		be.PutUint32(frame[26:], uint32(n)|10<<24)
		begin := time.Now()
		if err := f.packetIn(frame); err != nil {
			b.Fatal(err)
		}
		<-f.seen
		took = append(took, time.Since(begin))
	}
	b.StopTimer()
	slices.Sort(took)
	for _, p := range []int{50, 99} {
		b.ReportMetric(float64(took[min(len(took)*p/100, len(took)-1)].Nanoseconds())/1e3, fmt.Sprintf("µs/p%d", p))
	}
}

// steady opens a driver at a real switch with eight instances.
func steady(b *testing.B) *ovs.Driver {
	b.Helper()
	l := newLab(b, "uplink", "sink", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8")
	l.bridge()
	d, err := l.open(l.config())
	l.must(err)
	b.Cleanup(func() { _ = d.Close() })
	for i := range flow.Instance(8) {
		p := l.ports[2+i]
		l.must(d.Attach(context.Background(), i+1, hw.Ports{In: p, Out: p}))
	}
	return d
}

func confirm(b *testing.B, d *ovs.Driver) {
	b.Helper()
	if e := <-d.Events(); e.Kind != hw.Confirmed {
		b.Fatalf("%v: %s", e.Kind, e.Reason)
	}
}

// BenchmarkRuleSetup installs rules one by one, each confirmed by a barrier of its own, with some hundred under way, in
// tables of 10,000.
func BenchmarkRuleSetup(b *testing.B) {
	d := steady(b)
	const underWay, table = 256, 10_000
	b.ResetTimer()
	for done := 0; done < b.N; {
		n := min(table, b.N-done)
		for f := range n {
			if f >= underWay {
				confirm(b, d)
			}
			if err := d.Install(rule(f, flow.Instance(1+f%8))); err != nil {
				b.Fatal(err)
			}
		}
		for range min(n, underWay) {
			confirm(b, d)
		}
		b.StopTimer()
		done += n
		for f := range n {
			if err := d.Remove(flow.ID(f)); err != nil {
				b.Fatal(err)
			}
		}
		for range n {
			confirm(b, d)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rules/s")
}

// windows is a collector that follows the eight instances.
func windows() *telemetry.Collector {
	c := new(telemetry.Collector)
	for i := range flow.Instance(8) {
		c.Track(i + 1)
	}
	return c
}

// BenchmarkCounters10000Rules reads the counters of 10,000 rules and folds them into the windows of their instances.
func BenchmarkCounters10000Rules(b *testing.B) {
	d := steady(b)
	const table = 10_000
	for f := range table {
		if err := d.Install(rule(f, flow.Instance(1+f%8))); err != nil {
			b.Fatal(err)
		}
	}
	for range table {
		confirm(b, d)
	}
	ctx := context.Background()
	b.Run("rules", func(b *testing.B) {
		c := windows()
		begin := time.Now()
		for b.Loop() {
			r, err := d.Rules(ctx)
			if err != nil || len(r.Rules) != table {
				b.Fatal(len(r.Rules), err)
			}
			var sums [8]telemetry.Counter
			for _, q := range r.Rules {
				s := &sums[q.Instance-1]
				s.Instance, s.RxPackets, s.RxBytes = q.Instance, s.RxPackets+q.Packets, s.RxBytes+q.Bytes
			}
			c.Read(units.FromSeconds(r.At.Sub(begin).Seconds()), sums[:])
		}
	})
	b.Run("instances", func(b *testing.B) {
		c := windows()
		begin := time.Now()
		for b.Loop() {
			r, err := d.Counters(ctx)
			if err != nil || len(r.Counters) != 8 {
				b.Fatal(len(r.Counters), err)
			}
			c.Read(units.FromSeconds(r.At.Sub(begin).Seconds()), r.Counters)
		}
	})
}

// BenchmarkRuleLag moves a flow to and fro while its packets come, 10,000 a second, and reports for how long after the
// confirmation they went on to the instance that the flow had left, with so many other flows in the data path's cache.
func BenchmarkRuleLag(b *testing.B) {
	for _, cached := range []int{0, 1000, 5000} {
		b.Run(fmt.Sprintf("cached=%d", cached), func(b *testing.B) { ruleLag(b, cached) })
	}
}

func ruleLag(b *testing.B, cached int) {
	l := newLab(b, "uplink", "sink", "a", "b")
	l.must(l.vsctl("remove", "Open_vSwitch", ".", "other_config", "max-revalidator"))
	l.bridge()
	d, err := l.open(l.config())
	l.must(err)
	defer d.Close()
	var last [3]atomic.Int64 // when an instance got its last packet
	for i, p := range []string{"a", "b"} {
		l.must(d.Attach(context.Background(), flow.Instance(i+1), hw.Ports{In: p, Out: p}))
		go func() {
			for range l.sockets[p].C {
				last[i+1].Store(time.Now().UnixNano())
			}
		}()
	}
	l.must(d.Install(rule(0, 1)))
	for f := range cached {
		l.must(d.Install(rule(f+1, 0)))
	}
	for range cached + 1 {
		confirm(b, d)
	}
	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for range 10 {
				_ = l.sockets["uplink"].Send(udpFrame(rule(0, 0).Tuple))
			}
			if cached > 0 { // each of the others twice a second
				for k := range max(cached/500, 1) {
					_ = l.sockets["uplink"].Send(udpFrame(rule(1+(n*cached/500+k)%cached, 0).Tuple))
				}
			}
		}
	})
	time.Sleep(2 * time.Second)
	var lags []time.Duration
	to := flow.Instance(1)
	for b.Loop() {
		from := to
		to = 3 - from
		l.must(d.Move(hw.Move{Flow: 0, Instance: to}))
		for e := (hw.Event{}); e.Kind != hw.Confirmed; {
			e = <-d.Events()
		}
		confirmed := time.Now()
		time.Sleep(700 * time.Millisecond)
		lags = append(lags, max(time.Unix(0, last[from].Load()).Sub(confirmed), 0))
	}
	close(stop)
	sending.Wait()
	slices.Sort(lags)
	b.ReportMetric(lags[len(lags)/2].Seconds()*1e3, "ms/p50")
	b.ReportMetric(lags[len(lags)-1].Seconds()*1e3, "ms/max")
}

// udpFrame is the shortest frame of a flow over IPv4.
func udpFrame(t flow.FiveTuple) []byte {
	f := append(make([]byte, 12), 8, 0, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0)
	f = append(append(f, t.Src.AsSlice()...), t.Dst.AsSlice()...)
	f = be.AppendUint16(be.AppendUint16(f, t.SrcPort), t.DstPort)
	return append(f, make([]byte, 60-len(f))...)
}
