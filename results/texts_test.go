package results

import (
	"fmt"
	"testing"
)

// What comes out is what came in, also of texts that take each other's place, and a text that comes again soon is not
// made again.
func TestTexts(t *testing.T) {
	var texts Texts
	for i := range 5000 {
		if want := fmt.Sprint(i % 3000); texts.Of([]byte(want)) != want {
			t.Fatalf("%q is given as %q", want, texts.Of([]byte(want)))
		}
	}
	b := []byte("203.0.113.7")
	texts.Of(b)
	if n := testing.AllocsPerRun(10, func() { texts.Of(b) }); n != 0 {
		t.Errorf("a text that was there is made again: %v allocations", n)
	}
}
