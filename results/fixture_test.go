package results

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// play plays a made-up run of the size of figure 9 into rec: a window a second, eight instances, a flow every ten
// windows, some five lines of log a window. Packets are conserved. It is the same run every time.
func play(tb testing.TB, rec Recorder, windows int) *Run {
	tb.Helper()
	playOpen(tb, rec, windows)
	const offered = 1e6 + 0.1
	flows := windows/10 + 1
	for i := range flows {
		rec.Flow(&Flow{Flow: int32(i), Src: "10.0.0.1", Dst: "10.1.0.2", SrcPort: int32(1000 + i), DstPort: 53,
			Proto: flow.UDP,
			Start: float64(10 * i), End: float64(windows), Instance: int32(1 + i%8), Offered: offered,
			Processed: 0.75 * offered, Dropped: 0.25*offered - 3, Queued: 3})
	}
	n := float64(flows)
	run := fig9()
	run.Complete = true
	run.Totals = Totals{Offered: n * offered, Processed: 0.75 * n * offered, Queued: 3 * n,
		Dropped: Drops{Instance: 0.25*n*offered - 3*n}, Flows: int64(flows)}
	if err := rec.Close(run); err != nil {
		tb.Fatal(err)
	}
	return run
}

func fig9() *Run {
	return &Run{Name: "fig9 <made up>", Plant: "sim", Engine: "fluid", Version: "test", Seed: 1<<64 - 1, Duration: 330,
		Window: 1,
		Scenario: map[string]any{"name": "fig9", "instances": map[string]int{"min": 3, "max": 8},
			"workload": []any{map[string]any{"cbr": map[string]any{"flows": 32, "rate": "1Mpps"}}}},
		Traffic: []string{"cbr: 32 flows"}}
}

// playOpen plays the windows and the log, and leaves the run open.
func playOpen(tb testing.TB, rec Recorder, windows int) {
	tb.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	instances := make([]Instance, 8)
	counters := make([]orchestrator.Counter, 8)
	candidates := make([]orchestrator.Candidate, 8)
	queue := make([]float64, 8)
	for k := range windows {
		t := float64(k + 1)
		now := units.Time(k+1) * units.Second
		w := Window{T: t, Instances: 8, Used: 8, Flows: int32(k/10 + 1)}
		for i := range instances {
			q := float64(rng.IntN(1024))
			in := Instance{T: t, Instance: int32(i + 1), State: "ready", Flows: 4, Offered: 5e6 * rng.Float64(),
				Queue: q, Utilization: rng.Float64()}
			rest := in.Offered - (q - queue[i])
			in.Processed, in.Dropped = 0.75*rest, 0.25*rest
			queue[i], instances[i] = q, in
			w.Offered += in.Offered
			w.Processed += in.Processed
			w.Dropped += in.Dropped
			w.Queued += q
			counters[i] = orchestrator.Counter{Instance: flow.Instance(i + 1), RxPackets: rng.Uint64() >> 20,
				TxPackets: rng.Uint64() >> 20, RxBytes: 1<<64 - 1}
			candidates[i] = orchestrator.Candidate{Instance: flow.Instance(i + 1), Score: in.Offered, Fits: i%2 == 0}
		}
		w.Ingress, w.DroppedInstance, w.ProcessedBits = w.Offered, w.Dropped, 512*w.Processed
		rec.Event(now, &orchestrator.Event{Kind: orchestrator.Tick, Timer: orchestrator.TelemetryTimer})
		rec.Action(now, &orchestrator.Action{Kind: orchestrator.ReadCounters})
		rec.Event(now, &orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: now, Counters: counters})
		rec.Action(now, &orchestrator.Action{Kind: orchestrator.SetTimer, Timer: orchestrator.TelemetryTimer,
			At: now + units.Second})
		if k%10 == 0 {
			rec.Event(now, &orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: flow.ID(k / 10),
				Tuple: flow.FiveTuple{
					Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("fe80::1%eth0"), SrcPort: 1000,
					DstPort: 53, Proto: flow.UDP}})
			rec.Decided(&orchestrator.Decision{At: now, Kind: "schedule", Policy: "best-fit", Flow: flow.ID(k / 10),
				Instance: 3, Reason: "the fullest, in which it \"fits\"", Candidates: candidates})
			rec.Action(now, &orchestrator.Action{Kind: orchestrator.InstallRule, Flow: flow.ID(k / 10), Instance: 3})
		}
		rec.Decided(&orchestrator.Decision{At: now, Kind: "recommend", Policy: "target-utilization", Flow: -1,
			Current: 7, Desired: 8, Reason: "41.2 Mpps at 5 Mpps each"})
		if err := rec.Window(&w, instances); err != nil {
			tb.Fatal(err)
		}
	}
}
