// Package kubernetes has kube-proxy's ways to send a connection to an endpoint: its modes iptables, nftables and ipvs.
//
// An endpoint is an instance, and a connection is a flow. No mode has weights or limits. Each can remember which
// endpoint a client has (sessionAffinity: ClientIP): Options.
package kubernetes

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{iptablesRow, nftablesRow, ipvsRow}

// source is where the rules of all modes are written.
const source = "Kubernetes, pkg/proxy/"

// The reasons of all rows.
const (
	chosen uint8 = iota
	remembered
)

func reasons(of string) []string { return []string{of, "the client's last flow went there"} }

// Options are those that all modes have.
type Options struct {
	Affinity units.Time `yaml:"affinity" default:"0s" min:"0"`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
affinity: how long, after a flow, its source address goes to the same instance (sessionAffinity: ClientIP). 0s: new
	flows do not look at earlier ones. Where affinity is asked for, Kubernetes' time is 10800s
`
}

const removed = "flows of an endpoint that is gone are the host's matter (instances.drain): kube-proxy lets TCP " +
	"connections of a removed endpoint go on, and flushes UDP's"
