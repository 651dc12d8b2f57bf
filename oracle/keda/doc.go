// Package keda holds package orchestrator/autoscaler/keda against KEDA: its executor, which scales to and from none,
// and its fallback, around Kubernetes' own controller. Which triggers are active is found here, since the package that
// does it has the clients of all clouds in it.
package keda
