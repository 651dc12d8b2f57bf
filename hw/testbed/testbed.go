// Package testbed reads the file that says which hardware an experiment runs on, and opens it: a switch, a container
// engine and a traffic generator, each by the driver that the file names.
//
// The file is YAML and read as strictly as a scenario; docs/testbed.md, made from the tags here, describes every key. A
// driver is a file of this package, with its keys and how it is opened, and a line in the table of its kind.
package testbed

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// File is a testbed.
type File struct {
	Name       string     `yaml:"name" required:"true"`
	Scale      Scale      `yaml:"scale"`
	Switch     Switch     `yaml:"switch" required:"true"`
	Containers Containers `yaml:"containers" required:"true"`
	Generator  Generator  `yaml:"generator" required:"true"`

	path, dir string // of the file, and where the paths in it begin
	left      bool   // an earlier process of this machine has left what it made; while locked
	cleaned   bool   // and it is removed
	leaves    bool   // this process leaves what it has made
	cleaning  bool   // the container engine is opened to clean up
}

// Docs implements strictyaml.Documented.
func (File) Docs() string {
	return `
name: name of the testbed: in records, in logs, and on its containers, by which a later run finds those that an earlier
	one left; letters, digits, - and _
scale: how much smaller than the scenario's the runs on this testbed are
switch: what steers flows to instances
containers: what starts and stops instances
generator: what sends the traffic and counts what comes back
`
}

// Scale is by what a scenario's rates and times are multiplied.
type Scale struct {
	Rate float64 `yaml:"rate" default:"1"`
	Time float64 `yaml:"time" default:"1"`
}

// Docs implements strictyaml.Documented.
func (Scale) Docs() string {
	return `
rate: multiplies the rates of the traffic and the scheduler's limit
time: multiplies all times of the scenario: traffic, windows, intervals, faults
`
}

// Switch is one of the drivers for switches: exactly one key is set.
type Switch struct {
	OVS  *OVS  `yaml:"ovs"`
	DOCA *DOCA `yaml:"doca"`
	TC   *TC   `yaml:"tc"`
}

// Docs implements strictyaml.Documented.
func (Switch) Docs() string {
	return `
ovs: Open vSwitch, on any Linux machine or on a BlueField, by OpenFlow 1.3
doca: the eSwitch of a BlueField, by DOCA Flow; takes a program built with it
tc: the eSwitch of any card in switchdev mode, by tc flower
`
}

// Containers is one of the drivers for container engines.
type Containers struct {
	Docker *Docker `yaml:"docker"`
}

// Docs implements strictyaml.Documented.
func (Containers) Docs() string {
	return `
docker: Docker Engine 20.10 or later
`
}

// Generator is one of the drivers for traffic generators.
type Generator struct {
	TRex *TRex `yaml:"trex"`
}

// Docs implements strictyaml.Documented.
func (Generator) Docs() string {
	return `
trex: TRex in stateless mode, or smartinco trex-server
`
}

// OVS is a bridge of Open vSwitch.
type OVS struct {
	Address       string     `yaml:"address" required:"true"`
	Uplink        string     `yaml:"uplink" required:"true"`
	Sink          string     `yaml:"sink"`
	Owner         int        `yaml:"owner" default:"0" min:"0" max:"255"`
	Table         int        `yaml:"table" default:"0" min:"0" max:"252"`
	InstanceTable int        `yaml:"instance_table" default:"100" min:"1" max:"253"`
	Priority      int        `yaml:"priority" default:"30000" min:"2" max:"65535"`
	CounterLag    units.Time `yaml:"counter_lag" default:"500ms"`
	Rules         int        `yaml:"rules" default:"0" min:"0"`
	PacketInQueue int        `yaml:"packet_in_queue" default:"1024" min:"1"`
}

// Docs implements strictyaml.Documented.
func (OVS) Docs() string {
	return `
address: of the bridge: unix:/var/run/openvswitch/BRIDGE.mgmt, or tcp:HOST:PORT
uplink: port at which the traffic comes in
sink: port to which the instances' output goes; without it, the uplink
owner: tells the rules of several testbeds on one bridge apart
table: of the flows' rules
instance_table: of the instances' rules, greater than table
priority: of the flows' rules
counter_lag: how old counters may be: other_config:max-revalidator of a switch in software; 2s with hardware offload
rules: rules that the switch holds; 0 when that is not known
packet_in_queue: first packets that wait for the orchestrator before others are dropped
`
}

// DOCA is the eSwitch of a BlueField.
type DOCA struct {
	PCI           string     `yaml:"pci" required:"true"`
	Representors  string     `yaml:"representors" required:"true"`
	Uplink        string     `yaml:"uplink" required:"true"`
	Ports         []string   `yaml:"ports" required:"true"`
	Sink          string     `yaml:"sink"`
	Probe         string     `yaml:"probe"`
	Mode          string     `yaml:"mode"`
	EAL           string     `yaml:"eal"`
	Rules         int        `yaml:"rules" default:"8192" min:"1" max:"1048576"`
	QueueDepth    int        `yaml:"queue_depth" default:"128" min:"1" max:"4096"`
	MoveInPlace   bool       `yaml:"move_in_place" default:"false"`
	DropOthers    bool       `yaml:"drop_others" default:"false"`
	CounterLag    units.Time `yaml:"counter_lag" default:"1s"`
	PacketInQueue int        `yaml:"packet_in_queue" default:"1024" min:"1"`
	StandIn       *StandIn   `yaml:"stand_in"`
}

// Docs implements strictyaml.Documented.
func (DOCA) Docs() string {
	return `
pci: address of the physical function on the ARM side, such as 0000:03:00.0
representors: in DPDK's notation, such as vf[0-7]; from DOCA 3.1 on they are found by ports, unless probe names them
uplink: network device of the physical port, at which the traffic comes in, such as p0
ports: network devices of the representors, in their order, such as pf0vf0
sink: port to which the instances' output goes; without it, the uplink
probe: device arguments; without it those of NVIDIA's samples of the release. If they have representor=, that is the
	list of representors
mode: of DOCA Flow; without it that of NVIDIA's samples of the release, such as switch,hws,isolated,hairpinq_num=4
eal: more arguments for DPDK, separated by spaces, such as -l 7
rules: that each of the four pipes holds, for TCP and UDP over IPv4 and IPv6
queue_depth: requests under way at a time
move_in_place: moves a flow by changing its entry, rather than by removing it and adding another; public programs saw
	that fail
drop_others: drops what is neither TCP nor UDP, rather than leaving it to the kernel
counter_lag: how old counters may be
packet_in_queue: first packets that wait for the orchestrator before others are dropped
stand_in: no card: a program built with the stand-in for the SDK forwards between network devices, and takes no other
	testbed
`
}

// StandIn is where the stand-in for DOCA Flow has its packets from.
type StandIn struct {
	Netns string `yaml:"netns"`
	Wire  string `yaml:"wire" required:"true"`
}

// Docs implements strictyaml.Documented.
func (StandIn) Docs() string {
	return `
netns: network namespace of uplink, ports and wire, as ip netns names it; without it, that of this program
wire: device at which the uplink's traffic comes in; uplink itself is one end of a veth pair, where first packets come
	in as they do at a card's p0
`
}

// TC is the eSwitch of a card that the kernel runs in switchdev mode.
type TC struct {
	Uplink        string     `yaml:"uplink" required:"true"`
	Sink          string     `yaml:"sink"`
	Pref          int        `yaml:"pref" default:"10" min:"1" max:"65534"`
	Software      bool       `yaml:"software" default:"false"`
	Rules         int        `yaml:"rules" default:"0" min:"0"`
	CounterLag    units.Time `yaml:"counter_lag" default:"1s"`
	PacketInQueue int        `yaml:"packet_in_queue" default:"1024" min:"1"`
}

// Docs implements strictyaml.Documented.
func (TC) Docs() string {
	return `
uplink: network device of the physical port, at which the traffic comes in, such as p0
sink: device to which the instances' output goes; without it, the uplink
pref: priority of the filters for IPv4; those for IPv6 have the next one. Some cards take 16 at most
software: lets the kernel forward what the card does not, or everything where there is no card: to try things out, not
	to measure
rules: rules that the card holds; 0 when that is not known
counter_lag: how old counters may be: mlx5 reads its card's every second; 1ms if all is in software
packet_in_queue: first packets that wait for the orchestrator before others are dropped
`
}

// Docker is a Docker Engine, what it starts, and the ports that it gives to what it starts.
type Docker struct {
	Host         string     `yaml:"host" default:"unix:///var/run/docker.sock"`
	TLS          *TLS       `yaml:"tls"`
	Insecure     bool       `yaml:"insecure" default:"false"`
	Image        string     `yaml:"image" required:"true"`
	Command      []string   `yaml:"command"`
	Ready        Ready      `yaml:"ready"`
	CPUs         string     `yaml:"cpus"`
	Quota        float64    `yaml:"quota" default:"0" min:"0"`
	Cgroup       string     `yaml:"cgroup"`
	Mounts       []string   `yaml:"mounts"`
	Hugepages    string     `yaml:"hugepages"`
	Devices      []string   `yaml:"devices"`
	Capabilities []string   `yaml:"capabilities"`
	Veth         *Veth      `yaml:"veth"`
	Ports        []Port     `yaml:"ports" required:"true"`
	StartTimeout units.Time `yaml:"start_timeout" default:"30s"`
	StopTimeout  units.Time `yaml:"stop_timeout" default:"2s"`
}

// Docs implements strictyaml.Documented.
func (Docker) Docs() string {
	return `
host: the engine: unix:///var/run/docker.sock, or tcp://HOST:2376
tls: for an engine at tcp://
insecure: allows an engine on another machine without TLS: whoever reaches it is root there
image: of an instance
command: of an instance; without it, the image's own
ready: when an instance takes packets
cpus: the processors that all instances share, such as 2-7; without it, all
quota: processors' worth of time for each instance; 0 for no limit
cgroup: the control group in which instances have theirs; without it, the engine's own
mounts: folders of the engine's machine that instances get: /there:/here, or /there:/here:ro
hugepages: folder of a hugetlbfs that instances get, such as /dev/hugepages; without it, none
devices: device files that instances get, such as /dev/vfio/vfio
capabilities: Linux capabilities that instances get, such as NET_RAW; never all of them
veth: makes the devices of a port when an instance takes it, as virtual Ethernet pairs; without it, they exist
ports: the pool: each instance has one of them as long as it lives
start_timeout: until an instance must take packets
stop_timeout: until an instance that does not stop is killed
`
}

// Ready is what an instance does when it takes packets.
type Ready struct {
	Log  string   `yaml:"log" default:"forwarder: ready"`
	Exec []string `yaml:"exec"`
}

// Docs implements strictyaml.Documented.
func (Ready) Docs() string {
	return `
log: it prints a line with this in it
exec: this command, run in it again and again, succeeds; instead of log
`
}

// TLS is the client's end of mutual TLS, in PEM files whose paths are relative to the testbed's file.
type TLS struct {
	CA   string `yaml:"ca" required:"true"`
	Cert string `yaml:"cert" required:"true"`
	Key  string `yaml:"key" required:"true"`
}

// Docs implements strictyaml.Documented.
func (TLS) Docs() string {
	return `
ca: certificate of the authority that signed the engine's
cert: our certificate
key: its key
`
}

// Port is an instance's place at the switch.
type Port struct {
	In        string   `yaml:"in" required:"true"`
	Out       string   `yaml:"out"`
	Device    string   `yaml:"device"`
	OutDevice string   `yaml:"out_device"`
	CPUs      string   `yaml:"cpus"`
	Devices   []string `yaml:"devices"`
	Args      []string `yaml:"args"`
}

// Docs implements strictyaml.Documented.
func (Port) Docs() string {
	return `
in: the switch's port out of which the instance's packets go, such as pf0vf0
out: the switch's port at which they come back; without it, in
device: the network device of the engine's machine that is moved into the container, as in
out_device: the same for out
cpus: the processors of the instance that has the port; without it, those of all
devices: device files that the instance gets, such as the /dev/vfio group of its virtual function
args: appended to the command, such as the PCI address of its virtual function
`
}

// Veth is where virtual Ethernet pairs are made and plugged in.
type Veth struct {
	Netns    string `yaml:"netns"`
	Bridge   string `yaml:"bridge"`
	Database string `yaml:"database"`
}

// Docs implements strictyaml.Documented.
func (Veth) Docs() string {
	return `
netns: network namespace of the switch, as ip netns names it; without it, that of this program
bridge: the bridge of Open vSwitch that they are added to, with switch.ovs
database: of that Open vSwitch, such as unix:/run/smartinco/lab/ovs/db.sock; without it, the system's
`
}

// TRex is a TRex server.
type TRex struct {
	Address string     `yaml:"address" default:"127.0.0.1:4501"`
	User    string     `yaml:"user" default:"smartinco"`
	Send    int        `yaml:"send" default:"0" min:"0" max:"31"`
	Receive int        `yaml:"receive" default:"0" min:"0" max:"31"`
	Force   bool       `yaml:"force" default:"false"`
	Ordered bool       `yaml:"ordered" default:"false"`
	SrcMAC  string     `yaml:"src_mac"`
	DstMAC  string     `yaml:"dst_mac"`
	Timeout units.Time `yaml:"timeout" default:"3s"`
}

// Docs implements strictyaml.Documented.
func (TRex) Docs() string {
	return `
address: HOST:PORT of its RPC
user: as whom its ports are acquired
send: its port that is cabled to the uplink
receive: its port that is cabled to the sink; may be the same
force: takes the ports from whoever has them
ordered: numbers the packets of each stream, so that those out of order are counted; a real TRex makes such packets in
	software, far below line rate
src_mac: source address of the frames; without it, the port's own
dst_mac: destination address of the frames; without it, what TRex has configured
timeout: for one answer
`
}

// Load reads a testbed's file. Errors about its content are strictyaml.ErrInvalid, all of them joined.
func Load(path string) (*File, error) {
	data, err := strictyaml.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := Parse(path, data, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	f.path = path
	return f, nil
}

// Parse reads a testbed from memory. Errors call it name; paths in it are relative to dir.
func Parse(name string, data []byte, dir string) (*File, error) {
	f := File{dir: dir}
	if err := strictyaml.Decode(name, data, &f, f.rules); err != nil {
		return nil, err
	}
	// Not a rule, since it would repeat what it finds.
	if h := f.Containers.Docker.Host; strings.HasPrefix(h, "tcp:") && strings.Contains(h, "@") {
		return nil, &strictyaml.Error{File: name, Key: "containers.docker.host", Found: "a user or password",
			Expected: "tcp://HOST:PORT, with tls for who we are"}
	}
	return &f, nil
}

// Path makes a path of the testbed relative to the directory of its file.
func (f *File) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.dir, name)
}

func (f *File) rules() []strictyaml.Rule {
	rules := []strictyaml.Rule{
		{Keys: []string{"name"}, Wrong: !plain(f.Name), Want: "1 to 40 letters, digits, - and _"},
		{Keys: []string{"scale.rate"}, Wrong: f.Scale.Rate <= 0 || f.Scale.Rate > 1e6,
			Want: "a number above 0, such as 0.001"},
		{Keys: []string{"scale.time"}, Wrong: f.Scale.Time <= 0 || f.Scale.Time > 1e6,
			Want: "a number above 0, such as 0.2"},
	}
	rules = append(rules, one("switch", f.Switch), one("containers", f.Containers), one("generator", f.Generator))
	if o := f.Switch.OVS; o != nil {
		rules = append(rules,
			strictyaml.Rule{Keys: []string{"switch.ovs.instance_table", "switch.ovs.table"},
				Wrong: o.InstanceTable <= o.Table, Want: "a number above table's"},
			strictyaml.Rule{Keys: []string{"switch.ovs.counter_lag"}, Wrong: o.CounterLag <= 0, Want: "a time above 0"},
			strictyaml.Rule{Keys: []string{"switch.ovs.address"},
				Wrong: !strings.HasPrefix(o.Address, "unix:") && !strings.HasPrefix(o.Address, "tcp:"),
				Want:  "unix:PATH or tcp:HOST:PORT"})
	}
	if d := f.Switch.DOCA; d != nil {
		rules = append(rules,
			strictyaml.Rule{Keys: []string{"switch.doca.ports"}, Wrong: len(d.Ports) == 0, Want: "at least one port"},
			strictyaml.Rule{Keys: []string{"switch.doca.counter_lag"}, Wrong: d.CounterLag <= 0,
				Want: "a time above 0"})
	}
	if t := f.Switch.TC; t != nil {
		rules = append(rules,
			strictyaml.Rule{Keys: []string{"switch.tc.counter_lag"}, Wrong: t.CounterLag <= 0, Want: "a time above 0"})
	}
	if d := f.Containers.Docker; d != nil {
		rules = append(rules, d.rules()...)
		if v := d.Veth; v != nil {
			rules = append(rules, strictyaml.Rule{Keys: []string{"containers.docker.veth.bridge", "switch.ovs"},
				Wrong: (v.Bridge != "") != (f.Switch.OVS != nil),
				Want:  "a bridge with Open vSwitch, and none without"})
		}
	}
	return rules
}

func (d *Docker) rules() []strictyaml.Rule {
	const at = "containers.docker."
	rules := []strictyaml.Rule{
		{Keys: []string{at + "host"},
			Wrong: !strings.HasPrefix(d.Host, "unix://") && !strings.HasPrefix(d.Host, "tcp://"),
			Want:  "unix://PATH or tcp://HOST:PORT"},
		{Keys: []string{at + "tls", at + "host"}, Wrong: d.TLS != nil && !strings.HasPrefix(d.Host, "tcp://"),
			Want: "a host at tcp:// with this key"},
		{Keys: []string{at + "ports"}, Wrong: len(d.Ports) == 0, Want: "at least one port"},
		{Keys: []string{at + "veth", at + "host"}, Wrong: d.Veth != nil && !strings.HasPrefix(d.Host, "unix://"),
			Want: "the engine of this machine, at unix://, with this key"},
		{Keys: []string{at + "start_timeout"}, Wrong: d.StartTimeout <= 0, Want: "a time above 0"},
	}
	for i, name := range d.Capabilities {
		all := strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "CAP_") == "ALL"
		rules = append(rules, strictyaml.Rule{Keys: []string{fmt.Sprintf("%scapabilities.%d", at, i)}, Wrong: all,
			Want: "one that an instance needs, by its name, such as NET_RAW, never all of them"})
	}
	seen := map[string]bool{}
	for i, p := range d.Ports {
		for _, x := range []struct{ key, name string }{{"in", p.In}, {"out", p.Out}} {
			if x.name == "" || x.key == "out" && p.Out == p.In {
				continue
			}
			key := fmt.Sprintf("%sports.%d.%s", at, i, x.key)
			rules = append(rules, strictyaml.Rule{Keys: []string{key}, Wrong: seen[x.name],
				Want: "a port that no other instance has"})
			seen[x.name] = true
		}
	}
	return rules
}

// one is the rule that exactly one driver is chosen.
func one(key string, kind any) strictyaml.Rule {
	v, given := reflect.ValueOf(kind), 0
	var names []string
	for i := range v.NumField() {
		names = append(names, v.Type().Field(i).Tag.Get("yaml"))
		if !v.Field(i).IsNil() {
			given++
		}
	}
	return strictyaml.Rule{Keys: []string{key}, Wrong: given != 1,
		Want: "exactly one driver: " + strings.Join(names, ", ")}
}

// plain says whether a name fits a label, a file name and an interface alike.
func plain(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return name != "" && len(name) <= 40 && strings.Trim(name, allowed) == ""
}

// Reference is the description of every key, in Markdown: docs/testbed.md.
func Reference() []byte {
	return append([]byte(referenceHead), strictyaml.Describe("Testbed", &File{})...)
}

const referenceHead = `<!-- Generated from the struct tags of package hw/testbed: go test ./hw/testbed -update -->
# Testbed reference

A testbed file says which hardware a scenario runs on. It is read as a scenario is: one YAML document without anchors,
in which unknown keys, wrong units and impossible values are errors, all reported at once with their line.
[hardware.md](hardware.md) says how to get there, and ` + "`smartinco hw doctor --testbed FILE`" + ` whether you have.

` + "```yaml" + `
name: rack
switch:
  ovs:
    address: unix:/var/run/openvswitch/ovsbr1.mgmt
    uplink: p0
    counter_lag: 2s              # hardware offload
containers:
  docker:
    host: tcp://192.0.2.10:2376  # the host that the card is in
    tls: {ca: ca.pem, cert: cert.pem, key: key.pem}
    image: smartinco/forward
    cpus: 2-9
    ports:
      - {in: pf0vf0, device: ens1f0v0}
      - {in: pf0vf1, device: ens1f0v1}
generator:
  trex: {address: "192.0.2.20:4501", send: 0, receive: 0}
` + "```" + `
`
