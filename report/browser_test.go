package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/internal/needs"
)

// use is what a reader does with the page; it sends what came of it to the test. A browser takes its picture once the
// page is loaded, and the image at the end of it comes when all of this is done.
const use = `<script>(async () => {
const until = async (what, ready) => {
	for (let n = 0; !ready(); n++) {
		if (n > 6000) throw new Error('never came: ' + what);
		await new Promise(r => setTimeout(r, 10));
	}
};
const all = s => [...document.querySelectorAll(s)];
const said = {};
const names = () => all('#table tbody tr').filter(r => !r.hidden).map(r => r.cells[1].innerText.split('\n')[0]);
const wide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
const type = (e, key) => e.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
try {
	await until('figures', () => all('#beside path.series').length && all('#detail path.series').length);
	said.picked = all('#table input:checked').length;
	said.lines = all('#beside figure:first-child path.series').length;
	said.spread = Math.max(...all('path.series').map(p => p.getBBox().width));

	const heads = all('#table thead button');
	const seed = heads.find(b => b.textContent === 'seed');
	seed.click(); seed.click();
	said.sorted = names()[0] + ' ' + seed.closest('th').getAttribute('aria-sort');

	const filter = document.getElementById('filter');
	filter.value = 'best-fit SEED=2';
	filter.dispatchEvent(new Event('input'));
	said.filtered = names();
	said.dots = all('circle.dot').length;
	filter.value = '';
	filter.dispatchEvent(new Event('input'));

	all('#table tbody button')[0].click();
	await until('the scenario', () => all('#detail pre').some(p => p.textContent.includes('seed: 2')));
	const plot = document.querySelector('#detail .plot');
	await until('its figure', () => plot.querySelector('path.series'));
	type(plot, 'ArrowRight'); type(plot, 'ArrowRight'); type(plot, 'Enter');
	said.read = plot.nextSibling.innerText.replace(/\s+/g, ' ').trim();
	said.decisions = all('#detail tbody tr').map(r => [...r.cells].map(c => c.innerText).join('|'));
	all('#detail button').find(b => b.textContent === 'Earlier').click();
	said.focused = document.activeElement.outerHTML;
	said.unnamed = all('button, input, select, [tabindex="0"]').filter(e => !(e.innerText || e.ariaLabel ||
		e.getAttribute('aria-labelledby') || e.labels && e.labels.length)).map(e => e.outerHTML.slice(0, 80));
	said.wide = wide();
	scrollTo(0, 0);
	said.background = getComputedStyle(document.body).backgroundColor;
} catch (e) { said.error = String(e); }
await fetch('/said', {method: 'POST', body: JSON.stringify(said)});
})()</script><img src="/done" alt="">`

// outcome is what use sends.
type outcome struct {
	Picked, Lines, Dots                      int
	Spread, Wide                             float64
	Sorted, Read, Focused, Background, Error string
	Filtered, Decisions, Unnamed             []string
}

func TestInABrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		needs.This(t, "no chromium: the page is not opened")
	}
	page := written(t, recorded(t))
	page = strings.Replace(page, "</body>", use+"</body>", 1)
	for _, width := range []int{390, 1280} {
		for scheme, paper := range map[string]string{"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"} {
			t.Run(fmt.Sprint(scheme, " ", width), func(t *testing.T) {
				got, picture := open(t, chromium, page, width, scheme)
				want := outcome{
					Picked: 2, Lines: 2, Dots: 1, Spread: got.Spread,
					Sorted:   "three-flows-policy=round-robin-seed=2 descending",
					Filtered: []string{"three-flows-policy=best-fit-seed=2"},
					Read:     "at 2 s offered: 8 processed: 8",
					Decisions: []string{
						"1.000001 s|schedule|round-robin|1|2||next in the cycle|1: 1; 2: 0",
						"2 s|recommend|target-utilization|||2|8 Mpps at 5 Mpps each|",
					},
					Focused:    `<button class="step">Later</button>`, // there is nothing earlier
					Background: paper,
					Unnamed:    []string{},
				}
				if g, w := asJSON(t, got), asJSON(t, want); g != w {
					t.Errorf("got  %s\nwant %s", g, w)
				}
				if got.Spread < 150 {
					t.Errorf("the longest line is %g pixels wide", got.Spread)
				}
				if at := picture.Bounds(); at.Dx() != width {
					t.Errorf("the picture is %d pixels wide: want %d", at.Dx(), width)
				}
				if n := colours(picture); n < 50 {
					t.Errorf("the picture has %d colours: it is blank", n)
				}
			})
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// open opens the page in a browser's window of a width, and returns what use sent and how the page looked after it.
func open(t *testing.T, chromium, page string, width int, scheme string) (said outcome, picture image.Image) {
	t.Helper()
	done := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, page) })
	mux.HandleFunc("/said", func(_ http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(&said); err != nil {
			said.Error = err.Error()
		}
		close(done)
	})
	mux.HandleFunc("/done", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-done:
		case <-r.Context().Done():
		}
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	dir := t.TempDir()
	shot := filepath.Join(dir, "page.png")
	preferred := map[string]string{"dark": "0", "light": "1"}[scheme]
	c := exec.CommandContext(t.Context(), chromium, "--headless=new", "--no-sandbox", "--disable-gpu",
		"--hide-scrollbars", "--no-first-run", "--user-data-dir="+dir, "--disable-dev-shm-usage",
		fmt.Sprintf("--window-size=%d,2400", width), "--blink-settings=preferredColorScheme="+preferred,
		"--screenshot="+shot, server.URL)
	c.Env = append(os.Environ(), "HOME="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(shot)
	if err != nil {
		t.Fatal(err)
	}
	if picture, err = png.Decode(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if keep := os.Getenv("SMARTINCO_SCREENSHOTS"); keep != "" {
		name := filepath.Join(keep, fmt.Sprintf("report-%s-%d.png", scheme, width))
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return said, picture
}

// colours counts those of a picture.
func colours(p image.Image) int {
	seen := map[[3]uint32]bool{}
	for y := p.Bounds().Min.Y; y < p.Bounds().Max.Y; y += 2 {
		for x := p.Bounds().Min.X; x < p.Bounds().Max.X; x++ {
			r, g, b, _ := p.At(x, y).RGBA()
			seen[[3]uint32{r, g, b}] = true
		}
	}
	return len(seen)
}
