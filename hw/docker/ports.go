package docker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw"
)

// The names of a port's devices in the container.
const (
	deviceIn  = "in"
	deviceOut = "out"
)

// pool holds the ports of a testbed, and which containers have them.
type pool struct {
	config *Config
	links  *netlink.Handle // in the switch's network namespace; nil without Veth
	slots  []slot

	mu   sync.Mutex
	used []bool
}

type slot struct {
	name string // as in the label of the container that has it
	port Port
}

func newPool(c *Config) (*pool, error) {
	p := &pool{config: c}
	for n, port := range c.Ports {
		if port.At.In == "" {
			return nil, fmt.Errorf("port %d of the list has no name", n+1)
		}
		if port.At.Out == "" {
			port.At.Out = port.At.In
		}
		p.slots = append(p.slots, slot{port.At.In, port})
	}
	if v := c.Veth; v != nil {
		ns := netns.None()
		var err error
		if v.Namespace != "" {
			if ns, err = netns.GetFromName(v.Namespace); err != nil {
				return nil, fmt.Errorf("network namespace %q of the switch: %w", v.Namespace, err)
			}
			defer ns.Close()
		}
		if p.links, err = netlink.NewHandleAt(ns); err != nil {
			return nil, fmt.Errorf("network namespace %q of the switch: %w", v.Namespace, err)
		}
	}
	p.used = make([]bool, len(p.slots))
	for i, s := range p.slots {
		if j, _ := p.byName(s.name); j != i {
			return nil, fmt.Errorf("port %s is in the list twice", s.name)
		}
	}
	return p, nil
}

func (p *pool) close() error {
	if p.links != nil {
		p.links.Close()
	}
	return nil
}

func (p *pool) ports(slot int) hw.Ports { return p.slots[slot].port.At }

func (p *pool) byName(name string) (int, bool) {
	for i, s := range p.slots {
		if s.name == name {
			return i, true
		}
	}
	return 0, false
}

// taken marks the port of a container that exists.
func (p *pool) taken(name string) {
	if i, ok := p.byName(name); ok {
		p.used[i] = true
	}
}

// take gives the first port that is free.
func (p *pool) take() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, used := range p.used {
		if !used {
			p.used[i] = true
			return i, nil
		}
	}
	return 0, fmt.Errorf("%w: the testbed has %d, and a container for each", ErrNoPort, len(p.slots))
}

// give takes a port back. If its devices cannot be removed, the port stays taken, since they would be in the way.
func (p *pool) give(ctx context.Context, i int) error {
	if err := p.detach(ctx, i); err != nil {
		return fmt.Errorf("port %s: %w", p.slots[i].name, err)
	}
	p.mu.Lock()
	p.used[i] = false
	p.mu.Unlock()
	return nil
}

// sweep removes the devices of all free ports.
func (p *pool) sweep(ctx context.Context) error {
	if p.links == nil {
		return nil
	}
	var devices []string
	for i := range p.slots {
		if !p.used[i] {
			devices = append(devices, p.slots[i].port.devices()...)
		}
	}
	return p.removeDevices(ctx, devices)
}

// attach gives a container its devices, and the switch their other ends.
func (p *pool) attach(ctx context.Context, i, pid int) error {
	s := &p.slots[i]
	if p.links == nil && len(s.port.Move) == 0 {
		return nil
	}
	inside, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("network namespace of the container: %w", err)
	}
	defer inside.Close()
	h, err := netlink.NewHandleAt(inside)
	if err != nil {
		return fmt.Errorf("network namespace of the container: %w", err)
	}
	defer h.Close()
	for _, m := range s.port.Move {
		if err := move(h, inside, m); err != nil {
			return fmt.Errorf("device %s: %w", m.Device, err)
		}
	}
	if p.links == nil {
		return nil
	}
	for i, name := range s.port.devices() {
		if err := p.pair(h, inside, name, [2]string{deviceIn, deviceOut}[i]); err != nil {
			return fmt.Errorf("device %s: %w", name, err)
		}
	}
	if plug := p.config.Veth.Plug; plug != nil {
		return plug(ctx, s.port.devices()...)
	}
	return nil
}

// devices returns the names of a port's devices at the switch: two, or one for both directions.
func (p *Port) devices() []string {
	if p.At.In == p.At.Out {
		return []string{p.At.In}
	}
	return []string{p.At.In, p.At.Out}
}

// pair makes a device in the switch's namespace whose peer is in the container.
func (p *pool) pair(h *netlink.Handle, inside netns.NsHandle, name, peer string) error {
	v := netlink.NewVeth(netlink.LinkAttrs{Name: name, MTU: 1500})
	v.PeerName, v.PeerNamespace = peer, netlink.NsFd(inside)
	err := p.links.LinkAdd(v)
	if errors.Is(err, unix.EEXIST) {
		// A killed process has left it. Nobody uses its peer, since this port was free.
		if err = p.unlink(name); err == nil {
			err = p.links.LinkAdd(v)
		}
	}
	if err != nil {
		return err
	}
	if err := up(p.links, name); err != nil {
		return err
	}
	return up(h, peer)
}

// up makes a device carry packets, but none that the kernel sends by itself.
func up(h *netlink.Handle, name string) error {
	l, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	if err := h.LinkSetARPOff(l); err != nil {
		return err
	}
	_ = h.LinkSetIP6AddrGenMode(l, 1) // none; a kernel without IPv6 refuses it, and does not need it
	return h.LinkSetUp(l)
}

// move takes a device of this process' namespace into the container.
func move(h *netlink.Handle, inside netns.NsHandle, m Move) error {
	l, err := netlink.LinkByName(m.Device)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetNsFd(l, int(inside)); err != nil {
		return err
	}
	moved, err := h.LinkByName(m.Device)
	if err != nil {
		return err
	}
	if err := h.LinkSetName(moved, m.As); err != nil {
		return err
	}
	return h.LinkSetUp(moved)
}

// detach removes what attach has made. Devices that were moved go back by themselves when the container's namespace
// ends.
func (p *pool) detach(ctx context.Context, i int) error {
	if p.links == nil {
		return nil
	}
	return p.removeDevices(ctx, p.slots[i].port.devices())
}

// removeDevices takes devices off the switch and deletes them, even if the switch does not answer.
func (p *pool) removeDevices(ctx context.Context, devices []string) error {
	if len(devices) == 0 {
		return nil
	}
	var errs []error
	if unplug := p.config.Veth.Unplug; unplug != nil {
		errs = append(errs, unplug(ctx, devices...))
	}
	for _, name := range devices {
		if err := p.unlink(name); err != nil {
			errs = append(errs, fmt.Errorf("device %s: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// unlink deletes a device; it is no error if there is none. If the container has just ended, the kernel deletes it at
// about the same time.
func (p *pool) unlink(name string) error {
	l, err := p.links.LinkByName(name)
	if err == nil {
		err = p.links.LinkDel(l)
	}
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
