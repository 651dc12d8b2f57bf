package docker

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"

	"github.com/smartinco/smartinco/hw"
)

// fake is an engine of which only the answers exist.
type fake struct {
	api    string            // the newest version of the API that it speaks
	answer map[string]string // by method and path without the version: a status and a body

	mu   sync.Mutex
	seen []string // method, path with version
}

var versioned = regexp.MustCompile(`^/v[0-9.]+`)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, r.Method+" "+r.URL.Path)
	f.mu.Unlock()
	path := versioned.ReplaceAllString(r.URL.Path, "")
	w.Header().Set("Api-Version", f.api)
	w.Header().Set("Content-Type", "application/json")
	switch answer, ok := f.answer[r.Method+" "+path]; {
	case ok && strings.HasPrefix(answer, "5"):
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": answer[4:]})
	case ok:
		_, _ = w.Write([]byte(answer))
	case path == "/_ping":
		_, _ = w.Write([]byte("OK"))
	case path == "/events":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case path == "/containers/json":
		_, _ = w.Write([]byte("[]"))
	case path == "/info":
		_, _ = w.Write([]byte(`{"ServerVersion": "99", "CgroupDriver": "cgroupfs"}`))
	default:
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": "no such thing"})
	}
}

// config is one that check accepts.
func config(host string) Config {
	return Config{
		Host: host, Testbed: "t", Image: "image", Probe: Probe{Log: "ready"},
		Ports: []Port{{At: hw.Ports{In: "vf0", Out: "vf1"}}},
	}
}

func (f *fake) open(t *testing.T) (*Engine, error) {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	e, err := Open(t.Context(), config("tcp"+strings.TrimPrefix(s.URL, "http")))
	if err == nil {
		t.Cleanup(func() { e.Close() })
	}
	return e, err
}

// The older of the two versions is spoken.
func TestNegotiation(t *testing.T) {
	for _, test := range []struct{ engine, spoken string }{
		{"1.41", "1.41"}, // 20.10
		{"1.47", "1.47"}, // 27
		{"9.99", ""},     // to come: the client's own
	} {
		f := &fake{api: test.engine}
		s := httptest.NewServer(f)
		facts, err := Info(t.Context(), Config{Host: "tcp" + strings.TrimPrefix(s.URL, "http")})
		s.Close()
		if err != nil || facts.Version != "99" || facts.CgroupDriver != "cgroupfs" ||
			facts.API == test.engine != (test.spoken != "") {
			t.Errorf("engine with API %s: %+v, %v", test.engine, facts, err)
		}
		f.mu.Lock()
		if last := f.seen[len(f.seen)-1]; test.spoken != "" &&
			!strings.Contains(strings.Join(f.seen, "\n"), "/v"+test.spoken+"/info") {
			t.Errorf("engine with API %s was asked %s", test.engine, last)
		}
		f.mu.Unlock()
	}
}

// An engine that is older than any that this was tried with is said to be.
func TestOldEngine(t *testing.T) {
	for api, want := range map[string]string{
		"1.40": "speaks version 1.40 of the API: want Docker Engine 20.10 or later, which speaks 1.41", // 19.03
		"1.41": "",
	} {
		s := httptest.NewServer(&fake{api: api})
		e, err := Open(t.Context(), config("tcp"+strings.TrimPrefix(s.URL, "http")))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("API %s: %v, want %q", api, err, want)
		}
		if err == nil {
			e.Close()
		}
		s.Close()
	}
}

// A switch that is down keeps nobody from what the engine can still do, where that is wanted; what is left is said.
func TestCleaningWithoutASwitch(t *testing.T) {
	f := &fake{api: "1.41"}
	s := httptest.NewServer(f)
	defer s.Close()
	c := config("tcp" + strings.TrimPrefix(s.URL, "http"))
	down := errors.New("no connection to the switch")
	c.Veth = &Veth{Unplug: func(context.Context, ...string) error { return down }}
	if _, err := Open(t.Context(), c); !errors.Is(err, down) {
		t.Errorf("opened for a run: %v", err)
	}
	c.Cleaning = true
	e, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.List(t.Context()); err != nil {
		t.Error(err)
	}
	if err := e.Close(); !errors.Is(err, down) ||
		!strings.Contains(err.Error(), "devices of ports that no container has") {
		t.Errorf("closed: %v", err)
	}
}

// What the engine or the containers of others may answer.
func TestAnswers(t *testing.T) {
	t.Run("error", func(t *testing.T) {
		f := &fake{api: "1.41", answer: map[string]string{"GET /containers/json": "500 the disk is full"}}
		if _, err := f.open(t); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		f := &fake{api: "1.41", answer: map[string]string{"GET /containers/json": "<html>"}}
		if _, err := f.open(t); err == nil {
			t.Error("no error")
		}
	})
	t.Run("a label without number", func(t *testing.T) {
		f := &fake{api: "1.41", answer: map[string]string{
			"GET /containers/json": `[{"Id":"0123456789abcdef","Labels":{"smartinco.instance":"x"}}]`,
		}}
		e, err := f.open(t)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.List(t.Context()); err == nil ||
			!strings.Contains(err.Error(), `container 0123456789ab: label smartinco.instance is "x"`) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("start fails", func(t *testing.T) {
		f := &fake{api: "1.41", answer: map[string]string{
			"POST /containers/create":    `{"Id":"c1"}`,
			"POST /containers/c1/start":  "500 no such device",
			"DELETE /containers/c1":      "",
			"DELETE /containers/c1/json": "",
		}}
		e, err := f.open(t)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Create(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "docker: instance 1: ") ||
			!strings.Contains(err.Error(), "no such device") {
			t.Errorf("error %v", err)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if !slices.Contains(f.seen, "DELETE /v1.41/containers/c1") {
			t.Errorf("requests %q: want the container's removal among them", f.seen)
		}
	})
}

// A container's age is by the engine's clock, wherever that stands and in whatever zone.
func TestNow(t *testing.T) {
	f := &fake{api: "1.41", answer: map[string]string{
		"GET /info":            `{"SystemTime": "2020-01-01T02:00:20.5+02:00"}`,
		"GET /containers/json": `[{"Id":"c1","Created":1577836800,"Labels":{"smartinco.instance":"1"}}]`,
	}}
	e, err := f.open(t)
	if err != nil {
		t.Fatal(err)
	}
	now, err := e.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list, err := e.List(t.Context())
	if err != nil || len(list) != 1 || now.Sub(list[0].Created) != 20500*time.Millisecond {
		t.Errorf("at %v there is %+v, %v: want one 20.5 s old", now, list, err)
	}
	f = &fake{api: "1.41", answer: map[string]string{"GET /info": `{"SystemTime": "noon"}`}}
	if e, err = f.open(t); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Now(t.Context()); err == nil || !strings.Contains(err.Error(), `"noon"`) {
		t.Errorf("error %v", err)
	}
}

// A port that could not be given back is given back later: with the next Delete of its instance, which finds no
// container any more, or when it is missed.
func TestAPortIsGivenBackLater(t *testing.T) {
	down := errors.New("no connection to the switch")
	for _, by := range []string{"delete", "create"} {
		var gone atomic.Bool
		f := &fake{api: "1.41"}
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodDelete:
				gone.Store(true)
				w.WriteHeader(http.StatusNoContent)
			case strings.HasSuffix(r.URL.Path, "/containers/json") && !gone.Load():
				_, _ = w.Write([]byte(`[{"Id":"c1","Labels":{"smartinco.instance":"1","smartinco.port":"vf0"}}]`))
			default:
				f.ServeHTTP(w, r)
			}
		}))
		defer s.Close()
		c := config("tcp" + strings.TrimPrefix(s.URL, "http"))
		fails := 2
		c.Veth = &Veth{Unplug: func(context.Context, ...string) error {
			if fails--; fails >= 0 {
				return down
			}
			return nil
		}}
		e, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		for range 2 {
			if err := e.Delete(t.Context(), 1); !errors.Is(err, down) {
				t.Errorf("deleted: %v, want %v", err, down)
			}
		}
		if by == "delete" {
			if err := e.Delete(t.Context(), 1); err != nil {
				t.Error(err)
			}
			if _, err := e.pool.take(); err != nil {
				t.Error(err)
			}
			continue
		}
		if _, err := e.Create(t.Context(), 2); !errdefs.IsNotFound(err) { // no image, but a port
			t.Errorf("created: %v", err)
		}
	}
}

// What an engine or a container says of TLS is no failure of the connection's.
func TestOthersSpeakOfTLS(t *testing.T) {
	log := "x509: certificate has expired\n"
	for _, c := range []struct {
		name   string
		answer map[string]string // of a container's request
		want   string
	}{
		{"engine", map[string]string{"POST /containers/c1/start": "500 bind source path does not exist: /etc/TLS"},
			"/etc/TLS"},
		{"container", map[string]string{
			"POST /containers/c1/start": "",
			"GET /containers/c1/json":   `{"Id":"c1","State":{"Running":false,"ExitCode":1}}`,
			"GET /containers/c1/logs":   "\x02\x00\x00\x00\x00\x00\x00" + string(rune(len(log))) + log,
		}, strings.TrimSpace(log)},
	} {
		c.answer["POST /containers/create"], c.answer["DELETE /containers/c1"] = `{"Id":"c1"}`, ""
		e, err := (&fake{api: "1.41", answer: c.answer}).open(t)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Create(t.Context(), 1); err == nil || !strings.Contains(err.Error(), c.want) ||
			strings.Contains(err.Error(), "TLS with the engine") {
			t.Errorf("%s: error %v, want one with %q, and not that TLS failed", c.name, err, c.want)
		}
	}
}

// Another machine's engine is not spoken to without TLS, and no engine at all is said so.
func TestHost(t *testing.T) {
	for _, test := range []struct {
		host   string
		change func(*Config)
		want   string
	}{
		{"tcp://192.0.2.1:2375", nil, "TLS with ca, cert and key is wanted"},
		{"tcp://host.example:2376", nil, "is another machine"},
		{"tcp://192.0.2.1:2375", func(c *Config) { c.PlainTCP, c.Veth = true, &Veth{} }, "veth pairs cannot be moved"},
		{"tcp://192.0.2.1:2375", func(c *Config) { c.PlainTCP, c.Ports[0].Move = true, []Move{{"ens1f0v0", "in"}} },
			"device ens1f0v0 cannot be moved"},
		{"tcp://192.0.2.1:2376", func(c *Config) { c.TLS = &TLS{CA: "nonesuch.pem"} }, "nonesuch.pem"},
		{"tcp://user:secret@127.0.0.1:2376", nil, "found a user or password"},
		{"ssh://host.example", nil, "want unix:///PATH or tcp://HOST:PORT"},
		{"unix:///nonesuch.sock", nil, "no engine answers at unix:///nonesuch.sock (start it: systemctl start docker)"},
		{"tcp://127.0.0.1:1", nil, "no engine answers at tcp://127.0.0.1:1"},
	} {
		c := config(test.host)
		if test.change != nil {
			test.change(&c)
		}
		if _, err := Open(context.Background(), c); err == nil || !strings.Contains(err.Error(), test.want) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v, want one with %q", test.host, err, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Testbed = "a b" }, `testbed "a b"`},
		{func(c *Config) { c.Owner = "../x" }, `owner "../x"`},
		{func(c *Config) { c.Image = "" }, "no image"},
		{func(c *Config) { c.Probe.Exec = []string{"true"} }, "one of the two"},
		{func(c *Config) { c.Probe = Probe{} }, "one of the two"},
		{func(c *Config) { c.Ports = nil }, "ports: want at least one"},
		{func(c *Config) { c.Veth, c.Ports[0].At.Out = &Veth{}, "sixteen-letters-" }, "at most 15 characters"},
		{func(c *Config) { c.Quota = -1 }, "0 or more"},
		{func(c *Config) { c.QuotaPeriod = 1 }, "1ms to 1s"},
		{func(c *Config) { c.Capabilities = []string{"NET_ADMIN", "all"} }, `capabilities: "all"`},
		{func(c *Config) { c.Capabilities = []string{"CAP_ALL"} }, `capabilities: "CAP_ALL"`},
	} {
		c := config("")
		test.change(&c)
		if err := c.check(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
	c := config("")
	if err := c.check(); err != nil {
		t.Error(err)
	}
	c.Ports = append(c.Ports, c.Ports[0])
	if _, err := newPool(&c); err == nil || !strings.Contains(err.Error(), "port vf0 is in the list twice") {
		t.Errorf("error %v", err)
	}
}
