// Package kpa holds package orchestrator/autoscaler/knative against Knative's pod autoscaler: the decider and the
// metric that it makes of an object, the collector with its windows, and the scaler.
package kpa
