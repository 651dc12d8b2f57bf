//go:build !doca

package doca

import (
	"fmt"

	"github.com/smartinco/smartinco/hw"
)

// Open fails with ErrNotBuilt.
func Open(cfg Config) (hw.Switch, error) {
	return nil, fmt.Errorf("doca: %s: %w", cfg.PCI, ErrNotBuilt)
}
