package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/trex"
)

func (t *TRex) options() trex.Options {
	return trex.Options{Addr: t.Address, User: t.User, Timeout: duration(t.Timeout)}
}

func openTRex(ctx context.Context, f *File) (hw.Generator, error) {
	t := f.Generator.TRex
	o := trex.GeneratorOptions{Options: t.options(), TxPort: t.Send, RxPort: t.Receive, Force: t.Force,
		Ordered: t.Ordered}
	for _, x := range []struct {
		key, text string
		mac       *net.HardwareAddr
	}{{"src_mac", t.SrcMAC, &o.SrcMAC}, {"dst_mac", t.DstMAC, &o.DstMAC}} {
		if x.text == "" {
			continue
		}
		var err error
		if *x.mac, err = net.ParseMAC(x.text); err != nil {
			return nil, fmt.Errorf("generator.trex.%s: %w", x.key, err)
		}
	}
	if !o.Force {
		ours, err := t.leftover(ctx, f.left)
		if err != nil {
			return nil, err
		}
		o.Force = ours
	}
	g, err := trex.NewGenerator(ctx, o)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// leftover says whether the ports belong to our own user and to no other. Then an earlier run has left them, since
// whoever opens a testbed holds its lock, and they are taken by force. A port that sends is left alone unless a run of
// this machine was killed: a run of another machine may be under way.
func (t *TRex) leftover(ctx context.Context, killed bool) (bool, error) {
	c, err := trex.Dial(ctx, t.options())
	if err != nil {
		return false, err
	}
	defer c.Close()
	ours := false
	for _, port := range []int{t.Send, t.Receive} {
		s, err := c.Status(ctx, port)
		if err != nil {
			return false, err
		}
		if s.Owner != "" && s.Owner != t.User {
			return false, nil
		}
		if s.State.Busy() && !killed {
			return false, fmt.Errorf("%w: port %d sends (%s), and no run of this machine is known to have left it "+
				"so; wait until that run has ended, or end it, or smartinco hw clean", ErrBusy, port, s.State)
		}
		ours = ours || s.Owner == t.User
	}
	return ours, nil
}

// clean ends what our own user has at the ports: traffic, streams, ownership. It returns what it found.
func (t *TRex) clean(ctx context.Context) (said string, err error) {
	c, err := trex.Dial(ctx, t.options())
	if err != nil {
		return "", err
	}
	defer c.Close()
	var all []string
	ports := []int{t.Send, t.Receive}
	if t.Send == t.Receive {
		ports = ports[:1]
	}
	for _, n := range ports {
		s, err := c.Status(ctx, n)
		if err != nil {
			return strings.Join(all, ", "), err
		}
		switch {
		case s.Owner == t.User:
		case s.Owner != "":
			all = append(all, fmt.Sprintf("port %d belongs to %s and was left alone", n, s.Owner))
			continue
		case s.State.Busy():
			all = append(all, fmt.Sprintf("port %d sends, belongs to nobody and was left alone", n))
			continue
		default:
			continue
		}
		p, err := c.Acquire(ctx, n, true)
		if err == nil {
			err = errors.Join(p.Stop(ctx), p.RemoveAll(ctx), p.Release(ctx))
		}
		if err != nil {
			return strings.Join(all, ", "), err
		}
		if s.State.Busy() {
			all = append(all, fmt.Sprintf("port %d was sending and is stopped", n))
		} else {
			all = append(all, fmt.Sprintf("port %d is free again", n))
		}
	}
	return strings.Join(all, ", "), nil
}

func checkTRex(f *File) []check {
	t := f.Generator.TRex
	return []check{
		{
			what: "TRex at " + t.Address,
			mend: "is it running there (t-rex-64 -i on the generator's machine; smartinco lab up, or smartinco " +
				"trex-server), and does no firewall hold off its port?",
			do: func(ctx context.Context) (string, error) {
				c, err := trex.Dial(ctx, t.options())
				if err != nil {
					return "", err
				}
				defer c.Close()
				v, err := c.Version(ctx)
				if err != nil {
					return "", err
				}
				return fmt.Sprintf("%s, mode %s", v.Version, v.Mode), nil
			},
		},
		{
			what: fmt.Sprintf("its ports %d, which sends, and %d, which receives", t.Send, t.Receive),
			mend: "whose are they, and may they be taken (force: true)? A link that is down is a cable or a peer " +
				"that is down",
			do: func(ctx context.Context) (string, error) {
				c, err := trex.Dial(ctx, t.options())
				if err != nil {
					return "", err
				}
				defer c.Close()
				said := ""
				for _, port := range []int{t.Send, t.Receive} {
					s, err := c.Status(ctx, port)
					if err != nil {
						return "", fmt.Errorf("port %d: %w", port, err)
					}
					switch {
					case !s.Attr.Link.Up:
						return "", fmt.Errorf("port %d: its link is down", port)
					case s.Owner != "" && s.Owner != t.User && !t.Force:
						return "", fmt.Errorf("port %d belongs to %s", port, s.Owner)
					case s.Owner != "" && port == t.Send:
						said = "; they are taken from " + s.Owner
					}
				}
				system, err := c.System(ctx)
				if err != nil {
					return "", err
				}
				for _, p := range system.Ports {
					if p.Index == t.Send {
						return fmt.Sprintf("%s, tells up to %d flows apart%s", p.Driver, p.RX.Counters, said), nil
					}
				}
				return "", errors.New("the server does not list its sending port")
			},
		},
	}
}
