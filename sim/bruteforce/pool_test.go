package bruteforce

import (
	"math"
	"math/big"
)

// shares is what each instance that is up can process if shares are pooled: docs/model.md, "Contention".
func (p *plant) shares(reserved float64) map[*instance]float64 {
	most := max(p.capacity(1), reserved)
	demands := p.demands()
	all := map[*instance]float64{}
	for _, i := range p.instances {
		if !i.up {
			continue
		}
		pool, others := fine(reserved), []*big.Rat{}
		for j, d := range demands {
			if j != i {
				others = append(others, d)
				pool.Add(pool, fine(reserved))
			}
		}
		switch x := fill(pool, others); {
		case x.Cmp(fine(reserved)) <= 0:
			all[i] = reserved
		default:
			f, _ := x.Float64()
			all[i] = min(max(f, reserved), most)
		}
	}
	return all
}

// fill pours a pool into vessels that are filled at the same speed, one of which never is full, and says how much that
// one gets.
func fill(pool *big.Rat, others []*big.Rat) *big.Rat {
	level := new(big.Rat)
	for {
		takers, next := int64(1), (*big.Rat)(nil)
		for _, d := range others {
			if d.Cmp(level) > 0 {
				takers++
				if next == nil || d.Cmp(next) < 0 {
					next = d
				}
			}
		}
		rise := new(big.Rat).Quo(pool, big.NewRat(takers, 1))
		if next != nil && new(big.Rat).Add(level, rise).Cmp(next) > 0 {
			rise.Sub(next, level)
		} else {
			return level.Add(level, rise)
		}
		pool = new(big.Rat).Sub(pool, new(big.Rat).Mul(rise, big.NewRat(takers, 1)))
		level = new(big.Rat).Add(level, rise)
	}
}

// demands is what link, eSwitch and slow path would send to each instance that contends, had they no queues.
func (p *plant) demands() map[*instance]*big.Rat {
	pps, bps, unruled := 0.0, 0.0, 0.0 // rates are rounded, so these sums are exact
	for _, f := range p.flows {
		if f.live {
			rate := rounded(f.rate)
			pps += rate
			bps += math.Round(rate * float64(8*(f.size+int(p.sc.NIC.FrameOverhead))))
			if !f.hasRule {
				unruled += rate
			}
		}
	}
	const rounding = 1 + 1e-9
	passed := 1.0
	if limit := float64(p.sc.NIC.Link); limit > 0 && bps > limit*rounding {
		passed = limit / bps
	}
	if p.faults["link-down"] > 0 {
		passed = 0
	}
	if limit := float64(p.sc.NIC.ESwitchLimit); limit > 0 && passed*pps > limit*rounding {
		passed = limit / pps
	}
	missed := passed
	if limit := float64(p.sc.NIC.SlowPathRate); limit > 0 && passed*unruled > limit*rounding {
		missed = limit / unruled
	}
	all := map[*instance]*big.Rat{}
	for _, i := range p.instances {
		if !i.up || !p.sc.VNF.IdleContend && p.holds(i) == 0 {
			continue
		}
		byRule, bySlowPath := 0.0, 0.0
		for _, f := range p.flows {
			switch {
			case !f.live:
			case f.hasRule && f.rule == i.id:
				byRule += rounded(f.rate)
			case !f.hasRule && f.target == i.id:
				bySlowPath += rounded(f.rate)
			}
		}
		all[i] = fine(float64(passed*byRule) + float64(missed*bySlowPath))
	}
	return all
}

// rounded is a rate to the nearest 2^-20 packets a second; fine is the same as a fraction.
func rounded(rate float64) float64 { return math.Round(rate*(1<<20)) / (1 << 20) }

func fine(rate float64) *big.Rat { return new(big.Rat).SetFloat64(rounded(rate)) }
