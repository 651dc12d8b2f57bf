package traces

import (
	"os"
	"path/filepath"
	"testing"
)

// shared is the path of a trace that is not shipped, under $SMARTINCO_TRACES or ../shared/traces beside the repository.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("SMARTINCO_TRACES")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "traces")
	}
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		t.Skip("wants recordings that are not shipped, in $SMARTINCO_TRACES: docs/traces.md")
	}
	return path
}
