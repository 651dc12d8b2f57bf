package traces

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
)

// sizes is a distribution of flow sizes, given by points of its distribution function, which is linear between them.
type sizes struct {
	name           string
	bytes, percent []float64
	frame          int64
}

const (
	minFrame = 64      // what each frame of a drawn flow has at least
	maxFlow  = 1 << 50 // bytes
)

// ReadSizes reads a distribution of flow sizes. Each line holds a size in bytes and the percentage of flows that are
// not larger. Neither may decrease, and the last line is of 100 %. Empty lines and those that begin with # are left
// out. If the first percentage is above 0, that many flows have the first size.
//
// A drawn flow is TCP. It is sent in frames of the given size, 64 to 65535. The size in the file counts every byte of
// them. The last frame has what is left, and at least 64 bytes.
func ReadSizes(path string, frame int64) (Holdings, error) {
	if frame < minFrame || frame > 65535 {
		return nil, fmt.Errorf("traces: %s: frames of %d bytes, want %d to 65535", path, frame, minFrame)
	}
	l, err := openLines(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	defer l.Close()
	return readSizes(l, path, frame)
}

func readSizes(l *lines, path string, frame int64) (Holdings, error) {
	s := &sizes{name: filepath.Base(path), frame: frame}
	for text, ok := l.line(); ok; text, ok = l.line() {
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		if err := s.add(text); err != nil {
			return nil, fmt.Errorf("traces: %s: line %d: %w", path, l.n, err)
		}
	}
	if err := l.fault(); err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	if n := len(s.percent); n == 0 || s.percent[n-1] != 100 {
		return nil, fmt.Errorf("traces: %s: the last line is not of 100 %%: want lines of bytes and percent up to 100",
			path)
	}
	return s, nil
}

func (s *sizes) add(text string) error {
	cells := strings.Fields(text)
	if len(cells) != 2 {
		return fmt.Errorf("%d values, want bytes and percent", len(cells))
	}
	var v [2]float64
	for i, most := range []float64{maxFlow, 100} {
		x, err := strconv.ParseFloat(cells[i], 64)
		if err != nil || !(x >= 0 && x <= most) {
			return fmt.Errorf("%q, want %s from 0 to %g", clip(cells[i]), []string{"bytes", "percent"}[i], most)
		}
		v[i] = x
	}
	if n := len(s.bytes); n > 0 && (v[0] < s.bytes[n-1] || v[1] < s.percent[n-1]) {
		return fmt.Errorf("%s is below the line before", clip(text))
	}
	if len(s.bytes) == 1<<20 {
		return fmt.Errorf("more than %d points", 1<<20)
	}
	s.bytes, s.percent = append(s.bytes, v[0]), append(s.percent, v[1])
	return nil
}

func (s *sizes) String() string { return fmt.Sprintf("sizes of %s, frames of %d B", s.name, s.frame) }

// size draws the size of a flow, before it is cut into frames.
func (s *sizes) size(r *rand.Rand) float64 {
	u := float64(100 * numeric.Uniform(r))
	i := sort.SearchFloat64s(s.percent, u)
	if i == 0 {
		return s.bytes[0]
	}
	return s.bytes[i-1] + float64((s.bytes[i]-s.bytes[i-1])*((u-s.percent[i-1])/(s.percent[i]-s.percent[i-1])))
}

// Draw implements Holdings.
func (s *sizes) Draw(r *rand.Rand) Holding {
	bytes := max(1, int64(s.size(r)+0.5))
	packets := (bytes + s.frame - 1) / s.frame
	full := (packets - 1) * s.frame
	return Holding{Proto: flow.TCP, Packets: packets, Bytes: full + max(bytes-full, minFrame)}
}
