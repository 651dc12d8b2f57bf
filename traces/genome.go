package traces

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Genome is a sequence of frame sizes that repeats: frame k of a flow has size k modulo its length.
type Genome []int32

// IMIX is the simple Internet mix: IP packets of 40, 576 and 1500 B in the ratio of 7 to 4 to 1, as Ethernet frames of
// 64, 594 and 1518 B. These are the sizes of TRex's profile imix (60, 590 and 1514 B without the check sequence) and of
// most testers; some take 570 B for the second one. The definition says nothing of an order. This one spreads them.
const IMIX = "ABAABAABACAB A=64 B=594 C=1518"

// MostGenome is how many frames a genome may have, and MostFrame how many bytes a frame.
const (
	MostGenome = 1 << 16
	MostFrame  = 65535
)

// standardSizes are the letters of RFC 6985, section 3. The letter z, the MTU, has no size of its own.
var standardSizes = map[rune]int32{
	'a': 64, 'b': 128, 'c': 256, 'd': 512, 'e': 1024, 'f': 1280, 'g': 1518, 'h': 2112, 'i': 9000, 'j': 16000,
}

// ParseGenome reads the notation of RFC 6985 (IMIX Genome): a letter for each frame of the sequence, followed by the
// sizes of the custom letters A to Z (section 4) and of z, as in
//
//	aaafg
//	AAAGG A=90 G=1400
//	20(abcd)5(ggga)7z z=9018
//
// A number repeats the letter or the parenthesis after it; the RFC (section 5.1) writes such repetitions as a table.
// imix stands for IMIX. Errors say what was found and what is expected.
func ParseGenome(text string) (Genome, error) {
	if text == "imix" {
		text = IMIX
	}
	words := strings.Fields(text)
	if len(words) == 0 || len(text) > 2*MostGenome {
		return nil, fmt.Errorf("%q, want some letters such as aaafg, or imix", clip(text))
	}
	sizes := map[rune]int32{}
	for _, w := range words[1:] {
		name, size, _ := strings.Cut(w, "=")
		n, err := strconv.ParseInt(strings.TrimSuffix(size, "B"), 10, 32)
		if custom := len(name) == 1 && (name[0] >= 'A' && name[0] <= 'Z' || name[0] == 'z'); !custom || err != nil ||
			n < 1 || n > MostFrame {
			return nil, fmt.Errorf("%q, want the size of a letter A to Z or z, such as A=90, up to %d", clip(w),
				MostFrame)
		}
		if _, twice := sizes[rune(name[0])]; twice {
			return nil, fmt.Errorf("%q, want one size for each letter", clip(w))
		}
		sizes[rune(name[0])] = int32(n)
	}
	used := map[rune]bool{}
	g, rest, err := parseFrames(words[0], func(letter rune) (int32, bool) {
		used[letter] = true
		if size, ok := sizes[letter]; ok {
			return size, true
		}
		size, ok := standardSizes[letter]
		return size, ok
	})
	switch {
	case err != nil:
		return nil, err
	case rest != "":
		return nil, fmt.Errorf("%q, want a parenthesis before it", clip(rest))
	}
	for letter := range sizes {
		if !used[letter] {
			return nil, fmt.Errorf("a size for %c, want a letter of the sequence", letter)
		}
	}
	return g, nil
}

// parseFrames reads a sequence up to its end or a closing parenthesis, and returns what follows.
func parseFrames(text string, size func(rune) (int32, bool)) (g Genome, rest string, err error) {
	for text != "" && text[0] != ')' {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		n, part := 1, text[digits:]
		if digits > 0 {
			if n, err = strconv.Atoi(text[:digits]); err != nil || n < 1 || n > MostGenome || part == "" {
				return nil, "", fmt.Errorf("%q, want 1 to %d repetitions of what follows", clip(text), MostGenome)
			}
		}
		var frames Genome
		if inside, open := strings.CutPrefix(part, "("); open {
			if frames, part, err = parseFrames(inside, size); err != nil {
				return nil, "", err
			}
			if part == "" || len(frames) == 0 {
				return nil, "", fmt.Errorf("%q, want letters and a closing parenthesis", clip(text))
			}
			text = part[1:]
		} else {
			letter := rune(part[0])
			bytes, ok := size(letter)
			if !ok {
				return nil, "", fmt.Errorf("%q, want a to j of RFC 6985, or a letter A to Z or z with its size, such "+
					"as AAA A=90", clip(part))
			}
			frames, text = Genome{bytes}, part[1:]
		}
		if len(g)+n*len(frames) > MostGenome {
			return nil, "", fmt.Errorf("more than %d frames, want a shorter sequence", MostGenome)
		}
		for range n {
			g = append(g, frames...)
		}
	}
	return g, text, nil
}

// Mean is the mean frame size.
func (g Genome) Mean() float64 {
	sum := int64(0)
	for _, b := range g {
		sum += int64(b)
	}
	return float64(sum) / float64(len(g))
}

// mixed reports whether there are several sizes.
func (g Genome) mixed() bool {
	for _, b := range g {
		if b != g[0] {
			return true
		}
	}
	return false
}

// Resize gives the frames of each flow the sizes of the genome, in order from the flow's first frame on. The sizes that
// the flows had must be its mean, and the flows must be in order. Packets that have times of their own keep them; all
// others come when the packet engine would send them.
func (w *Workload) Resize(g Genome) {
	for i := range w.Provenance {
		w.Provenance[i] += fmt.Sprintf(", %d sizes in turn", len(g))
	}
	if !g.mixed() {
		return
	}
	random := make([]bool, len(w.Flows))
	for i, p := range w.Packets { // of processes: of one flow each
		random[p.Flows[0]] = true
		w.Packets[i].Open = func() PacketReader { return &resized{src: p.Open(), genome: g} }
	}
	for _, l := range w.sequences(random) {
		l.genome = g
		w.Packets = append(w.Packets, Packets{Flows: l.ids, Open: func() PacketReader { return l.open(0, len(l.ids)) },
			one: func(k int) PacketReader { return l.open(k, k+1) }})
	}
	w.Constant = nil
}

// resized changes the sizes of one flow's packets.
type resized struct {
	src    PacketReader
	genome Genome
	k      int
}

// Read implements PacketReader.
func (r *resized) Read(to []Arrival) (int, error) {
	n, err := r.src.Read(to)
	for i := range to[:n] {
		to[i].Bytes = r.genome[r.k]
		r.k = (r.k + 1) % len(r.genome)
	}
	return n, err
}

// sequence is flows each of which begins when the one before it has ended, or later.
type sequence struct {
	ids    []flow.ID
	of     *Workload // as it was; ids are its numbers
	genome Genome
	free   units.Time // when the last flow has ended
}

// sequences partitions the flows, but for some, into as few sequences as they can be, which is as many as send at once.
func (w *Workload) sequences(but []bool) []*sequence {
	was := *w
	var all sequences
	for i, f := range w.Flows {
		if but[i] {
			continue
		}
		if len(all) == 0 || all[0].free > f.Segments[0].Start {
			heap.Push(&all, &sequence{of: &was, free: -1})
		}
		all[0].ids, all[0].free = append(all[0].ids, flow.ID(i)), f.Segments[len(f.Segments)-1].End
		heap.Fix(&all, 0)
	}
	slices.SortFunc(all, func(a, b *sequence) int { return cmp.Compare(a.ids[0], b.ids[0]) })
	return all
}

// sequences is a heap, the first to be free on top.
type sequences []*sequence

func (h sequences) Len() int           { return len(h) }
func (h sequences) Less(i, j int) bool { return h[i].free < h[j].free }
func (h sequences) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sequences) Push(x any)        { *h = append(*h, x.(*sequence)) }
func (h *sequences) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	*h = (*h)[:last]
	return s
}

// open reads the packets of flows from to to-1 of the sequence.
func (l *sequence) open(from, to int) PacketReader {
	return &trail{sequence: l, first: from, f: from, to: to}
}

// trail plays flows of a sequence. It calls the first one 0.
type trail struct {
	*sequence
	first, f, to int // f is the flow that begins next
	k            int // next frame in the genome
	now          playing
}

// Read implements PacketReader.
func (t *trail) Read(to []Arrival) (int, error) {
	for n := range to {
		for t.f == t.first || !t.now.next() {
			if t.f == t.to {
				return ended(n)
			}
			id := t.ids[t.f]
			t.k, t.now = 0, playing{flow: t.of.Flows[id]}
			if len(t.of.Constant) > 0 {
				t.now.constant = t.of.Constant[id]
			}
			t.f++
		}
		to[n] = Arrival{At: t.now.at, Flow: flow.ID(t.f - t.first - 1), Bytes: t.genome[t.k]}
		t.k = (t.k + 1) % len(t.genome)
	}
	return len(to), nil
}
