package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/trex"
)

func (t *TRex) options() trex.Options {
	return trex.Options{Addr: t.Address, User: t.User, Timeout: duration(t.Timeout)}
}

func openTRex(ctx context.Context, f *File) (hw.Generator, error) {
	t := f.Generator.TRex
	o := trex.GeneratorOptions{Options: t.options(), TxPort: t.Send, RxPort: t.Receive, Force: t.Force, Ordered: t.Ordered}
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
		left, err := t.leftover(ctx)
		if err != nil {
			return nil, err
		}
		o.Force = left
	}
	g, err := trex.NewGenerator(ctx, o)
	if err != nil {
		return nil, err
	}
	return g, nil
}

// leftover says whether the ports belong to our own user and to no other: to an earlier run, then, that was killed, since
// whoever opens a testbed holds its lock. Such ports are taken by force.
func (t *TRex) leftover(ctx context.Context) (bool, error) {
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
		ours = ours || s.Owner == t.User
	}
	return ours, nil
}

func checkTRex(f *File) []check {
	t := f.Generator.TRex
	return []check{
		{
			what: "TRex at " + t.Address,
			mend: "is it running there (t-rex-64 -i on the generator's machine; smartinco lab up, or smartinco trex-server), and does no firewall hold off its port?",
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
			mend: "whose are they, and may they be taken (force: true)? A link that is down is a cable or a peer that is down",
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
