// Package docker starts and stops instances with a Docker Engine, on this machine or, from a card, on the host beside
// it.
//
// # What is whose
//
// Each container has labels: the testbed, the owner, the instance's number and its port. List finds containers by these
// labels, running or dead, so that what a killed process has left can be taken over or removed. Containers without the
// labels are never touched. The containers' names follow from the labels too, so that the engine itself refuses a
// second container for an instance.
//
// # Ports
//
// An instance gets a port of a pool, and gives it back when it is deleted. A port names something that exists already,
// such as the representors of a card's virtual functions or the sockets of vhost-user. With Veth, a port is made when
// it is taken: a pair of virtual Ethernet devices for each direction, with one end in the network namespace of the
// switch, under the name that the pool gives, and the other in the container as "in" or "out". By that name a device is
// found again that a killed process has left.
//
// # Ready
//
// A container that runs may not take packets yet. Create waits for its probe: a line that the container prints, or a
// command that succeeds inside it. Both go through the engine, so they work over TCP and without a network in the
// container.
package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/smartinco/smartinco/hw"
)

// Config says which engine, what an instance is, and which ports there are.
type Config struct {
	// Host is the engine's address: unix:///var/run/docker.sock or tcp://HOST:PORT. If it is empty, DOCKER_HOST and its
	// companions in the environment decide, or else the local socket is used.
	Host string
	// TLS authenticates both sides of a TCP connection. Whoever may speak to an engine is root on its machine, so the
	// driver speaks to another machine's engine only with TLS, unless PlainTCP is set.
	TLS      *TLS
	PlainTCP bool

	Testbed string // name of the testbed, 1 to 40 letters, digits, - and _
	Owner   string // tells apart orchestrators that share a testbed; may be empty

	Image        string
	Command      []string // of the container; empty is the image's
	Env          []string // NAME=value
	CPUs         string   // CPU set such as 1-3,5; empty for all
	Quota        float64  // CPUs' worth of time; 0 for no limit
	QuotaPeriod  time.Duration
	CgroupParent string   // control group in which each container has its own; empty for the engine's
	Memory       int64    // bytes; 0 for no limit
	Hugepages    string   // hugetlbfs to mount at the same place, such as /dev/hugepages
	Mounts       []string // SOURCE:TARGET[:ro]
	Devices      []string // such as /dev/vfio/12
	Capabilities []string // added to NET_RAW, such as IPC_LOCK; all others are dropped
	Probe        Probe
	Grace        time.Duration // between SIGTERM and SIGKILL at Delete; 0 for SIGKILL at once

	// Cleaning opens the engine for List and Delete even if devices of an earlier run cannot be taken off the switch,
	// as when the switch is down. Close then returns an error.
	Cleaning bool

	Ports []Port // the pool
	Veth  *Veth  // makes the ports' devices; if nil, they exist already
}

// TLS names files in PEM.
type TLS struct{ CA, Cert, Key string }

// Probe says when an instance takes packets. Exactly one of Log and Exec must be given.
type Probe struct {
	Log     string        // a line of its output contains this
	Exec    []string      // this command, run in the container again and again, exits with 0
	Timeout time.Duration // from the start of the container; 0 means 30 s
}

// Veth makes a port's devices when it is taken, as pairs of virtual Ethernet devices, and removes them when it is given
// back. The engine must be on this machine.
type Veth struct {
	Namespace string // network namespace of the switch, by the name that ip-netns knows; empty for this process' own
	// Plug and Unplug tell the switch that devices have come or will go. They may be nil if the switch need not know.
	Plug, Unplug Plug
}

// Plug adds devices to the switch, or removes them from it, by name. It is no error if that has been done already.
type Plug func(ctx context.Context, devices ...string) error

// Port is a port that an instance can have, with what the container needs to use it.
type Port struct {
	At      hw.Ports // by the names that the switch knows; Out may be the same as In, or empty, which means that
	CPUs    string   // instead of Config.CPUs
	Env     []string // beside Config.Env: the address of a virtual function, for instance
	Args    []string // appended to Config.Command
	Mounts  []string // beside Config.Mounts
	Devices []string // beside Config.Devices
	Move    []Move   // network devices that move into the container
}

// Move is a network device of the engine's machine, which must be this one, and the device's name in the container.
// When the container ends, the kernel moves the device back; if its old name is taken, the kernel chooses another.
type Move struct{ Device, As string }

// ErrNoPort is returned by Create when all ports of the pool are taken.
var ErrNoPort = errors.New("no port is free")

func (c *Config) check() error {
	switch {
	case !isName(c.Testbed, 40):
		return fmt.Errorf("testbed %q: want 1 to 40 letters, digits, - or _", c.Testbed)
	case c.Owner != "" && !isName(c.Owner, 40):
		return fmt.Errorf("owner %q: want at most 40 letters, digits, - or _", c.Owner)
	case c.Image == "":
		return errors.New("no image")
	case (c.Probe.Log == "") == (len(c.Probe.Exec) == 0):
		return errors.New("probe: want a line to wait for or a command, one of the two")
	case len(c.Ports) == 0:
		return errors.New("ports: want at least one")
	case c.Quota < 0 || c.Memory < 0 || c.Grace < 0 || c.Probe.Timeout < 0:
		return errors.New("quota, memory and times: want 0 or more")
	case c.QuotaPeriod != 0 && (c.QuotaPeriod < time.Millisecond || c.QuotaPeriod > time.Second):
		return fmt.Errorf("quota period %v: want 1ms to 1s", c.QuotaPeriod)
	}
	for _, name := range c.Capabilities {
		if n := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "CAP_"); n == "ALL" {
			return fmt.Errorf("capabilities: %q: want those that an instance needs, by name, never all of them: it "+
				"would be root on the engine's machine", name)
		}
	}
	for _, p := range c.Ports {
		for _, name := range []string{p.At.In, p.At.Out} {
			if c.Veth != nil && len(name) > 15 {
				return fmt.Errorf("port %q: want at most 15 characters, as Linux allows a device", name)
			}
		}
	}
	return nil
}

func isName(s string, most int) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return false
		}
	}
	return s != "" && len(s) <= most && s[0] != '-' && s[0] != '_'
}

// checkHost refuses to speak to another machine's engine without TLS, and to move devices into its containers.
func (c *Config) checkHost(host string) error {
	// it may be a secret, so the error does not repeat it
	if !strings.HasPrefix(host, "unix:") && strings.Contains(host, "@") {
		return errors.New("host: found a user or password in it, want tcp://HOST:PORT: an engine asks for " +
			"certificates (tls), and for no password")
	}
	u, err := url.Parse(host)
	if err != nil {
		return fmt.Errorf("host: %w", err)
	}
	switch u.Scheme {
	case "unix":
		return nil
	case "tcp":
	default:
		return fmt.Errorf("host %q: want unix:///PATH or tcp://HOST:PORT", host)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	if c.TLS == nil && !c.PlainTCP {
		return fmt.Errorf("host %s is another machine: TLS with ca, cert and key is wanted, since whoever reaches an "+
			"engine without it is root there (or insecure: true in the testbed file)", host)
	}
	if c.Veth != nil {
		return fmt.Errorf("host %s is another machine: veth pairs cannot be moved into its containers", host)
	}
	for _, p := range c.Ports {
		if len(p.Move) > 0 {
			return fmt.Errorf("host %s is another machine: device %s cannot be moved into its containers", host,
				p.Move[0].Device)
		}
	}
	return nil
}
