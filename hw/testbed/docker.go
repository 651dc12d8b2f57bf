package testbed

import (
	"context"
	"slices"
	"time"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/hw/ovs/vswitch"
	"github.com/smartinco/smartinco/units"
)

// OpenContainers connects to the container engine.
func (f *File) OpenContainers(ctx context.Context) (hw.ContainerEngine, error) {
	return docker.Open(ctx, f.DockerConfig())
}

// DockerConfig is the configuration of the driver.
func (f *File) DockerConfig() docker.Config {
	d := f.Containers.Docker
	c := docker.Config{
		Host: d.Host, PlainTCP: d.Insecure, Testbed: f.Name,
		Image: d.Image, Command: d.Command, CPUs: d.CPUs, Quota: d.Quota,
		Hugepages: d.Hugepages, Devices: d.Devices, Capabilities: d.Capabilities,
		Probe: docker.Probe{Log: d.Ready.Log, Timeout: duration(d.StartTimeout)},
		Grace: duration(d.StopTimeout),
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
		db := vswitch.Database(v.Database)
		c.Veth = &docker.Veth{
			Namespace: v.Netns,
			Plug: func(ctx context.Context, devices ...string) error {
				b := vswitch.Bridge{Name: v.Bridge}
				for _, name := range devices {
					b.Ports = append(b.Ports, vswitch.BridgePort{Name: name})
				}
				return db.Ensure(ctx, b)
			},
			Unplug: func(ctx context.Context, devices ...string) error {
				var args []string
				for _, name := range devices {
					args = slices.Concat(args, []string{"--", "--if-exists", "del-port", v.Bridge, name})
				}
				_, err := db.Vsctl(ctx, args...)
				return err
			},
		}
	}
	return c
}

// duration is a time of the file as the drivers take it.
func duration(t units.Time) time.Duration { return time.Duration(t / units.Nanosecond) }
