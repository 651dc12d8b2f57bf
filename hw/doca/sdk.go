//go:build doca && !standin

package doca

// #cgo pkg-config: doca-flow doca-common doca-dpdk-bridge libdpdk
// #cgo CFLAGS: -std=gnu11 -DDOCA_ALLOW_EXPERIMENTAL_API
import "C"

// HasStandIn says whether this program has the stand-in for DOCA Flow.
const HasStandIn = false

func (s *Switch) present()    {}
func (s *Switch) wire() error { return nil }
func (s *Switch) unwire()     {}
