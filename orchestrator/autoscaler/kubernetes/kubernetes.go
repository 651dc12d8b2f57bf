// Package kubernetes has the autoscaler of Kubernetes, made again from its rules and held against the running program.
//
// A pod is an instance. Its CPU request is the limit that an instance is trusted with, and its CPU usage what it
// processes. The replicas that the target's spec asks for are those that were asked for last; those that there are do
// not include instances that drain.
package kubernetes

import "github.com/smartinco/smartinco/orchestrator/policy"

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{horizontal}
