package traces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// Mix is a traffic mix of the TRex traffic generator. It consists of templates, each the capture of one session of an
// application, and of the number of new sessions of each per second.
//
// A session is a template's packets with the template's own gaps, as far as the resolution keeps them, between one
// client and one server. The client is the sender of the first packet. Other hosts that talk to a server are the client
// too, as in a call that is set up from one address and answered at another. Addresses are from the profile's ranges:
// session i of the mix, counted over all templates, is between client i and server i, each modulo their number. The
// client's ports from 1024 on count on with every session of the client, so that no two sessions share a five-tuple
// until its ports are used up.
type Mix struct {
	Rate float64 // new sessions a second, of all templates

	name      string
	templates []template
	draw      numeric.Alias
	clients   addresses
	servers   addresses
	ports     int // most that a session takes of its client
}

type template struct {
	ports  []uint16 // of the client, from lowPort on
	flows  []Flow
	client []bool // whether the flow is from the client
}

// newTemplate finds the two sides. The flows are in order of first packet.
func newTemplate(flows []Flow) template {
	t := template{flows: flows, client: make([]bool, len(flows))}
	side := map[netip.Addr]bool{} // true is the client's
	for i, f := range flows {
		src, known := side[f.Tuple.Src]
		if dst, ok := side[f.Tuple.Dst]; !known {
			src = !ok || !dst
			side[f.Tuple.Src] = src
		}
		if _, ok := side[f.Tuple.Dst]; !ok {
			side[f.Tuple.Dst] = !src
		}
		t.client[i] = src
		port := f.Tuple.DstPort
		if src {
			port = f.Tuple.SrcPort
		}
		if port >= lowPort && f.Tuple.Proto != notIP && !slices.Contains(t.ports, port) {
			t.ports = append(t.ports, port)
		}
	}
	return t
}

// lowPort is the first port that a client takes for itself; those below belong to services.
const lowPort = 1024

// addresses is a range of IPv4 addresses.
type addresses struct{ first, n uint32 }

func (a addresses) at(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], a.first+uint32(uint64(i)%uint64(a.n)))
	return netip.AddrFrom4(b)
}

// profile holds what is used of a TRex profile. The other keys say how TRex sends, not what.
type profile struct {
	Generator struct {
		ClientsStart string `yaml:"clients_start"`
		ClientsEnd   string `yaml:"clients_end"`
		ServersStart string `yaml:"servers_start"`
		ServersEnd   string `yaml:"servers_end"`
	} `yaml:"generator"`
	CapIPG  *bool `yaml:"cap_ipg"`
	CapInfo []struct {
		Name string  `yaml:"name"`
		CPS  float64 `yaml:"cps"`
	} `yaml:"cap_info"`
}

const (
	longestTemplate = 24 * units.Hour
	mostTemplates   = 1000
	mostSessions    = 1e9 // a second
)

// ReadMix reads a TRex profile (YAML, gzip or not) and the captures that it names. It looks for a capture beside the
// profile and in the folder above, by its path and by its name alone, as it is and with .gz. resolution is that of
// ReadCapture.
func ReadMix(file string, resolution units.Time) (*Mix, error) {
	p, err := readProfile(file)
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", file, err)
	}
	return newMix(file, p, func(name string) (*Workload, error) {
		return readTemplate(filepath.Dir(file), name, resolution)
	})
}

// newMix makes a mix from a profile and the captures that it names.
func newMix(file string, p *profile, capture func(name string) (*Workload, error)) (*Mix, error) {
	m := &Mix{name: filepath.Base(file)}
	for _, x := range []struct {
		to         *addresses
		key        string
		start, end string
	}{{&m.clients, "clients", p.Generator.ClientsStart, p.Generator.ClientsEnd},
		{&m.servers, "servers", p.Generator.ServersStart, p.Generator.ServersEnd}} {
		first, err1 := netip.ParseAddr(x.start)
		last, err2 := netip.ParseAddr(x.end)
		if err := errors.Join(err1, err2); err != nil || !first.Is4() || !last.Is4() || last.Less(first) {
			return nil, fmt.Errorf("traces: %s: generator: %s_start %q and %s_end %q, want IPv4 addresses in order",
				file, x.key, clip(x.start), x.key, clip(x.end))
		}
		a, b := first.As4(), last.As4()
		x.to.first = binary.BigEndian.Uint32(a[:])
		x.to.n = min(binary.BigEndian.Uint32(b[:])-x.to.first, math.MaxUint32-1) + 1
	}
	var weights []int64
	for i, c := range p.CapInfo {
		if c.Name == "" || !(c.CPS > 0 && c.CPS <= mostSessions) {
			return nil, fmt.Errorf("traces: %s: cap_info: template %d: name %q with cps %g, want a capture and a "+
				"rate above 0 and at most %g", file, i+1, clip(c.Name), c.CPS, mostSessions)
		}
		w, err := capture(c.Name)
		if err != nil {
			return nil, fmt.Errorf("traces: %s: cap_info: template %d: %w", file, i+1, err)
		}
		t := newTemplate(w.Flows)
		m.ports = max(m.ports, len(t.ports))
		m.templates = append(m.templates, t)
		m.Rate += c.CPS
		weights = append(weights, int64(float64(c.CPS*1e6)+0.5))
	}
	if m.Rate > mostSessions {
		return nil, fmt.Errorf("traces: %s: cap_info: %g sessions a second in all, want at most %g", file, m.Rate,
			mostSessions)
	}
	weights[slices.Index(weights, slices.Max(weights))]++ // so that one is positive
	m.draw = numeric.NewAlias(weights)
	return m, nil
}

func readProfile(file string) (*profile, error) {
	src, err := openSource(file)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	return parseProfile(src)
}

func parseProfile(src *source) (*profile, error) {
	b, err := io.ReadAll(io.LimitReader(src, maxLine+1))
	if err != nil {
		return nil, src.truncated(err)
	}
	if len(b) > maxLine {
		return nil, fmt.Errorf("longer than %d bytes, want a TRex profile", maxLine)
	}
	var ps []profile
	if err := yaml.Unmarshal(b, &ps); err != nil {
		return nil, fmt.Errorf("not a TRex profile: %w", err)
	}
	if len(ps) != 1 || len(ps[0].CapInfo) == 0 || len(ps[0].CapInfo) > mostTemplates {
		return nil, fmt.Errorf("%d profiles, want a list of one, with a list cap_info of 1 to %d templates", len(ps),
			mostTemplates)
	}
	if p := &ps[0]; p.CapIPG != nil && !*p.CapIPG {
		return nil, errors.New("cap_ipg is false, want true: packets have the gaps of their capture")
	}
	return &ps[0], nil
}

func readTemplate(dir, name string, resolution units.Time) (*Workload, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return nil, fmt.Errorf("%q is not a path below the profile's folder", clip(name))
	}
	for _, file := range templatePaths(dir, name) {
		w, err := ReadCapture(file, Options{Resolution: resolution})
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && w.End() > longestTemplate {
			err = fmt.Errorf("%s lasts %v, want at most %v", name, w.End(), longestTemplate)
		}
		return w, err
	}
	return nil, fmt.Errorf("%s: %w, neither beside the profile nor in the folder above", name, fs.ErrNotExist)
}

// templatePaths are the places where a template's capture is looked for, in order.
func templatePaths(dir, name string) (paths []string) {
	for _, candidate := range []string{name, path.Join("..", name), path.Base(name)} {
		for _, ending := range []string{"", ".gz"} {
			paths = append(paths, filepath.Join(dir, filepath.FromSlash(candidate)+ending))
		}
	}
	return paths
}

// MixFiles lists the captures that a TRex profile names, by name and path, as ReadMix finds them. Those that it does
// not find are left out. A capture that is named twice is listed twice.
func MixFiles(file string) (names, paths []string, err error) {
	p, err := readProfile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %s: %w", file, err)
	}
	for _, c := range p.CapInfo {
		for _, path := range templatePaths(filepath.Dir(file), c.Name) {
			if _, err := os.Stat(path); err == nil {
				names, paths = append(names, c.Name), append(paths, path)
				break
			}
		}
	}
	return names, paths, nil
}

// String names the mix.
func (m *Mix) String() string {
	return fmt.Sprintf("trex mix %s of %d templates", m.name, len(m.templates))
}

// Session implements Sessions.
func (m *Mix) Session(r *rand.Rand, i int, at units.Time) []Flow {
	t := &m.templates[m.draw.Draw(r)]
	client, server := m.clients.at(i), m.servers.at(i)
	port := uint64(i) / uint64(m.clients.n) * uint64(m.ports)
	total := 0
	for _, f := range t.flows {
		total += len(f.Segments)
	}
	segments := make([]Segment, 0, total)
	flows := make([]Flow, len(t.flows))
	for k, f := range t.flows {
		first := len(segments)
		for _, s := range f.Segments {
			s.Start += at
			s.End += at
			segments = append(segments, s)
		}
		flows[k] = Flow{f.Tuple, segments[first:len(segments):len(segments)]}
		if tuple := &flows[k].Tuple; tuple.Proto != notIP {
			t.place(tuple, t.client[k], client, server, port)
		}
	}
	return flows
}

// place gives a flow of the template the addresses and the client's ports of a session. The ports count from port on.
func (t *template) place(tuple *flow.FiveTuple, fromClient bool, client, server netip.Addr, port uint64) {
	own := &tuple.SrcPort
	tuple.Src, tuple.Dst = client, server
	if !fromClient {
		own = &tuple.DstPort
		tuple.Src, tuple.Dst = server, client
	}
	if k := slices.Index(t.ports, *own); k >= 0 {
		*own = uint16(lowPort + (port+uint64(k))%(1<<16-lowPort))
	}
}

// Layer implements Sessions: frames as the captures hold them, without check sequence.
func (m *Mix) Layer() Layer { return Frames }
