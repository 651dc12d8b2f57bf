// Package vswitch configures Open vSwitch: it makes bridges and ports by ovs-vsctl, and runs private switches beside
// that of the system, as tests and the lab need them. Package ovs writes the rules.
package vswitch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sort"
	"strings"
)

// Database is an Open vSwitch database as ovs-vsctl names it, unix:/var/run/openvswitch/db.sock for instance; empty is
// the system's.
type Database string

// Vsctl runs ovs-vsctl and returns what it printed, without surrounding space. It waits at most 10 s for the switch to
// take over a change.
func (db Database) Vsctl(ctx context.Context, args ...string) (string, error) {
	all := []string{"--timeout=10"}
	if db != "" {
		all = append(all, "--db="+string(db))
	}
	return command(ctx, nil, "ovs-vsctl", append(all, args...)...)
}

// command runs a program with something added to the environment, and returns what it printed.
func command(ctx context.Context, env []string, name string, args ...string) (string, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), env...)
	out, err := c.Output()
	if err != nil {
		what := strings.TrimSpace(name + " " + strings.Join(args, " "))
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			return "", fmt.Errorf("%s: %s: %w", what, strings.TrimSpace(string(exit.Stderr)), err)
		}
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Bridge is a bridge and the ports that it must have.
type Bridge struct {
	Name     string
	Datapath string // datapath_type if the bridge is made: netdev for userspace, empty for the kernel's or the card's
	Ports    []BridgePort
}

// BridgePort is a port of a bridge.
type BridgePort struct {
	Name    string
	Type    string            // interface type: empty for a network device that exists
	Options map[string]string // the interface's options, dpdk-devargs for instance
}

// mark is the key in external_ids of the bridges and ports that Ensure made; its value is the bridge's name.
const mark = "smartinco"

// Ensure makes the bridge and the ports that are missing, so that calling it again changes nothing. What exists already
// keeps its settings, and Remove will not delete it. A bridge that does not speak OpenFlow 1.3 and a port that belongs
// to another bridge are errors. A bridge that Ensure makes forwards nothing without a rule.
func (db Database) Ensure(ctx context.Context, b Bridge) error {
	if err := db.ensure(ctx, b); err != nil {
		return fmt.Errorf("vswitch: bridge %s: %w", b.Name, err)
	}
	return nil
}

// Limits of names: a bridge has a network device of the same name, and a port's name must not look like the UUID of a
// record.
const (
	maxBridge = 15
	maxPort   = 35
)

// checkName says why a name must not reach ovs-vsctl, which would take it for an option (-v), for the end of a command
// (--) or for another record (@x, a UUID). The names that remain are those that a network device can have.
func checkName(what, name string, longest int) error {
	for k, c := range []byte(name) {
		word := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
		if !word && (k == 0 || c != '-' && c != '.' && c != ':' && c != '@') {
			return fmt.Errorf("%s %q: want letters, digits and _, and behind the first also - . : @", what, name)
		}
	}
	if n := len(name); n == 0 || n > longest {
		return fmt.Errorf("%s %q: want 1 to %d characters", what, name, longest)
	}
	return nil
}

func (b *Bridge) check() error {
	err := checkName("bridge", b.Name, maxBridge)
	for _, p := range b.Ports {
		err = errors.Join(err, checkName("port", p.Name, maxPort))
	}
	return err
}

func (db Database) ensure(ctx context.Context, b Bridge) error {
	if err := b.check(); err != nil {
		return err
	}
	bridges, err := db.list(ctx, "list-br")
	if err != nil {
		return err
	}
	if !slices.Contains(bridges, b.Name) {
		args := []string{"add-br", b.Name, "--", "set", "bridge", b.Name, "fail_mode=secure",
			"protocols=OpenFlow10,OpenFlow13",
			"external_ids:" + mark + "=" + b.Name}
		if b.Datapath != "" {
			args = append(args, "datapath_type="+b.Datapath)
		}
		if _, err := db.Vsctl(ctx, args...); err != nil {
			return err
		}
	}
	protocols, err := db.Vsctl(ctx, "get", "bridge", b.Name, "protocols")
	if err != nil {
		return err
	}
	if protocols != "[]" && !strings.Contains(protocols, "OpenFlow13") {
		return fmt.Errorf("it speaks %s only: run ovs-vsctl add bridge %s protocols OpenFlow13", protocols, b.Name)
	}
	for _, p := range b.Ports {
		if err := db.ensurePort(ctx, b.Name, p); err != nil {
			return fmt.Errorf("port %s: %w", p.Name, err)
		}
	}
	return nil
}

func (db Database) ensurePort(ctx context.Context, bridge string, p BridgePort) error {
	ports, err := db.list(ctx, "list-ports", bridge)
	if err != nil || slices.Contains(ports, p.Name) {
		return err
	}
	args := []string{"add-port", bridge, p.Name, "--", "set", "port", p.Name, "external_ids:" + mark + "=" + bridge}
	if p.Type != "" || len(p.Options) > 0 {
		args = append(args, "--", "set", "interface", p.Name)
		if p.Type != "" {
			args = append(args, "type="+p.Type)
		}
		var options []string
		for k, v := range p.Options {
			options = append(options, fmt.Sprintf("options:%s=%q", k, v))
		}
		sort.Strings(options)
		args = append(args, options...)
	}
	if _, err := db.Vsctl(ctx, args...); err != nil {
		return err
	}
	trouble, err := db.Vsctl(ctx, "get", "interface", p.Name, "error")
	if err != nil || trouble == "[]" || trouble == `""` {
		return err
	}
	_, _ = db.Vsctl(ctx, "--if-exists", "del-port", bridge, p.Name)
	return fmt.Errorf("the switch cannot open it: %s", trouble)
}

// RemovePorts deletes ports of a bridge, whoever made them. A port that does not exist is no error.
func (db Database) RemovePorts(ctx context.Context, bridge string, names ...string) error {
	b := Bridge{Name: bridge}
	var args []string
	for _, name := range names {
		b.Ports = append(b.Ports, BridgePort{Name: name})
		args = append(args, "--", "--if-exists", "del-port", bridge, name)
	}
	err := b.check()
	if err == nil && len(args) > 0 {
		_, err = db.Vsctl(ctx, args[1:]...)
	}
	if err != nil {
		return fmt.Errorf("vswitch: bridge %s: %w", bridge, err)
	}
	return nil
}

// Remove deletes the ports of the bridge that Ensure made, and the bridge if Ensure made it. It is no error if there is
// nothing to delete.
func (db Database) Remove(ctx context.Context, bridge string) error {
	if err := checkName("bridge", bridge, maxBridge); err != nil {
		return fmt.Errorf("vswitch: %w", err)
	}
	for _, table := range []struct{ name, delete string }{{"port", "del-port"}, {"bridge", "del-br"}} {
		names, err := db.list(ctx, "--bare", "--columns=name", "find", table.name, "external_ids:"+mark+"="+bridge)
		if err != nil {
			return fmt.Errorf("vswitch: bridge %s: %w", bridge, err)
		}
		for _, name := range names {
			if _, err := db.Vsctl(ctx, "--if-exists", table.delete, name); err != nil {
				return fmt.Errorf("vswitch: bridge %s: %w", bridge, err)
			}
		}
	}
	return nil
}

// list runs ovs-vsctl and splits what it prints at white space.
func (db Database) list(ctx context.Context, args ...string) ([]string, error) {
	out, err := db.Vsctl(ctx, args...)
	return strings.Fields(out), err
}
