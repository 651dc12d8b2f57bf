package results

import (
	"bufio"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Host is host.json: where and how fast the run was. It is the only part of a record that depends on the clock and on
// the machine.
type Host struct {
	Started    string  `json:"started"` // UTC, RFC 3339
	Wall       float64 `json:"wall_s"`  // from Create to Close
	CPU        float64 `json:"cpu_s"`   // of the whole process meanwhile, other runs in it included
	Hostname   string  `json:"hostname"`
	OS         string  `json:"os"`
	Arch       string  `json:"arch"`
	CPUModel   string  `json:"cpu_model,omitempty"`
	CPUs       int     `json:"cpus"`
	GoMaxProcs int     `json:"gomaxprocs"`
	Go         string  `json:"go"`
}

const maxHost = 1 << 20 // bytes of host.json

type hostClock struct {
	start time.Time
	cpu   float64
}

func startHost() hostClock { return hostClock{time.Now(), cpuTime()} }

func (h hostClock) stop() *Host {
	m := machine()
	m.Started = h.start.UTC().Format(time.RFC3339)
	m.Wall, m.CPU = time.Since(h.start).Seconds(), cpuTime()-h.cpu
	m.GoMaxProcs = runtime.GOMAXPROCS(0)
	return &m
}

func cpuTime() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// machine is what does not change while the process runs.
var machine = sync.OnceValue(func() Host {
	h := Host{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version()}
	h.Hostname, _ = os.Hostname()
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return h
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if key, value, _ := strings.Cut(sc.Text(), ":"); strings.TrimSpace(key) == "model name" {
			h.CPUModel = strings.TrimSpace(value)
			break
		}
	}
	return h
})
