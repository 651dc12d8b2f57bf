package testbed

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// Reading a testbed ends, whatever stands at its path.
func TestLoadEnds(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, "/dev/zero"} {
		if _, err := Load(path); !errors.Is(err, strictyaml.ErrInvalid) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
