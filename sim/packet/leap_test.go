package packet

import (
	"testing"

	"github.com/smartinco/smartinco/units"
)

// every is a constant-rate flow of 64 B packets.
func every(period, first int64) SlowFlow {
	return SlowFlow{Num: period, Den: 1, First: first, End: int64(units.Never), Size: 64}
}

// Leaps and steps are the same at the edges of what can be leaped over, where random worlds hardly come. Each of these
// worlds is leaped over, but the one whose waits are not known beforehand only where they are not asked for.
func TestEdgesOfLeaps(t *testing.T) {
	ends := every(5_000, 0)
	ends.End, ends.Size = 2_000_000, 70
	for _, c := range []struct {
		name  string
		world world
		waits bool // are known
	}{
		// 1000.2 ps a packet: the third comes when the two before it take 2000 or 2001 ps, and waits, or just does not.
		{"a wait of 0 or 1 ps", world{room: 20, clock: clock{base: 1000, frac: 1 << fracBits / 5},
			flows: []SlowFlow{every(20_000, 0), every(20_000, 1), every(20_000, 2000)}}, true},
		// The third finds the server idle for 0 or 1 ps. By the bound of 1001 ps a packet it waits for 1 ps.
		{"idle for 0 or 1 ps", world{room: 20, clock: clock{base: 1000, frac: 1 << fracBits / 5},
			flows: []SlowFlow{every(20_000, 0), every(20_000, 1), every(20_000, 2001)}}, false},
		// The ring is full of packets that take 10,700 ps when those of 10,640 ps come. Until they have left, there is
		// room less often than these say.
		{"packets of another size are there", world{room: 64, clock: clock{base: 10_000}, perByte: 10,
			flows: []SlowFlow{ends, every(4_000, 2_000_100), every(4_000, 2_001_300), every(4_000, 2_002_900)}}, true},
		{"a load of exactly one", world{room: 20, clock: clock{base: 5_000}, flows: []SlowFlow{every(20_000, 0),
			every(20_000, 100), every(20_000, 7_000), every(20_000, 7_100)}}, true},
		{"a load of exactly one, by the clock's fraction", world{room: 20, clock: clock{base: 6_666, frac: 1 << 19},
			flows: []SlowFlow{every(13_333, 0), every(13_333, 5_000)}}, true},
		{"a burst beyond the ring and then nothing", world{room: 2, clock: clock{base: 3_000}, flows: []SlowFlow{
			every(20_000, 0), every(20_000, 1), every(20_000, 2), every(20_000, 3)}}, true},
		{"a burst whose services take the same time in every second cycle", world{room: 2,
			clock: clock{base: 3_000, frac: 1 << (fracBits - 2)},
			flows: []SlowFlow{every(20_000, 0), every(20_000, 1), every(20_000, 2)}}, true},
		{"an overload whose packets come together", world{room: 1, clock: clock{base: 7_000}, flows: []SlowFlow{
			every(20_000, 0), every(20_000, 1), every(20_000, 2), every(20_000, 11_000)}}, true},
		{"the way back takes 1001 cycles", world{room: 3, clock: clock{base: 7_007}, flows: []SlowFlow{
			every(1_000, 0), every(20_000, 1), every(20_000, 2), every(20_000, 19_000)}}, true},
		{"a packet of another size is there", world{room: 1, clock: clock{base: 3_000}, perByte: 10, flows: []SlowFlow{
			ends, every(10_000, 2_000_000), every(10_000, 2_000_100), every(10_000, 2_000_200)}}, true},
	} {
		clock := c.world.clock
		slow := &Slow{Room: c.world.room, Service: c.world.service(&clock), Flows: c.world.flows}
		engines := make([]*Engine, len(trials))
		for k, p := range trials {
			engines[k] = c.world.engine(p.modes, p.measure, p.fate)
		}
		const end = 20_000_000
		slow.Advance(end)
		for k, p := range trials {
			e := engines[k]
			e.advance(1, end)
			compare(t, c.name+", "+p.name, e, slow, end, p.fate)
			if p.measure {
				compareDelays(t, c.name+", "+p.name, &e.instances[1].server, slow, end)
			}
			if n := e.cores[0].sum.by[saturated]; p.keen && (n > 0) != (c.waits || !p.measure) {
				t.Errorf("%s, %s: %d packets leaped over", c.name, p.name, n)
			}
		}
	}
}
