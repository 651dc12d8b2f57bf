package packet

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"unicode"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

var serviceStreams = numeric.Streams("sim/service") // by instance

// serviceTimes makes the random service times of each instance, which draws from a stream of its own; for deterministic
// service there are none.
func serviceTimes(sc *scenarios.Scenario) (func(flow.Instance) func(int64) int64, error) {
	stream := func(i flow.Instance) *rand.PCG { return serviceStreams.At(sc.Seed, uint64(i)) }
	switch sc.VNF.Service {
	case "deterministic":
		return func(flow.Instance) func(int64) int64 { return nil }, nil
	case "exponential":
		return func(i flow.Instance) func(int64) int64 { return exponential(stream(i)) }, nil
	case "empirical":
		d, err := measuredTimes(sc)
		if err != nil {
			return nil, err
		}
		return func(i flow.Instance) func(int64) int64 { return d.scaled(stream(i)) }, nil
	}
	return nil, fmt.Errorf("vnf.service: %q: want deterministic, exponential or empirical", sc.VNF.Service)
}

// measuredTimes is the distribution that the scenario or its file gives.
func measuredTimes(sc *scenarios.Scenario) (*distribution, error) {
	if sc.VNF.ServiceFile != "" {
		path := sc.Path(sc.VNF.ServiceFile)
		f, _, err := traces.OpenFile(path)
		if err != nil {
			return nil, fmt.Errorf("vnf.service_file: %w", err)
		}
		defer f.Close()
		d, err := readTimes(f)
		if err != nil {
			return nil, fmt.Errorf("vnf.service_file: %s%w", path, err)
		}
		return d, nil
	}
	var times []int64
	var weights []uint64
	for _, t := range sc.VNF.ServiceTimes {
		times, weights = append(times, int64(t.Time)), append(weights, uint64(t.Weight))
	}
	d, err := newDistribution(times, weights)
	if err != nil {
		return nil, fmt.Errorf("vnf.service_times: %w", err)
	}
	return d, nil
}

// readTimes reads lines of a service time, in picoseconds where it has no unit, and its weight, 1 without one. Empty
// lines and those that begin with # are left out, and so is a first line that begins with a letter: a head. An error
// begins with the number of its line, after a colon.
func readTimes(r io.Reader) (*distribution, error) {
	var times []int64
	var weights []uint64
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || text[0] == '#' || n == 1 && unicode.IsLetter(rune(text[0])) {
			continue
		}
		value, weight, weighted := strings.Cut(text, ",")
		t, err := parseTime(strings.TrimSpace(value))
		if err != nil || t < 0 || t > units.Second {
			return nil, fmt.Errorf(":%d: found %q, want a service time from 0 to 1s, in picoseconds without a unit",
				n, value)
		}
		w := uint64(1)
		if weighted {
			if w, err = strconv.ParseUint(strings.TrimSpace(weight), 10, 40); err != nil {
				return nil, fmt.Errorf(":%d: found %q, want a weight, a whole number from 0 to %d",
					n, weight, uint64(1)<<40-1)
			}
		}
		times, weights = append(times, int64(t)), append(weights, w)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	d, err := newDistribution(times, weights)
	if err != nil {
		return nil, fmt.Errorf(": %w", err)
	}
	return d, nil
}

func parseTime(s string) (units.Time, error) {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return units.Time(v), nil
	}
	return units.ParseTime(s)
}
