package traces

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// countdown is a context that ends after it has been asked so many times whether it has.
type countdown struct {
	context.Context
	left atomic.Int64
}

func (c *countdown) Err() error {
	if c.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// counted is a model that counts the sessions that it was asked for.
type counted struct {
	Paced
	n atomic.Int64
}

func (c *counted) Session(*rand.Rand, int, units.Time) []Flow { c.n.Add(1); return nil }

// Generating large traffic stops within a few blocks of sessions, while their times are drawn and while they are made.
func TestGeneratingIsLeftOff(t *testing.T) {
	const sessions = 10_000_000
	for _, asked := range []int64{0, 3, sessions/block + 20} {
		ctx := &countdown{Context: context.Background()}
		ctx.left.Store(asked)
		m := &counted{Paced: Paced{Holdings: &sizes{}}}
		_, err := Generate(m, GenerateOptions{Arrivals: Arrivals{Process: "constant", Rate: sessions},
			Until: units.Second, Context: ctx})
		if most := max(0, asked-sessions/block) * block; !errors.Is(err, context.Canceled) || m.n.Load() > most {
			t.Errorf("asked %d times: %v, %d sessions, want at most %d", asked, err, m.n.Load(), most)
		}
	}
}
