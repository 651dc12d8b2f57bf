//go:build doca && !standin

package doca

// #cgo pkg-config: doca-flow doca-common doca-dpdk-bridge libdpdk
// #cgo CFLAGS: -std=gnu11 -DDOCA_ALLOW_EXPERIMENTAL_API
import "C"

// hasStandIn says which of the two the driver was built with.
const hasStandIn = false

func (s *Switch) wire() error { return nil }
func (s *Switch) unwire()     {}
