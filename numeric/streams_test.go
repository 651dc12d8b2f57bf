package numeric

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The first draws of the consumers older than names are those that they had from their own derivations, which this test
// writes out: records of theirs must come out again.
func TestConsumersOlderThanNamesDrawWhatTheyDrew(t *testing.T) {
	spread := func(kind, i uint64) uint64 {
		x := (kind<<40 ^ i) * 0x9e3779b97f4a7c15
		x ^= x >> 32
		x *= 0xd6e8feb86659fd93
		return x ^ x>>32
	}
	words := map[string]func(i uint64) uint64{
		"scheduler/ties":  func(i uint64) uint64 { return 0x7363686564756c65 + 0x9e3779b97f4a7c15*i },
		"sim/service":     func(i uint64) uint64 { return 0x7365727669636573 + 0x9e3779b97f4a7c15*i },
		"traces/phases":   func(i uint64) uint64 { return i },
		"traces/arrivals": func(i uint64) uint64 { return spread(1, i) },
		"traces/flows":    func(i uint64) uint64 { return spread(2, i) },
		"traces/packets":  func(i uint64) uint64 { return spread(3, i) },
	}
	if names := slices.Sorted(maps.Keys(chosen)); !slices.Equal(names, slices.Sorted(maps.Keys(words))) {
		t.Errorf("the table holds %q, and nothing may be added to it", names)
	}
	for name, word := range words {
		for _, seed := range []uint64{0, 1, 0xdeadbeefcafe} {
			for _, i := range []uint64{0, 1, 2, 77, 1<<31 + 3} {
				if got, want := *Streams(name).At(seed, i), *rand.NewPCG(seed, word(i)); got != want {
					t.Errorf("%s, number %d of seed %d: starts at %v, want %v", name, i, seed, got, want)
				}
			}
		}
	}
}

// These draws are in records.
func TestFirstDraws(t *testing.T) {
	for _, c := range []struct {
		name    string
		seed, i uint64
		want    [3]uint64
	}{
		{"scheduler/ties", 1, 0, [3]uint64{0x835f175cdd3234d, 0x6b8cae03c15548fb, 0xf9854b07876b3d95}},
		{"scheduler/ties", 0xdeadbeefcafe, 0, [3]uint64{0xc11ae2ec4c624aef, 0xb3f620b8d45e0b38, 0xb18d157875bfe35b}},
		{"sim/service", 1, 0, [3]uint64{0xc89f8ef8bf9b713f, 0x652e8bfca49b9282, 0x4d5225f5e2d2b80}},
		{"sim/service", 1, 77, [3]uint64{0x7c90b9b3fe94ba93, 0x48084a89e217eb07, 0x1458ec284bb2b48b}},
		{"traces/arrivals", 1, 0, [3]uint64{0x750151a43f379960, 0x9739cbe6f696737, 0xe46ea7d28d9badf8}},
		{"traces/flows", 1, 0, [3]uint64{0x72eaa03c8282b93d, 0xfce31a9e667adf13, 0x3ddaced8940a1343}},
		{"traces/flows", 1, 1048579, [3]uint64{0x93c74d7a8b5bd0ce, 0x96ee4cb836e715cb, 0x1b66c35b60b17d26}},
		{"traces/packets", 1, 0, [3]uint64{0x4126543fcf3c5edb, 0x46a3bdfdd2692de8, 0x9b88decb8411946f}},
		{"traces/packets", 1, 2147483651, [3]uint64{0x5bce680905703431, 0xec7980bd378fd765, 0x55aed6ef479dc6b6}},
		{"traces/phases", 1, 1, [3]uint64{0xff4ae39f6bb44fb8, 0x1a3d1e601c115a0b, 0xdd1a8567d1b67dac}},
		{"traces/phases", 1, 99, [3]uint64{0xc1cc084454a9868a, 0x409b94fe957493b6, 0xf33baee96542de65}},
		// A name that is hashed, computed from the comment of At by another program.
		{"scheduler/policy/power-of-d", 1, 0, [3]uint64{0xac8c95f99b02974b, 0x532db5f34056a35, 0x80d3a4f547429b00}},
		{"scheduler/policy/power-of-d", 1, 2, [3]uint64{0xeef181ca8ce3eb3f, 0x334b320bd8cdf630, 0xa80f471c7442aeef}},
	} {
		r := Streams(c.name).At(c.seed, c.i)
		if got := [3]uint64{r.Uint64(), r.Uint64(), r.Uint64()}; got != c.want {
			t.Errorf("%s, number %d of seed %d: draws %#x, want %#x", c.name, c.i, c.seed, got, c.want)
		}
	}
}

func TestStreamIsNumberZero(t *testing.T) {
	if got, want := Stream(7, "a/b").Uint64(), Streams("a/b").At(7, 0).Uint64(); got != want {
		t.Errorf("the stream begins with %#x, want %#x", got, want)
	}
}

// Under one seed no two streams start at the same place, whatever their names and numbers.
func TestStreamsAreApart(t *testing.T) {
	names := slices.Collect(maps.Keys(chosen))
	for i := range 20 {
		names = append(names, fmt.Sprintf("room/consumer-%d", i))
	}
	type stream struct {
		name string
		i    uint64
	}
	seen := map[rand.PCG]stream{}
	for _, name := range names {
		streams := Streams(name)
		for i := range uint64(5000) {
			at := *streams.At(3, i)
			if other, ok := seen[at]; ok {
				t.Fatalf("%v starts where %v does", stream{name, i}, other)
			}
			seen[at] = stream{name, i}
		}
	}
}

// The names in the code are written out, at least in their beginning, and each stands in one place: two consumers do
// not share a stream by accident.
func TestNamesInTheCodeAreDistinct(t *testing.T) {
	type use struct {
		name  string // or its beginning
		whole bool
		at    token.Position
	}
	var uses []use
	files := token.NewFileSet()
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(files, file, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || f.Sel.Name != "Stream" && f.Sel.Name != "Streams" || fmt.Sprint(f.X) != "numeric" {
				return true
			}
			u := use{at: files.Position(call.Pos())}
			name := call.Args[len(call.Args)-1]
			if sum, ok := name.(*ast.BinaryExpr); ok {
				name = sum.X
			} else {
				u.whole = true
			}
			if text, ok := name.(*ast.BasicLit); ok {
				u.name, _ = strconv.Unquote(text.Value)
			}
			uses = append(uses, u)
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(uses) < 5 {
		t.Fatalf("only %d streams are found", len(uses))
	}
	room := regexp.MustCompile(`^[a-z-]+(/[a-z-]+)*/`)
	for i, u := range uses {
		if !room.MatchString(u.name) || u.whole && strings.HasSuffix(u.name, "/") {
			t.Errorf("%v: stream %q, want a room, a slash and the consumer written out, or all but the end",
				u.at, u.name)
		}
		for _, v := range uses[:i] {
			if u.name == v.name || !u.whole && strings.HasPrefix(v.name, u.name) ||
				!v.whole && strings.HasPrefix(u.name, v.name) {
				t.Errorf("%v and %v: streams %q and %q may be the same", v.at, u.at, v.name, u.name)
			}
		}
	}
}

// Making a stream costs what a PCG and a Rand cost: one allocation each.
func TestAStreamIsTwoAllocations(t *testing.T) {
	streams := Streams("traces/packets")
	var r *rand.Rand
	if n := testing.AllocsPerRun(100, func() { r = rand.New(streams.At(1, 2)) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
	_ = r
}

func BenchmarkStreams(b *testing.B) {
	streams := Streams("traces/packets")
	b.ReportAllocs()
	for i := range b.N {
		rand.New(streams.At(1, uint64(i))).Uint64()
	}
}
