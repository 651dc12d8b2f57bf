package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/hw/docker"
	"github.com/smartinco/smartinco/hw/lab/forwarder"
)

// runnable is something that an instance can run.
type runnable struct {
	missing func() error // what this machine lacks for it
	image   func(context.Context, *Config) (docker.Image, error)
	command func(*Config) []string // in the container
	ready   string                 // a line that it prints once it takes packets
	more    string                 // more lines for the container engine's part of the testbed's file
}

// programs are what an instance of a lab can run, by name.
var programs = map[string]runnable{
	"forward": {
		missing: func() error { return nil },
		image: func(_ context.Context, c *Config) (docker.Image, error) {
			return docker.Program(c.Program, "forward")
		},
		command: func(c *Config) []string {
			return []string{"--ring", strconv.Itoa(c.Ring), "--work", c.Work.String(), "--wait", c.Wait.String()}
		},
		ready: forwarder.Ready,
	},
	// DPDK's program, which polls. It prints this line once its driver has set up the interfaces of its own namespace.
	"testpmd": {testpmdMissing, testpmdImage, testpmdCommand, "Checking link statuses",
		"    capabilities: [NET_ADMIN]\n"},
}

// Programs are the names of what an instance of a lab can run.
func Programs() []string { return slices.Sorted(maps.Keys(programs)) }

// DPDK's program and what it loads at run time: the driver of packet sockets and that of packet buffers. They are in
// Debian's packages dpdk-dev, librte-net-af-packet and librte-mempool-ring.
const testpmdName = "dpdk-testpmd"

func testpmdDrivers() (found []string, err error) {
	for _, name := range []string{"librte_net_af_packet.so", "librte_mempool_ring.so"} {
		at, e := filepath.Glob("/usr/lib/*/dpdk/pmds-*/" + name)
		if e != nil || len(at) == 0 {
			err = errors.Join(err, fmt.Errorf("no %s: install it (Debian 12: librte-net-af-packet23, "+
				"librte-mempool-ring23)", name))
			continue
		}
		found = append(found, at[0])
	}
	return found, err
}

func testpmdMissing() error {
	var all []error
	if _, err := exec.LookPath(testpmdName); err != nil {
		all = append(all, fmt.Errorf("no %s: install DPDK (Debian: dpdk-dev)", testpmdName))
	}
	_, err := testpmdDrivers()
	return errors.Join(append(all, err)...)
}

// testpmdImage makes an image of the machine's testpmd, the libraries of it and its driver, and this program, which
// waits for the interfaces.
func testpmdImage(ctx context.Context, c *Config) (docker.Image, error) {
	path, err := exec.LookPath(testpmdName)
	if err != nil {
		return docker.Image{}, err
	}
	drivers, err := testpmdDrivers()
	if err != nil {
		return docker.Image{}, err
	}
	i, err := docker.Program(c.Program, "await", "--for", "in", "--for", "out", path)
	for _, f := range append(drivers, path) {
		if err == nil {
			err = i.AddLinked(ctx, f)
		}
	}
	return i, err
}

// testpmdCommand forwards between two packet sockets. Both threads, one that polls and one that prints, run on the
// instances' processors; memory is in pages of the usual size.
func testpmdCommand(c *Config) []string {
	cpus := c.CPUs
	if cpus == "" {
		cpus = fmt.Sprintf("0-%d", runtime.NumCPU()-1)
	}
	port := func(n int, device string) string {
		return fmt.Sprintf("--vdev=net_af_packet%d,iface=%s,framecnt=%d", n, device, c.Ring)
	}
	return []string{
		"--no-huge", "-m", "64", "--no-pci", "--no-telemetry", "--no-shconf", "--lcores",
		fmt.Sprintf("0@(%s),1@(%s)", cpus, cpus),
		port(0, "in"), port(1, "out"), "--", "--auto-start", "--stats-period=1", "--total-num-mbufs=8192",
		"--no-mlockall",
	}
}
