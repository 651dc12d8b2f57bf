// Package vpa holds the policy vpa of package orchestrator/autoscaler/kubernetes against Kubernetes' Vertical Pod
// Autoscaler: its histogram, its recommender, and which pods its updater changes in what order.
package vpa
