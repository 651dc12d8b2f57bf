package main

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/standins/trexserver"
	"github.com/smartinco/smartinco/hw/trex"
)

func newTrexServer() *cobra.Command {
	c := &cobra.Command{
		Use:   "trex-server --port IF [--port IF...]",
		Short: "Stand in for the TRex traffic generator on Linux interfaces",
		Long: prose(`
Speak the protocol of TRex (stateless, API 5.1) and send and receive real packets on Linux network interfaces.

Port 0 is the first --port, port 1 the second, and so on. Ports 0 and 1, 2 and 3 send to each other's MAC address where
a stream does not say otherwise. With --netns the interfaces are opened in that network namespace, while the server
listens in the caller's. It needs root: CAP_NET_RAW for the interfaces, CAP_SYS_ADMIN for a namespace.

Anybody who reaches --listen can send any packet: the protocol knows no password. Without a host, :4501, that is this
machine alone; name an address, or 0.0.0.0 for all, where others are to reach it.

It sends at 100,000 packets a second and more on a small machine, sleeps between packets, and is not TRex: methods that
it does not have are "not registered". See docs/hardware.md.`),
		Example: `  smartinco trex-server --port if0 --port if1
  smartinco trex-server --netns lab --port uplink --port sink --listen 127.0.0.1:4511`,
		Args: cobra.NoArgs,
	}
	ports := c.Flags().StringArray("port", nil, "network interface, once for each port")
	netns := c.Flags().String("netns", "", "network namespace of the interfaces: a name of ip-netns, or a path")
	listen := c.Flags().String("listen", trex.DefaultAddr,
		"address of the RPC, without a host on the loopback interface; port 0 takes a free one")
	publish := c.Flags().String("publish", "",
		"address of the publisher, which TRex's own client wants: 127.0.0.1:4500 (default none)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if n := len(*ports); n == 0 || n > trexserver.MaxPorts {
			return usagef("%d times --port, want 1 to %d network interfaces", n, trexserver.MaxPorts)
		}
		rpc, err := listenTCP("--listen", *listen)
		if err != nil {
			return err
		}
		defer rpc.Close()
		var pub net.Listener
		if *publish != "" {
			if pub, err = listenTCP("--publish", *publish); err != nil {
				return err
			}
			defer pub.Close()
		}
		devices, err := openPorts(*ports, *netns)
		if err != nil {
			return err
		}
		for i, d := range devices {
			fmt.Fprintf(c.OutOrStdout(), "port %d is %s, %s\n", i, d.Name(), d.MAC())
		}
		if pub != nil {
			fmt.Fprintf(c.OutOrStdout(), "publishing on %s\n", pub.Addr())
		}
		fmt.Fprintf(c.OutOrStdout(), "listening on %s\n", rpc.Addr())
		return trexserver.New(devices...).Serve(c.Context(), rpc, pub)
	}
	return c
}

// listenTCP listens at HOST:PORT, without a host on the loopback interface alone.
func listenTCP(flag, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, usagef("%s: %q is not HOST:PORT: %w", flag, addr, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	return l, nil
}

// openPorts opens all interfaces or none.
func openPorts(names []string, netns string) ([]trexserver.Device, error) {
	var devices []trexserver.Device
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, usagef("--port: interface %s is given twice", name)
		}
	}
	for _, name := range names {
		d, err := trexserver.OpenInterface(name, netns)
		if err == nil {
			devices = append(devices, d)
			continue
		}
		for _, d := range devices {
			d.Close()
		}
		var unknown *net.OpError
		if errors.As(err, &unknown) { // no such network interface
			err = usageError{err}
		}
		return nil, fmt.Errorf("--port: %w", err)
	}
	return devices, nil
}
