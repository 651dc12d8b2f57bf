package rss

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var maestroRow = policy.Row{
	Info: policy.Info{Name: "maestro",
		Rule: "the instance that a table has for the flow's hash; the table is balanced once, after a time of training",
		Source: "Pereira et al. (Maestro), NSDI 2024, as released in 97df164b, " +
			"dpdk-nfs/synthesized/tools/get_balanced_lut.py",
		Score: "the table's entry", Sees: policy.T0 | policy.T2,
		State: "the table, and the packets that each entry had in training", Cost: "log n",
		Deviates: "Maestro counts a recorded trace before the function runs; here the rules count, in the run " +
			"itself, so flows that ended in training and packets of the slow path are not counted, and flows that " +
			"are there when it ends move; later, flows that have a rule stay where they are when the table " +
			"changes; for keys under which one address alone counts, that address alone is hashed"},
	Tuple:    true,
	Reasons:  []string{"entry of the flow's hash"},
	Counters: []string{"tables balanced"},
	Maker:    policy.Make(newMaestro),
}

type maestroOptions struct {
	tableOptions `yaml:",inline"`
	Training     units.Time `yaml:"training" default:"10s" above:"0"`
}

// Docs implements strictyaml.Documented.
func (maestroOptions) Docs() string {
	return `
training: how long the rules count packets before the table is balanced. Where they have counted none, it goes on for as
	long again
`
}

// maestro is RSS with a table that is balanced by what each entry had in training. As Maestro, which writes a table for
// each number of cores from the same counts, it balances anew for the number of instances when that changes.
type maestro struct {
	indirection
	training units.Time
	trained  []uint64 // packets by bucket; nil during training
	balanced *uint64
}

func newMaestro(o maestroOptions, env policy.Env) (policy.Policy, error) {
	return &maestro{indirection: o.new(), training: o.Training, balanced: &env.Counts[0]}, nil
}

func (m *maestro) Observe(e *policy.Event, v *policy.View) {
	if e.Kind == policy.Joined || e.Kind == policy.Left {
		m.fill(remain(e, v))
	}
}

func (m *maestro) fill(ids []flow.Instance) {
	if m.trained == nil || len(ids) == 0 {
		m.deal(ids)
		return
	}
	*m.balanced++
	for b, core := range balancedTable(m.trained, len(ids)) {
		m.table[b] = ids[core]
	}
}

// Every is the time of training, and then for ever.
func (m *maestro) Every() units.Time {
	if m.trained != nil {
		return units.Never
	}
	return m.training
}

// Moves balances the table at the end of training, and moves the flows to where it has them then.
func (m *maestro) Moves(v *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	if m.trained != nil {
		return to
	}
	packets, sum := make([]uint64, len(m.table)), uint64(0)
	for i := range counted {
		packets[m.bucket(&counted[i].Work.Tuple)] += counted[i].Packets
		sum += counted[i].Packets
	}
	if sum == 0 {
		return to
	}
	m.trained = packets
	m.fill(v.IDs)
	return m.follow(v, counted, to)
}

// share is a core with its buckets.
type share struct {
	core    int
	packets uint64
	buckets []counter
}

type counter struct {
	bucket  int
	packets uint64
}

// balancedTable gives for each bucket its core, of so many, as Maestro's find_good_lut does for these counts.
func balancedTable(packets []uint64, cores int) []int {
	b := balancer{over: make([]share, cores)}
	for i := range b.over {
		b.over[i].core = i
	}
	for i, n := range packets {
		s := &b.over[i%cores]
		s.packets += n
		s.buckets = append(s.buckets, counter{i, n})
		b.mean += float64(n)
	}
	b.mean /= float64(cores)
	b.group()
	b.settle()
	b.spread()
	b.group()
	b.settle()

	table := make([]int, len(packets))
	for i, number := range numbers(len(b.over), cores) {
		for _, c := range slices.Concat(b.over, b.under)[i].buckets {
			table[c.bucket] = number
		}
	}
	return table
}

// numbers are those that the cores get in the end. Those that are still above the mean, which have an elephant, come
// first, and get the even numbers as long as there are any; then each gets the lowest number that is left.
func numbers(over, cores int) (all []int) {
	for i := 0; i < cores && len(all) < over; i += 2 {
		all = append(all, i)
	}
	evens := len(all)
	for i := range cores {
		if i%2 == 1 || i >= 2*evens {
			all = append(all, i)
		}
	}
	return all
}

// balancer has the cores in two groups: those above the mean, the most loaded first, each with its greatest buckets
// first; and the others, in the opposite orders. All sorts are stable.
type balancer struct {
	mean        float64
	over, under []share
}

// group makes the groups anew.
func (b *balancer) group() {
	all := slices.Concat(b.under, b.over)
	b.over, b.under = nil, nil
	for _, s := range all {
		if float64(s.packets) > b.mean {
			slices.SortStableFunc(s.buckets, func(x, y counter) int { return cmp.Compare(y.packets, x.packets) })
			b.over = append(b.over, s)
		} else {
			slices.SortStableFunc(s.buckets, func(x, y counter) int { return cmp.Compare(x.packets, y.packets) })
			b.under = append(b.under, s)
		}
	}
	slices.SortStableFunc(b.over, func(x, y share) int { return cmp.Compare(y.packets, x.packets) })
	slices.SortStableFunc(b.under, func(x, y share) int { return cmp.Compare(x.packets, y.packets) })
}

// settle moves buckets until none moves any more. Each of the cores above the mean gives the greatest bucket that some
// other one can take without being above the mean, as long as there is one and the core is a hundredth above the mean.
func (b *balancer) settle() {
	for moved := true; moved; b.group() {
		moved = false
		for i := range b.over {
			for b.give(&b.over[i]) {
				moved = true
				if (float64(b.over[i].packets)-b.mean)/b.mean < 0.01 {
					break
				}
			}
		}
	}
}

// give moves one bucket from a core, and reports whether it could.
func (b *balancer) give(from *share) bool {
	for k, c := range from.buckets {
		for j := range b.under {
			if to := &b.under[j]; float64(to.packets+c.packets) <= b.mean {
				move(from, k, to)
				return true
			}
		}
	}
	return false
}

// spread takes the smallest buckets of the cores that are above the mean, until each has but one, and gives one to each
// of the others, as far as these go.
func (b *balancer) spread() {
	next := 0
	for i := range b.over {
		for from := &b.over[i]; len(from.buckets) > 1 && next < len(b.under); next++ {
			move(from, len(from.buckets)-1, &b.under[next])
		}
	}
}

func move(from *share, at int, to *share) {
	c := from.buckets[at]
	from.buckets = slices.Delete(from.buckets, at, at+1)
	from.packets -= c.packets
	to.buckets = append(to.buckets, c)
	to.packets += c.packets
}
