// Package kubernetes has the autoscalers of Kubernetes, made again from their rules and held against the running
// programs: the horizontal one, which changes the number of pods, and the vertical one, which changes what each may
// use.
//
// A pod is an instance. Its CPU request is the limit that an instance is trusted with, and its CPU usage what it
// processes. The replicas that the target's spec asks for are those that were asked for last; those that there are do
// not include instances that drain.
package kubernetes

import "github.com/smartinco/smartinco/orchestrator/policy"

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{horizontal, vertical}
