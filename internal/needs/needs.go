// Package needs is how a test says that it wants something of the machine that not every machine has.
package needs

import (
	"os"
	"testing"
)

// This skips the test if something is missing, and says what and, behind ": ", what for or how to get it: make test
// counts the skipped tests by what stands before that. Where the environment variable SMARTINCO_NO_SKIP is set, as the
// continuous integration does, it fails the test instead: a suite that silently skips proves nothing.
func This(t testing.TB, missing string) {
	t.Helper()
	switch {
	case missing == "":
	case os.Getenv("SMARTINCO_NO_SKIP") != "":
		t.Fatal("missing, and SMARTINCO_NO_SKIP is set:", missing)
	default:
		t.Skip(missing)
	}
}

// Root skips the test unless the process is root, and says why it must be.
func Root(t testing.TB, why string) {
	t.Helper()
	if os.Geteuid() != 0 {
		This(t, "not root: "+why)
	}
}

// Kernel skips the test where the kernel lacks a feature, and says which, beginning with "the kernel". It does so under
// SMARTINCO_NO_SKIP too, since nothing that is installed brings another kernel; what is tested so must be tested in
// another way besides.
func Kernel(t testing.TB, missing string) {
	t.Helper()
	t.Skip(missing)
}
