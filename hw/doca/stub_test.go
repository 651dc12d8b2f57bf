//go:build !doca

package doca

import (
	"errors"
	"strings"
	"testing"
)

// A program without DOCA Flow says so, for which card, and how to build one with it.
func TestWithoutDOCA(t *testing.T) {
	s, err := Open(Config{PCI: "0000:03:00.0"})
	if s != nil || !errors.Is(err, ErrNotBuilt) || Built || HasStandIn {
		t.Fatalf("Open: %v, %v; want ErrNotBuilt", s, err)
	}
	for _, want := range []string{"doca: 0000:03:00.0: ", "CGO_ENABLED=1 go build -tags doca ./cmd/smartinco"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}
