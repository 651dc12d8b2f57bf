package autoscaler

import (
	"fmt"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// OfRequests are the metrics that instances of requests have. A packet is a request there, and an instance uses a core
// while it serves one.
var OfRequests = policy.SetOf(policy.Offered, policy.Processed, policy.Gap, policy.CPU, policy.Queue) | policy.Delays

// CheckRequests says why the autoscaler cannot say how many instances serve requests, beginning with the key; nil if it
// can. The options must be valid.
func (o Options) CheckRequests() error {
	if err := o.Validate(); err != nil {
		return err
	}
	d := o.decode()
	var goesBy policy.MetricSet
	if m, ok := d.options.(policy.Measurer); ok {
		goesBy = m.Measures()
	}
	name := d.scaler.Name
	switch lacks := goesBy &^ OfRequests; {
	case d.scaler.Sees.Has(policy.T5):
		return fmt.Errorf("autoscaler.policy: %s is told what flows will offer, which requests have not", name)
	case d.scaler.Resizes:
		return fmt.Errorf("autoscaler.policy: %s changes shares of a core, which instances of requests have not", name)
	case lacks != 0:
		return fmt.Errorf("autoscaler.policy: %s goes by %v, which instances of requests have not", name, lacks)
	}
	return nil
}
