package simtest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
)

// Policy draws a value of scheduler.policy from the whole table, now and then with options. A policy that moves flows
// does so about once in the time that tick gives, in whole units.
func Policy(r *rand.Rand, tick int, unit string) string { return draw(r, tick, unit, false) }

// MovingPolicy is a Policy that is often one of the few that move flows.
func MovingPolicy(r *rand.Rand, tick int, unit string) string { return draw(r, tick, unit, true) }

// Dispatch draws how packets find their instance under a policy that was drawn, as further keys of scheduler: without
// rules where that can be, by rules that come late, or, mostly, as always. It draws from the text of the scenario up to
// there, so that what else a test draws is the same as without.
func Dispatch(text, drawn string) string {
	h := fnv.New64a()
	h.Write([]byte(text + drawn))
	r := rand.New(rand.NewPCG(h.Sum64(), 0))
	name, _, _ := strings.Cut(strings.TrimPrefix(drawn, "{"), ":")
	switch dispatch := scheduler.Policies.Find(name).Dispatch; {
	case dispatch == policy.ByEither && r.IntN(2) == 0:
		return ", rules: none"
	case dispatch == policy.ByPacket || r.IntN(4) > 0:
		return ""
	}
	return fmt.Sprintf(", offload: {after: %d}", 2+r.IntN(1+r.IntN(30)))
}

// Drawn are the policies that are drawn: all but those for which delays have to be measured.
func Drawn() (names []string) {
	for _, row := range scheduler.On(policy.Flows) {
		if row.Measures == 0 {
			names = append(names, row.Name)
		}
	}
	return names
}

func draw(r *rand.Rand, tick int, unit string, moving bool) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	names := Drawn()
	name := names[r.IntN(len(names))]
	if moving && r.IntN(6) == 0 {
		name = pick("rss++", "rss++", "maestro", "orss", "oracle")
	}
	options := map[string]string{
		"power-of-d": fmt.Sprintf("d: %d, replacement: %v, by: %s", 1+r.IntN(4), r.IntN(2) == 0, pick("flows", "load")),
		"maglev":     "table: " + pick("2", "7", "251"),
		"rss++": fmt.Sprintf("table: %d, tick: %d%s, tick_min: %d%s, tick_max: %d%s, threshold: %s, keep: %s",
			1+r.IntN(200), 1+r.IntN(2*tick), unit, 1+r.IntN(tick), unit, tick+r.IntN(tick), unit,
			pick("0", "0.02", "0.2"), pick("last", "best")),
		"maestro": fmt.Sprintf("table: %d, training: %d%s", 1+r.IntN(200), 1+r.IntN(2*tick), unit),
		"orss": fmt.Sprintf("tick: %d%s, most: %d, new: %s",
			1+r.IntN(2*tick), unit, 1+r.IntN(10), pick("first", "random")),
		"oracle": fmt.Sprintf("moves: %v, tick: %d%s", r.IntN(4) > 0, 1+r.IntN(2*tick), unit),
	}[name]
	// Ticks, whose defaults are for runs of seconds, are always drawn.
	ticks := name == "rss++" || name == "maestro" || name == "orss" || name == "oracle"
	if options == "" || !ticks && r.IntN(2) == 0 {
		return name
	}
	return fmt.Sprintf("{%s: {%s}}", name, options)
}
