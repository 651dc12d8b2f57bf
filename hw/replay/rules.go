package replay

import (
	"context"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
)

// ruleReader reads the counters of the rules for the orchestrator.
type ruleReader struct {
	busy   bool                       // a reading goes on
	newest []orchestrator.RuleCounter // of the newest reading
}

// read asks for a reading. If one is under way, the orchestrator does without. Reading many rules takes a switch its
// time, so a goroutine beside the loop does it.
func (r *ruleReader) read(p *plant) {
	if r.busy {
		return
	}
	r.busy = true
	p.readings.Go(func() {
		ctx, cancel := context.WithTimeout(p.ctx, readLimit)
		defer cancel()
		reading, err := p.hw.Switch.Rules(ctx)
		p.post(func() {
			r.busy = false
			if err != nil {
				p.unread("rules", err)
				return
			}
			r.answer(p, &reading)
		})
	})
}

// answer hands a reading to the orchestrator. A rule that drops counts the packets that it has dropped.
func (r *ruleReader) answer(p *plant, reading *hw.RuleReading) {
	rules := make([]orchestrator.RuleCounter, len(reading.Rules))
	for i := range reading.Rules {
		rules[i] = orchestrator.RuleCounter{Flow: reading.Rules[i].Flow, Packets: reading.Rules[i].Packets}
	}
	if p.faults.countersStalled() {
		rules = p.faults.rules
	} else {
		r.newest = rules
	}
	p.deliver(orchestrator.Event{Kind: orchestrator.RulesRead, Sampled: min(p.at(reading.At), p.now()), Rules: rules})
}
