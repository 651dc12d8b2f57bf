package packet

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/packet/queue"
	"github.com/smartinco/smartinco/units"
)

// serviceTimes makes the random service times of each instance, which draws from a stream of its own; for deterministic
// service there are none.
func serviceTimes(sc *scenarios.Scenario) (func(flow.Instance) func(int64) int64, error) {
	stream := func(i flow.Instance) *rand.PCG { return rand.NewPCG(sc.Seed, 0x9e3779b97f4a7c15*uint64(i)) }
	switch sc.VNF.Service {
	case "deterministic":
		return func(flow.Instance) func(int64) int64 { return nil }, nil
	case "exponential":
		return func(i flow.Instance) func(int64) int64 { return exponential(stream(i)) }, nil
	case "empirical":
		d, err := readTimes(sc.Path(sc.VNF.ServiceFile))
		if err != nil {
			return nil, fmt.Errorf("vnf.service_file: %w", err)
		}
		return func(i flow.Instance) func(int64) int64 { return empirical(d, stream(i)) }, nil
	}
	return nil, fmt.Errorf("vnf.service: %q: want deterministic, exponential or empirical", sc.VNF.Service)
}

// readTimes reads service times in picoseconds, one a line; empty lines and those that begin with # are left out.
func readTimes(path string) (*queue.Empirical, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var times []units.Time
	var weights []uint64
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' {
			continue
		}
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil || v < 0 || v > int64(units.Second) {
			return nil, fmt.Errorf("%s:%d: found %q, want a whole number of picoseconds from 0 to %d", path, n, text, int64(units.Second))
		}
		times, weights = append(times, units.Time(v)), append(weights, 1)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	d, err := queue.NewEmpirical(times, weights)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}
