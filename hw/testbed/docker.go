package testbed

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/hw/ovs/vswitch"
	"github.com/smartinco/smartinco/units"
)

func openDocker(ctx context.Context, f *File) (hw.ContainerEngine, error) {
	e, err := docker.Open(ctx, f.DockerConfig())
	if err != nil {
		return nil, err
	}
	return e, nil
}

// DockerConfig is the configuration of the driver.
func (f *File) DockerConfig() docker.Config {
	d := f.Containers.Docker
	c := docker.Config{
		Host: d.Host, PlainTCP: d.Insecure, Testbed: f.Name,
		Image: d.Image, Command: d.Command, CPUs: d.CPUs, Quota: d.Quota, CgroupParent: d.Cgroup, Mounts: d.Mounts,
		Hugepages: d.Hugepages, Devices: d.Devices, Capabilities: d.Capabilities,
		Probe: docker.Probe{Log: d.Ready.Log, Timeout: duration(d.StartTimeout)},
		Grace: duration(d.StopTimeout), Cleaning: f.cleaning,
	}
	if len(d.Ready.Exec) > 0 {
		c.Probe.Log, c.Probe.Exec = "", d.Ready.Exec
	}
	if t := d.TLS; t != nil {
		c.TLS = &docker.TLS{CA: f.Path(t.CA), Cert: f.Path(t.Cert), Key: f.Path(t.Key)}
	}
	for _, p := range d.Ports {
		port := docker.Port{At: hw.Ports{In: p.In, Out: p.Out}, CPUs: p.CPUs, Devices: p.Devices, Args: p.Args}
		for _, m := range []docker.Move{{Device: p.Device, As: "in"}, {Device: p.OutDevice, As: "out"}} {
			if m.Device != "" {
				port.Move = append(port.Move, m)
			}
		}
		c.Ports = append(c.Ports, port)
	}
	if v := d.Veth; v != nil {
		c.Veth = &docker.Veth{Namespace: v.Netns}
		if v.Bridge != "" {
			c.Veth.Plug, c.Veth.Unplug = plug(vswitch.Database(v.Database), v.Bridge)
		}
	}
	return c
}

// plug returns functions that add devices to a bridge of Open vSwitch, and remove them.
func plug(db vswitch.Database, bridge string) (plug, unplug docker.Plug) {
	return func(ctx context.Context, devices ...string) error {
			b := vswitch.Bridge{Name: bridge}
			for _, name := range devices {
				b.Ports = append(b.Ports, vswitch.BridgePort{Name: name})
			}
			return db.Ensure(ctx, b)
		}, func(ctx context.Context, devices ...string) error {
			return db.RemovePorts(ctx, bridge, devices...)
		}
}

func checkDocker(f *File) []check {
	d := f.Containers.Docker
	checks := []check{
		{
			what: "Docker Engine at " + d.Host,
			mend: "is it running (systemctl start docker), may this user speak to it (group docker, or root), and " +
				"are the certificates those that it wants?",
			do: func(ctx context.Context) (string, error) {
				e, err := docker.Open(ctx, f.DockerConfig())
				if err != nil {
					return "", err
				}
				defer e.Close()
				facts, err := docker.Info(ctx, f.DockerConfig())
				if err != nil {
					return "", err
				}
				list, err := e.List(ctx)
				if err != nil {
					return "", err
				}
				said := fmt.Sprintf("version %s, API %s; %d ports in the pool", facts.Version, facts.API, len(d.Ports))
				if n := len(list); n > 0 {
					said += fmt.Sprintf("; %d containers of an earlier run, which the next run or smartinco hw clean "+
						"removes", n)
				}
				return said, nil
			},
		},
		{
			what: "an instance of " + d.Image + ": started, ready, stopped",
			mend: "does the engine have the image (docker images), does the program print or do what ready says " +
				"(docker logs), do the devices of the ports exist on the engine's machine, and may this user make " +
				"network devices (root, or CAP_NET_ADMIN and CAP_SYS_ADMIN)?",
			do: func(ctx context.Context) (_ string, err error) {
				e, err := docker.Open(ctx, f.DockerConfig())
				if err != nil {
					return "", err
				}
				defer func() { err = errors.Join(err, e.Close()) }()
				list, err := e.List(ctx)
				if err != nil {
					return "", err
				}
				number := flow.Instance(1)
				for _, c := range list {
					number = max(number, c.Instance+1)
				}
				c, err := e.Create(ctx, number)
				if err != nil {
					return "", err
				}
				begun := time.Now()
				// even an interrupt leaves no container behind
				if err := e.Delete(context.WithoutCancel(ctx), number); err != nil {
					return "", err
				}
				return fmt.Sprintf("runs after %v, ready after %v, gone %v after the request, at ports %s and %s",
					c.Started.Round(time.Millisecond), c.Ready.Round(time.Millisecond),
					time.Since(begun).Round(time.Millisecond), c.Ports.In, c.Ports.Out), nil
			},
		},
	}
	if d.Hugepages != "" && strings.HasPrefix(d.Host, "unix:") {
		checks = append(checks, check{
			what: "huge pages at " + d.Hugepages,
			mend: "echo 1024 > /proc/sys/vm/nr_hugepages, and mount -t hugetlbfs none " + d.Hugepages,
			do:   func(context.Context) (string, error) { return hugepages(d.Hugepages) },
		})
	}
	return checks
}

// hugepages says how many huge pages are free in a hugetlbfs.
func hugepages(folder string) (string, error) {
	const hugetlbfs = 0x958458f6
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return "", fmt.Errorf("%s: %w", folder, err)
	}
	if s.Type != hugetlbfs {
		return "", fmt.Errorf("%s is not a hugetlbfs", folder)
	}
	if s.Bavail == 0 {
		return "", fmt.Errorf("%s: none of %d pages is free", folder, s.Blocks)
	}
	return fmt.Sprintf("%d of %d pages of %d kB free", s.Bavail, s.Blocks, s.Bsize/1024), nil
}

// duration converts a time of the file for the drivers.
func duration(t units.Time) time.Duration { return time.Duration(t / units.Nanosecond) }
