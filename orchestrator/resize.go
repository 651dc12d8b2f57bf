package orchestrator

import (
	"fmt"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// resize gives an instance another share of a core. One that is to be recreated drains while its successor starts, so
// that for this time there is one more than wanted.
func (o *Orchestrator) resize(r *policy.Resize) {
	i := o.instance(r.Instance)
	if i == nil || i.state != starting && i.state != ready {
		return
	}
	o.changed(Resized, r.Instance, o.cfg.Autoscaler.Policy.Name, r.Reason)
	if !r.Recreate {
		i.asked, i.refused = r.Share, false
		o.do(Action{Kind: ResizeInstance, Instance: r.Instance, Share: r.Share})
		return
	}
	i.replaced = true
	o.createWith(r.Share, fmt.Sprintf("in the place of instance %d", r.Instance))
	o.drain(r.Instance)
	if o.scaler.Moves() {
		o.moveAway(r.Instance)
	}
	o.finish(r.Instance)
}

// instanceResized takes down the share that an instance has, by its newest order or because that was refused.
func (o *Orchestrator) instanceResized(id flow.Instance, share float64, refused string) {
	i := o.instance(id)
	if i == nil || i.state == gone {
		return
	}
	i.share = share
	if refused != "" {
		i.asked, i.refused = share, true
		o.changed(Resized, id, "", "refused: "+refused)
	}
}
