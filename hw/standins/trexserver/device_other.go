//go:build !linux

package trexserver

import (
	"errors"
	"time"
)

// OpenInterface needs Linux: other systems have no AF_PACKET.
func OpenInterface(name, namespace string) (Device, error) {
	return nil, errors.New("interface " + name + ": network interfaces are opened with AF_PACKET, which only Linux has")
}

func sleep(d time.Duration) { time.Sleep(d) }
