// Package hpa holds package orchestrator/autoscaler/kubernetes against Kubernetes' horizontal pod autoscaler: its
// replica calculator, its whole controller, and what the API server accepts of an object and makes of it.
package hpa
