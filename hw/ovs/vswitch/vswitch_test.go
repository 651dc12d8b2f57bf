package vswitch_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/hw/internal/nettest"
	"github.com/smartinco/smartinco/hw/ovs/vswitch"
	"github.com/smartinco/smartinco/internal/needs"
)

// folder is a short one: a socket's path has 107 bytes at most, which t.TempDir takes up.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ovs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start starts an instance in a namespace of its own, or skips.
func start(t *testing.T, dir string, n nettest.Namespace) *vswitch.Instance {
	t.Helper()
	needs.This(t, vswitch.Missing())
	i, err := vswitch.Start(context.Background(), dir, string(n))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.Stop(); err != nil {
			t.Error(err)
		}
	})
	return i
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func vsctl(t *testing.T, i *vswitch.Instance, args ...string) string {
	t.Helper()
	out, err := i.Database().Vsctl(context.Background(), args...)
	must(t, err)
	return out
}

// An instance is found by its folder alone, whoever started it and whatever became of its files.
func TestStartAndStopAreIdempotent(t *testing.T) {
	n := nettest.New(t)
	dir := folder(t)
	i := start(t, dir, n)
	vsctl(t, i, "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")

	again := start(t, dir, n)
	if got := vsctl(t, again, "list-br"); got != "br0" {
		t.Errorf("bridges %q after a second start, want br0", got)
	}

	must(t, again.Kill())
	if again.Running() {
		t.Error("it runs after Kill")
	}
	must(t, again.StartDaemon(context.Background()))
	if _, err := os.Stat(strings.TrimPrefix(again.Management("br0"), "unix:")); err != nil {
		t.Errorf("the bridge is not back after a crash: %v", err)
	}

	for _, left := range []string{"ovs-vswitchd.pid", "ovsdb-server.pid"} {
		must(t, os.Remove(filepath.Join(dir, left)))
	}
	found, err := vswitch.At(dir, string(n))
	must(t, err)
	if !found.Running() {
		t.Error("it is not found without its pid files")
	}
	must(t, found.Stop())
	must(t, found.Stop())
	if i.Running() {
		t.Error("it runs after Stop")
	}

	// A stale pid file with somebody else's number does not bring that somebody down, and a new start does not mind it.
	must(t, os.WriteFile(filepath.Join(dir, "ovs-vswitchd.pid"), []byte("1\n"), 0o644))
	must(t, found.Stop())
	if got := vsctl(t, start(t, dir, n), "list-br"); got != "br0" {
		t.Errorf("bridges %q after stop and start, want br0", got)
	}
}

func TestAPathTooLongForASocketIsRefused(t *testing.T) {
	if _, err := vswitch.At("/"+strings.Repeat("x", 100), ""); err == nil {
		t.Error("no error")
	}
}

// A name from a file reaches no program as an option, as another command or as another record. No switch is asked:
// there is none at this address, and the error is another.
func TestNamesAreChecked(t *testing.T) {
	ctx := context.Background()
	db := vswitch.Database("unix:/nowhere/db.sock")
	for _, name := range []string{
		"", "-v", "--", "--may-exist", "@x", "br 0", "br0\n", "a,b", "a=b", "[]", "{}", "br0/x", "ü", ".x",
		"6a3ec8f4-7d16-4f0b-8d8f-4a7c5b3c2e10",
	} {
		for what, err := range map[string]error{
			"bridge of Ensure": db.Ensure(ctx, vswitch.Bridge{Name: name}),
			"port of Ensure": db.Ensure(ctx,
				vswitch.Bridge{Name: "br0", Ports: []vswitch.BridgePort{{Name: name}}}),
			"bridge of Remove":      db.Remove(ctx, name),
			"bridge of RemovePorts": db.RemovePorts(ctx, name, "p0"),
			"port of RemovePorts":   db.RemovePorts(ctx, "br0", name),
		} {
			if err == nil || !strings.Contains(err.Error(), "want ") {
				t.Errorf("%s %q: error %v, want one that says what names may be", what, name, err)
			}
		}
	}
	for _, name := range []string{"p0", "pf0vf0", "en3f0pf0sf0", "eth0.100", "vhost-user_1", "9p", "ens1f0:1"} {
		if err := db.RemovePorts(ctx, "ovsbr1", name); err == nil || strings.Contains(err.Error(), "want ") {
			t.Errorf("port %q: error %v, want one of the address alone", name, err)
		}
	}
}

// What is missing is made, what is there stays as it is, and only what was made is removed.
func TestEnsureTouchesNothingOfTheUser(t *testing.T) {
	ctx := context.Background()
	n := nettest.New(t)
	i := start(t, folder(t), n)
	db := i.Database()
	for _, p := range [][2]string{{"theirs", "x0"}, {"shared", "x1"}, {"ours", "x2"}} {
		n.Pair(t, p[0], p[1])
	}
	vsctl(t, i, "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
		"other_config:hwaddr=02:00:00:00:00:07",
		"--", "add-port", "br0", "shared", "--", "set", "port", "shared", "tag=7", "external_ids:owner=them",
		"--", "add-br", "br1", "--", "set", "bridge", "br1", "datapath_type=netdev", "--", "add-port", "br1", "theirs")
	configured := func() string {
		return vsctl(t, i, "--columns=name,other_config,external_ids,fail_mode,protocols,datapath_type", "list",
			"bridge") + "\n" +
			vsctl(t, i, "--columns=name,tag,external_ids,other_config", "list", "port") + "\n" +
			vsctl(t, i, "--columns=name,type,options", "list", "interface")
	}
	before := configured()

	want := vswitch.Bridge{Name: "br0", Datapath: "netdev",
		Ports: []vswitch.BridgePort{{Name: "shared"}, {Name: "ours"}}}
	must(t, db.Ensure(ctx, want))
	once := configured()
	if got := vsctl(t, i, "list-ports", "br0"); got != "ours\nshared" {
		t.Errorf("ports %q, want ours and shared", got)
	}
	must(t, db.Ensure(ctx, want))
	if got := configured(); sorted(got) != sorted(once) {
		t.Errorf("a second time changed\n%s\nto\n%s", once, got)
	}

	// A port of another bridge, one that does not exist, a bridge that does not speak OpenFlow 1.3: errors that say so.
	for _, bad := range []struct {
		bridge vswitch.Bridge
		says   string
	}{
		{vswitch.Bridge{Name: "br0", Ports: []vswitch.BridgePort{{Name: "theirs"}}}, "br1"},
		{vswitch.Bridge{Name: "br0", Ports: []vswitch.BridgePort{{Name: "nothing"}}}, "nothing"},
	} {
		if err := db.Ensure(ctx, bad.bridge); err == nil || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%+v: error %v, want one that says %q", bad.bridge, err, bad.says)
		}
	}
	vsctl(t, i, "set", "bridge", "br1", "protocols=OpenFlow10")
	if err := db.Ensure(ctx, vswitch.Bridge{Name: "br1"}); err == nil || !strings.Contains(err.Error(), "OpenFlow13") {
		t.Errorf("error %v, want one that says OpenFlow13", err)
	}
	vsctl(t, i, "clear", "bridge", "br1", "protocols")

	must(t, db.Remove(ctx, "br0"))
	must(t, db.Remove(ctx, "br0"))
	if got := configured(); sorted(got) != sorted(before) {
		t.Errorf("after Remove\n%s\nwant\n%s", got, before)
	}

	// A bridge that Ensure made goes with its ports.
	must(t, db.Ensure(ctx, vswitch.Bridge{Name: "br2", Datapath: "netdev",
		Ports: []vswitch.BridgePort{{Name: "ours"}}}))
	if got := vsctl(t, i, "get", "bridge", "br2", "fail_mode"); got != "secure" {
		t.Errorf("fail mode %s: a bridge of ours forwards nothing by itself", got)
	}
	must(t, db.Remove(ctx, "br2"))
	if got := vsctl(t, i, "list-br"); got != "br0\nbr1" {
		t.Errorf("bridges %q, want br0 and br1", got)
	}
}

// sorted puts the lines of a listing in order: ovs-vsctl gives rows in none.
func sorted(listing string) string {
	lines := strings.Fields(strings.ReplaceAll(listing, " ", ""))
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
