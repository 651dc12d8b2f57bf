package trex

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"
)

// DefaultAddr is where a TRex on this machine listens.
const DefaultAddr = "127.0.0.1:4501"

// The version of TRex's stateless API that is spoken here. A server accepts its own major version, and minor versions
// up to its own.
const (
	APIName  = "STL"
	APIMajor = 5
	APIMinor = 1
)

// Options say which server, and who we are there.
type Options struct {
	Addr    string        // host:port of the RPC; empty means DefaultAddr
	User    string        // owner of the ports that are acquired; empty means "smartinco"
	Session uint32        // distinguishes sessions of a user; 0 means a random one
	Timeout time.Duration // for one exchange; 0 means 3 s
}

// Client is a session with a server. Its methods may be called from several goroutines; the calls take turns.
type Client struct {
	link     link
	id       atomic.Uint64
	handle   string // api_h
	user     string
	session  uint32
	baseline baseline
}

// Dial opens a session: it connects, and agrees on the API's version.
func Dial(ctx context.Context, o Options) (*Client, error) {
	link := &reqLink{addr: cmp.Or(o.Addr, DefaultAddr), timeout: cmp.Or(o.Timeout, 3*time.Second)}
	c, err := open(ctx, link, o)
	if err != nil {
		link.Close()
		return nil, err
	}
	return c, nil
}

func open(ctx context.Context, l link, o Options) (*Client, error) {
	c := &Client{link: l, user: cmp.Or(o.User, "smartinco"), session: o.Session}
	for c.session == 0 {
		c.session = rand.Uint32()
	}
	var h struct {
		Handle string `json:"api_h"`
	}
	if err := c.Call(ctx, "api_sync_v2", Params{"name": APIName, "major": APIMajor, "minor": APIMinor}, &h); err !=
		nil {
		return nil, fmt.Errorf("handshake for API %s %d.%d: %w", APIName, APIMajor, APIMinor, err)
	}
	c.handle = h.Handle
	return c, nil
}

// Close ends the session. Acquired ports stay acquired, and their traffic goes on: Stop and Release them first.
func (c *Client) Close() error { return c.link.Close() }

// Ping returns the server's clock: seconds since it started.
func (c *Client) Ping(ctx context.Context) (seconds float64, err error) {
	var r struct{ TS float64 }
	err = c.Call(ctx, "ping", nil, &r)
	return r.TS, err
}

// Version is what the server says of itself.
type Version struct {
	Version   string `json:"version"` // such as v3.08
	Mode      string `json:"mode"`    // STL or ASTF
	BuildDate string `json:"build_date"`
	BuildTime string `json:"build_time"`
	BuiltBy   string `json:"built_by"`
}

// Version asks for the server's version.
func (c *Client) Version(ctx context.Context) (v Version, err error) {
	err = c.Call(ctx, "get_version", nil, &v)
	return v, err
}

// System describes the generator.
type System struct {
	Hostname    string     `json:"hostname"`
	CoreType    string     `json:"core_type"`
	DPCoreCount int        `json:"dp_core_count"` // cores that send
	PortCount   int        `json:"port_count"`
	Ports       []PortInfo `json:"ports"` // in order of index
}

// PortInfo describes a port.
type PortInfo struct {
	Index       int    `json:"index"`
	Driver      string `json:"driver"`
	Description string `json:"description"`
	MAC         string `json:"hw_mac"`
	RX          struct {
		Caps     []string `json:"caps"`     // such as flow_stats, latency
		Counters int      `json:"counters"` // flows that can be counted
	} `json:"rx"`
}

// System asks for the generator's ports.
func (c *Client) System(ctx context.Context) (s System, err error) {
	err = c.Call(ctx, "get_system_info", nil, &s)
	// The server lists ports in no order.
	slices.SortFunc(s.Ports, func(a, b PortInfo) int { return cmp.Compare(a.Index, b.Index) })
	return s, err
}

// Methods lists, sorted, what the server can be asked.
func (c *Client) Methods(ctx context.Context) (names []string, err error) {
	err = c.Call(ctx, "get_supported_cmds", nil, &names)
	slices.Sort(names)
	return names, err
}
