package theory

import (
	"context"
	"fmt"
	"math"

	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/packet"
)

// fiveShare is five instances with a pooled capacity, of which four are offered more than they can process and the
// fifth 2 Mpps: the four share what it leaves. Its own utilisation is that of an instance that could have C(5).
const fiveShare = `
name: five-share
duration: 400ms
engine: %s
nic: ideal
vnf: {contention: {model: usl, lambda: 25Mpps, sigma: 0.38, kappa: 0.019, share: pooled}}
instances: {initial: 5, min: 5, max: 5}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
telemetry: {window: 200ms}
workload:
  - flows:
      - {rate: 15Mpps, packet_size: 64B}
      - {rate: 16Mpps, packet_size: 64B}
      - {rate: 2Mpps, packet_size: 64B}
      - {rate: 17Mpps, packet_size: 64B}
      - {rate: 18Mpps, packet_size: 64B}
`

// shares are the system in both engines. Rates are those of the second window, to 100 packets a second.
func shares() (all []system) {
	law := contention.USL{Lambda: 25, Sigma: 0.38, Kappa: 0.019} // Mpps
	for _, engine := range []struct {
		name string
		make sim.Engine
	}{{"fluid", fluid.New}, {"packet", packet.New}} {
		all = append(all, system{
			name: "five instances share, one at 2 Mpps, " + engine.name,
			runs: 1,
			quantities: []quantity{
				{"Mpps of each of the other four", rounded((law.Total(5) - 2) / 4)},
				{"Mpps of the one", 2},
				{"utilisation of the one", rounded(2 / law.Capacity(5))},
			},
			run: func(ctx context.Context, _ uint64) ([]float64, error) {
				return sharing(ctx, fmt.Sprintf(fiveShare, engine.name), engine.make)
			},
		})
	}
	return all
}

func sharing(ctx context.Context, text string, engine sim.Engine) ([]float64, error) {
	sc, err := scenario(text)
	if err != nil {
		return nil, err
	}
	w, err := sc.Traffic()
	if err != nil {
		return nil, err
	}
	m, err := simulate(ctx, sc, w, engine)
	if err != nil {
		return nil, err
	}
	if len(m.Instances) != 10 {
		return nil, fmt.Errorf("%d rows of instances, want 5 in each of 2 windows", len(m.Instances))
	}
	rows := m.Instances[5:]
	one := &rows[2]
	other := rounded(rows[0].Processed / 1e6)
	for i := range rows {
		if mpps := rounded(rows[i].Processed / 1e6); &rows[i] != one && mpps != other {
			return nil, fmt.Errorf("instance %d processes %g Mpps, instance 1 %g", rows[i].Instance, mpps, other)
		}
	}
	return []float64{other, rounded(one.Processed / 1e6), rounded(one.Utilization)}, nil
}

// rounded is v to four decimals.
func rounded(v float64) float64 { return math.Round(v*1e4) / 1e4 }
