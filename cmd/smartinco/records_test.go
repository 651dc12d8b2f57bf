package main

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smartinco/smartinco/results"
)

// times is how often a test repeats itself: few times in passing, or as an environment variable says.
func times(t *testing.T, variable string, few int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return few
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s is %q, want a number above 0", variable, text)
	}
	return n
}

// program is this program as a process of its own, in dir.
func program(t *testing.T, dir string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self)
	c.Args, c.Dir = append([]string{"smartinco"}, args...), dir
	return c
}

const (
	racedStudy = "name: s\nduration: 20s\nworkload: [{cbr: {flows: 40, interval: 100ms, rate: 1Mpps}}]\nsweep: " +
		"{seeds: 2}\n"
	racedRun = "name: r\nduration: 200s\ntelemetry: {window: 50ms}\nworkload: [{cbr: {flows: 40, interval: 100ms, " +
		"rate: 1Mpps}}]\n"
)

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// tree is every file below dir but host.json, by its path.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "host.json" {
			return err
		}
		b, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func sameTree(t *testing.T, what string, want, got map[string]string) {
	t.Helper()
	for name := range want {
		if text, there := got[name]; !there || text != want[name] {
			t.Errorf("%s: %s differs (there: %v)", what, name, there)
		}
	}
	for name := range got {
		if _, there := want[name]; !there {
			t.Errorf("%s: %s is left", what, name)
		}
	}
}

// Two processes on one directory: at least one is refused or finds the work done, and no record says that it is
// complete and is not the right one. SMARTINCO_RACES says how many races.
func TestRacesForADirectory(t *testing.T) {
	work := t.TempDir()
	put(t, filepath.Join(work, "r.yaml"), racedRun)
	put(t, filepath.Join(work, "s.yaml"), racedStudy)
	pairs := [][2][]string{
		{{"run", "r.yaml", "-f", "-o"}, {"run", "r.yaml", "-f", "-o"}},
		{{"run", "r.yaml", "-f", "-o"}, {"run", "r.yaml", "-f", "--set", "seed=2", "--set", "workload.0.cbr.rate=2Mpps",
			"-o"}},
		{{"sweep", "s.yaml", "-o"}, {"sweep", "s.yaml", "--set", "workload.0.cbr.rate=2Mpps", "-o"}},
		{{"sweep", "s.yaml", "-o"}, {"run", "r.yaml", "-f", "-o"}},
		{{"reproduce", "-o"}, {"reproduce", "-o"}},
	}
	n := times(t, "SMARTINCO_RACES", 3)
	complete, refused := 0, 0
	for i := range n {
		pair := pairs[i%len(pairs)]
		if n < len(pairs) {
			pair = pairs[1+i%3] // without reproduce, which is long
		}
		out := filepath.Join(work, "race"+strconv.Itoa(i))
		var both [2]*exec.Cmd
		var said [2]bytes.Buffer
		for k := range both {
			both[k] = program(t, work, append(append([]string{}, pair[k]...), out)...)
			both[k].Stderr = &said[k]
			if err := both[k].Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond) // so that they meet at many a point
		}
		for k := range both {
			err := both[k].Wait()
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 2 {
				if !strings.Contains(said[k].String(), "in use by") && !strings.Contains(said[k].String(), "holds") {
					t.Errorf("race %d, %v: %s", i, pair, said[k].String())
				}
				refused++
			} else if err != nil {
				t.Errorf("race %d, %v: %v: %s", i, pair, err, said[k].String())
			}
		}
		dirs, err := results.Find(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			rec, err := results.Open(dir)
			if err != nil {
				t.Errorf("race %d, %v: %v", i, pair, err)
				continue
			}
			if !rec.Run.Complete {
				continue
			}
			complete++
			if _, err := results.VerifyDir(t.Context(), dir, nil); err != nil || !rec.Run.Conservation.Holds {
				t.Errorf("race %d, %v: %s says that it is complete: %v, %+v", i, pair, dir, err, rec.Run.Conservation)
			}
			if flows, err := rec.Flows(); err != nil || int64(len(flows)) != rec.Run.Totals.Flows {
				t.Errorf("race %d, %v: %s: %d flows of %d, %v", i, pair, dir, len(flows), rec.Run.Totals.Flows, err)
			}
		}
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d races: %d processes refused, %d records complete", n, refused, complete)
	if complete == 0 {
		t.Error("no record was complete")
	}
}

// A verb that is killed at any moment, and given again, leaves what it leaves uninterrupted, to the byte, and nothing
// more. SMARTINCO_KILLS says how many kills.
func TestKilledVerbsAreResumed(t *testing.T) {
	work := t.TempDir()
	put(t, filepath.Join(work, "r.yaml"), racedRun)
	put(t, filepath.Join(work, "s.yaml"), racedStudy)
	generate := []string{"trace", "generate", "r.yaml", "-f", "--set", "duration=2s", "--set",
		"workload.0.cbr.rate=10kpps", "-o"}
	for _, args := range [][]string{{"run", "r.yaml", "-o", "made"}, append(generate, "made.pcap")} {
		if b, err := program(t, work, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
	}
	verbs := []struct {
		args []string // without what names the output
		out  string
	}{
		{[]string{"run", "r.yaml", "-f", "-o"}, ""},
		{[]string{"sweep", "s.yaml", "-o"}, ""},
		{[]string{"plot", "fig9", "made", "-o"}, "fig.pdf"},
		{[]string{"compare", "made", "made", "-o"}, "overlay.svg"},
		{generate, "made.pcapng.gz"},
		{[]string{"trace", "convert", "-f", "made.pcap"}, "made.csv"},
		{[]string{"reproduce", "-o"}, ""},
	}
	n := times(t, "SMARTINCO_KILLS", 6)
	if n < len(verbs) {
		verbs = verbs[:n] // without reproduce, which is long
	}
	killed := 0
	for v, verb := range verbs {
		at := func(name string) (string, []string) {
			dir := filepath.Join(work, name+strconv.Itoa(v))
			if verb.out != "" {
				if err := os.MkdirAll(dir, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			return dir, append(append([]string{}, verb.args...), filepath.Join(dir, verb.out))
		}
		dir, args := at("whole")
		begun := time.Now()
		if b, err := program(t, work, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v: %s", args, err, b)
		}
		long := time.Since(begun)
		want := tree(t, dir)
		dir, args = at("killed")
		for i := v; i < n; i += len(verbs) {
			c := program(t, work, args...)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rand.Int64N(int64(long))))
			c.Process.Kill()
			var exit *exec.ExitError
			if err := c.Wait(); errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signaled() {
				killed++
			}
			if dirs, err := results.Find(dir); err == nil {
				for _, d := range dirs {
					rec, err := results.Open(d)
					if err != nil {
						t.Errorf("%v, kill %d: %v", args, i, err)
					} else if err := rec.Check(); rec.Run.Complete && err != nil {
						t.Errorf("%v, kill %d: complete, and %v", args, i, err)
					}
				}
			}
			if b, err := program(t, work, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v after kill %d: %v: %s", args, i, err, b)
			}
			sameTree(t, strings.Join(args, " "), want, tree(t, dir))
			if i/len(verbs)%2 == 0 { // kill it where all is done as well as where nothing is
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
				at("killed")
			}
		}
	}
	t.Logf("%d kills, %d of them before the end", n, killed)
}
