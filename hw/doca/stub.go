//go:build !doca

package doca

import (
	"fmt"

	"github.com/smartinco/smartinco/hw"
)

// Built says whether this program has DOCA Flow.
const Built = false

// HasStandIn says whether it has the stand-in for DOCA Flow.
const HasStandIn = false

// Open fails with ErrNotBuilt.
func Open(cfg Config) (hw.Switch, error) {
	return nil, fmt.Errorf("doca: %s: %w", cfg.PCI, ErrNotBuilt)
}
