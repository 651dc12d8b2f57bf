//go:build doca && !standin

package doca

// #cgo pkg-config: doca-flow doca-common doca-dpdk-bridge libdpdk
// #cgo CFLAGS: -std=gnu11 -DDOCA_ALLOW_EXPERIMENTAL_API
import "C"
