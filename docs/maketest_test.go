package docs

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// skip is what go test -v says of a test that is skipped.
func skip(test, why string) string {
	return fmt.Sprintf("=== RUN   %s\n    x_test.go:1: %s\n--- SKIP: %[1]s (0.00s)\n", test, why)
}

func passed(folder string) string { return "PASS\nok  \t" + module + folder + "\t0.1s\n" }

// What make test says of skipped tests is short, however many there are.
func TestSkippedTestsAreGroupedByReason(t *testing.T) {
	many := ""
	for i := range 30 {
		many += skip(fmt.Sprint("Test", i), fmt.Sprintf("no tool %d: install it", i))
	}
	some := skip("TestA", "not root: no socket can be opened") + "=== RUN   TestB\n--- PASS: TestB (0.00s)\n" +
		skip("TestC/x", "no ovs: install it") + skip("TestD", "not root: no device can be made") + passed("hw/a") +
		skip("TestA", "not root: no socket can be opened") + passed("hw/b")
	for _, c := range []struct {
		name, in string
		noSkip   bool
		want     []string // the lines after those of packages
		fails    bool
	}{
		{"nothing is skipped", passed("hw/a"), true, nil, false},
		{"two reasons", some, false, []string{"skipped 3: not root (hw/a 2, hw/b 1)",
			"skipped 1: no ovs: install it (hw/a 1)"}, false},
		{"where nothing may be", some, true, []string{"skipped 3: not root (hw/a 2, hw/b 1)",
			"skipped 1: no ovs: install it (hw/a 1)",
			"FAIL: SMARTINCO_NO_SKIP is set, and tests were skipped"}, true},
		{"the kernel may lack something", skip("TestA", "the kernel has no flower: E") + passed("hw/a"), true,
			[]string{"skipped 1: the kernel has no flower: E (hw/a 1)"}, false},
		{"a case of a suite is not for this driver",
			skip("TestA/x", "does not apply: no rule ends by itself") + passed("hw/a"), true, nil, false},
		{"no test at all", "", false, nil, true},
	} {
		got, err := says(t, c.in, c.noSkip)
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") || (err != nil) != c.fails {
			t.Errorf("%s: %q, error %v; want %q, an error %v", c.name, got, err, c.want, c.fails)
		}
	}
	got, err := says(t, many+passed("hw/a"), false)
	if last := "skipped 21: for 21 other reasons, which go test -v says"; err != nil || len(got) != 10 ||
		got[9] != last {
		t.Errorf("30 reasons: %q, %v; want 10 lines, the last %q", got, err, last)
	}
}

// A package that fails is shown whole, and make test fails.
func TestAFailingPackageIsShown(t *testing.T) {
	in := "=== RUN   TestA\n    x_test.go:1: wrong\n--- FAIL: TestA (0.00s)\nFAIL\nFAIL\t" + module + "hw/a\t0.1s\n"
	if got, err := says(t, in, false); err == nil || strings.Join(got, "\n")+"\n" != in {
		t.Errorf("%q, %v; want all of it and an error", got, err)
	}
}

// says gives the lines of make test for what go test -v says, without those of packages that passed.
func says(t *testing.T, in string, noSkip bool) (lines []string, err error) {
	t.Helper()
	c := exec.Command("awk", "-f", "../.ci/test.awk")
	c.Stdin, c.Env = strings.NewReader(in), append(os.Environ(), "SMARTINCO_NO_SKIP=")
	if noSkip {
		c.Env = append(c.Env, "SMARTINCO_NO_SKIP=1")
	}
	out, err := c.Output()
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "ok  ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines, err
}
