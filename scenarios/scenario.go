package scenarios

import (
	"context"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// Scenario is one experiment. Package strictyaml says what the tags mean; they and Docs are the single source of the
// decoder, the JSON Schema and the reference in docs.
type Scenario struct {
	Name       string             `yaml:"name" default:"unnamed"`
	Seed       uint64             `yaml:"seed" default:"1"`
	Duration   units.Time         `yaml:"duration" default:"0s" min:"0"`
	Scale      Scale              `yaml:"scale"`
	Engine     string             `yaml:"engine" enum:"fluid|packet|request" default:"fluid"`
	Stack      string             `yaml:"stack"`
	NIC        NIC                `yaml:"nic" default:"bluefield2"`
	VNF        VNF                `yaml:"vnf"`
	Instances  Instances          `yaml:"instances"`
	Nodes      *Nodes             `yaml:"nodes"`
	Services   []Service          `yaml:"services"`
	Scheduler  scheduler.Options  `yaml:"scheduler"`
	Autoscaler autoscaler.Options `yaml:"autoscaler"`
	Telemetry  Telemetry          `yaml:"telemetry"`
	Measure    Measure            `yaml:"measure"`
	Packet     Packet             `yaml:"packet"`
	Workload   []Source           `yaml:"workload" required:"true"`
	Faults     []Fault            `yaml:"faults"`

	dir string          // of the scenario's file, for the paths in it
	ctx context.Context // ends the making of traffic; nil never
}

// Docs implements strictyaml.Documented.
func (Scenario) Docs() string {
	return `
name: name of the experiment, printed in the record and on figures, and of the folder of its record: not a path
seed: root of every random stream
duration: length of the run; 0 ends it one window after the last packet of the traffic
scale: what the rates and times here are of those of the experiment that this scenario stands for; stated on figures,
	without effect on the run
engine: fluid: rates, microseconds a run; packet: every packet; request: every request, a workload of requests
stack: the orchestrator that the policies are in: its values hold for the keys that are not given; see smartinco
	scenario stacks. Without it, those of smartnic hold, which are the defaults
nic: a profile's name, or a mapping that overrides one (key profile)
vnf: the network function that every instance runs
instances: how many instances
nodes: a rack of NICs, each with instances and an orchestrator of its own, behind a dispatcher; without it, one NIC
services: network functions of which requests visit several, one after the other (request engine): chains
scheduler: which instance takes a new flow
autoscaler: how many instances there are
telemetry: how the orchestrator sees the switch
measure: what is measured beside the packets' fates, at a cost
packet: how the packet engine goes about it, without effect on what it finds
workload: the traffic: sources, superposed
faults: what goes wrong, and when
`
}

// Names implements strictyaml.Tabled.
func (Scenario) Names(key string) []string {
	if key == "stack" {
		return stackNames()
	}
	return nil
}

// Unused implements strictyaml.Partial: a scenario without a stack or without services does not say so.
func (s Scenario) Unused(key string) bool {
	return key == "stack" && s.Stack == "" || key == "services" && len(s.Services) == 0
}

// Scale relates a scenario to the experiment that it stands for, where hardware cannot do the same rates or where the
// experiment takes too long.
type Scale struct {
	Rate float64 `yaml:"rate" default:"1" above:"0"`
	Time float64 `yaml:"time" default:"1" above:"0"`
}

// Docs implements strictyaml.Documented.
func (Scale) Docs() string {
	return `
rate: of the rates: 0.001 stands for a thousandth
time: of the times
`
}

// NIC is a device profile: the link, the eSwitch and the ARM cores.
type NIC struct {
	Profile        string      `yaml:"profile" default:"bluefield2"`
	Link           units.BPS   `yaml:"link"`
	FrameOverhead  units.Bytes `yaml:"frame_overhead"`
	ESwitchLimit   units.PPS   `yaml:"eswitch_limit"`
	ESwitchQueue   int         `yaml:"eswitch_queue" min:"0"`
	Rules          int         `yaml:"rules" min:"0"`
	InstallRate    float64     `yaml:"install_rate" min:"0"`
	InstallLatency units.Time  `yaml:"install_latency"`
	SlowPathRate   units.PPS   `yaml:"slowpath_rate"`
	SlowPathQueue  int         `yaml:"slowpath_queue" min:"0"`
	EngineLatency  units.Time  `yaml:"engine_latency"`
	InstanceWatts  float64     `yaml:"instance_watts" default:"0" min:"0"`
	CoreWatts      float64     `yaml:"core_watts" default:"0" min:"0"`
	Cores          int         `yaml:"cores" default:"0" min:"0"`

	Dispatch        string     `yaml:"dispatch" enum:"none|arm|pipeline" default:"none"`
	DispatchRate    float64    `yaml:"dispatch_rate" default:"0" min:"0" max:"1e12"`
	DispatchQueue   int        `yaml:"dispatch_queue" default:"1024" min:"0" max:"16777216"`
	DispatchLatency units.Time `yaml:"dispatch_latency" default:"0s" max:"1s"`
	DispatchPass    units.Time `yaml:"dispatch_pass" default:"0s" max:"1s"`
	DispatchHeld    int        `yaml:"dispatch_held" default:"1048576" min:"0" max:"16777216"`
	InstanceDelay   units.Time `yaml:"instance_delay" default:"0s" max:"1s"`

	requests bool // the scenario has them
	bursts   bool // the scenario decides on them
}

// Unused implements strictyaml.Partial: what draws no power that is known says nothing of it, unless the profile does,
// and where there are neither requests nor bursts, nothing dispatches them.
func (nic NIC) Unused(key string) bool {
	switch key {
	case "dispatch", "dispatch_rate", "dispatch_queue", "dispatch_latency":
		return !nic.requests && !nic.bursts
	case "dispatch_pass", "dispatch_held", "instance_delay":
		return !nic.requests
	}
	profile := builtinNICs()[nic.Profile]
	return key == "instance_watts" && nic.InstanceWatts == 0 && profile.InstanceWatts == 0 ||
		(key == "core_watts" || key == "cores") && nic.CoreWatts == 0 && nic.Cores == 0 &&
			profile.CoreWatts == 0 && profile.Cores == 0
}

// Docs implements strictyaml.Documented.
func (*NIC) Docs() string {
	return `
profile: the profile that the other keys override
link: bit rate of the port; 0 for no limit
frame_overhead: preamble and gap that a frame costs on the link
eswitch_limit: most packets that the eSwitch forwards; 0 for no limit
eswitch_queue: packets that wait for the eSwitch beyond its limit (packet engine)
rules: capacity of the rule table; 0 for no limit
install_rate: rules written a second; 0 for no limit
install_latency: from the write of a rule until packets follow it
slowpath_rate: packets a second that the ARM cores forward; 0 for no limit
slowpath_queue: packets that wait for the ARM cores
engine_latency: container engine: from the request to the start of the work
instance_watts: what an instance draws from its order until it is gone, for the energy of a run; 0 where nobody knows
core_watts: what each of the cores that forward draws, all the time; 0 where nobody knows
cores: how many these are
dispatch: what dispatches requests (request engine), or bursts (scheduler.unit): none: the NIC cannot; arm: its cores;
	pipeline: a programmable pipeline, in which a packet can be sent through again
dispatch_rate: requests or bursts a second that the dispatching stage takes, a further pass counting as one more; 0 for
	no limit
dispatch_queue: requests or bursts that wait for the stage beyond its rate
dispatch_latency: from the stage's decision until the request is on its way, or packets follow it, and as long for a
	probe
dispatch_pass: how much longer that takes with each further pass
dispatch_held: requests that the stage can hold back for a policy
instance_delay: from the NIC to an instance, and from an instance to the NIC
`
}

// VNF is what every instance runs.
type VNF struct {
	Buffer        int           `yaml:"buffer" default:"1024" min:"1" max:"16777216"`
	Service       string        `yaml:"service" enum:"deterministic|exponential|empirical" default:"deterministic"`
	ServiceTimes  []ServiceTime `yaml:"service_times"`
	ServiceFile   string        `yaml:"service_file"`
	PerByte       units.Time    `yaml:"per_byte" default:"0s"`
	Contention    Contention    `yaml:"contention"`
	IdleContend   bool          `yaml:"idle_contend" default:"false"`
	CPU           string        `yaml:"cpu" enum:"useful|polling" default:"useful"`
	Memory        units.Bytes   `yaml:"memory" default:"0B"`
	MemoryPerFlow units.Bytes   `yaml:"memory_per_flow" default:"0B"`
	StartLatency  units.Time    `yaml:"start_latency" default:"600ms" min:"0"`
	StopLatency   units.Time    `yaml:"stop_latency" default:"100ms" min:"0"`
	Queue         string        `yaml:"queue" enum:"fifo|priority" default:"fifo"`
}

// Docs implements strictyaml.Documented.
func (VNF) Docs() string {
	return `
buffer: receive ring: packets in system, the one in service included; with engine: request, requests
service: distribution of the service time of a packet, whose mean is the contention's (packet engine)
service_times: with service: empirical, measured service times; they are scaled to the contention's mean
service_file: with service: empirical, instead of service_times, a CSV file: lines of a time, in ps without a unit, and,
	after a comma, its weight, 1 without one
per_byte: additional service time for each frame byte, whatever the distribution
contention: what an instance can process, by the number that contend
idle_contend: whether instances without flows contend too, as polling ones do
cpu: what an instance reports of its use of a core: useful: the time in which it processes packets; polling: all time,
	as a driver does that polls
memory: what an instance reports of its memory, without flows
memory_per_flow: and as much for each flow that it has
start_latency: from the start of a container until it takes packets
stop_latency: from the order to stop until the container is gone
queue: request engine: what an instance serves next: fifo, the request that came first; priority, the most urgent one,
	and of equals that; a service that has begun is not interrupted
`
}

// Unused implements strictyaml.Partial: what no policy may have asked for says nothing by default.
func (v VNF) Unused(key string) bool {
	return key == "queue" && v.Queue == "fifo" || key == "cpu" && v.CPU == "useful" ||
		key == "memory" && v.Memory == 0 ||
		key == "memory_per_flow" && v.MemoryPerFlow == 0
}

// ServiceTime is one value of an empirical distribution.
type ServiceTime struct {
	Time   units.Time `yaml:"time" required:"true" min:"0" max:"1s"`
	Weight int        `yaml:"weight" default:"1" min:"0" max:"1000000000"`
}

// Docs implements strictyaml.Documented.
func (ServiceTime) Docs() string {
	return `
time: service time of a packet
weight: how often it was seen
`
}

// Contention is the law that gives one instance's capacity when n contend.
type Contention struct {
	Model       string            `yaml:"model" enum:"usl|table|constant" default:"usl"`
	Lambda      units.PPS         `yaml:"lambda" default:"25Mpps"`
	Sigma       float64           `yaml:"sigma" default:"0.38" min:"0"`
	Kappa       float64           `yaml:"kappa" default:"0.019" min:"0"`
	Points      map[int]units.PPS `yaml:"points"`
	Rate        units.PPS         `yaml:"rate"`
	ServiceTime units.Time        `yaml:"service_time"`
	Share       string            `yaml:"share" enum:"reserved|pooled" default:"reserved"`
}

// Docs implements strictyaml.Documented.
func (Contention) Docs() string {
	return `
model: usl: Universal Scalability Law; table: measured points, interpolated; constant
lambda: usl: what one instance alone processes
sigma: usl: contention
kappa: usl: coherency
points: table: capacity of each of n instances, by n
rate: constant: capacity of each instance
service_time: constant: time a packet, instead of rate
share: reserved: each can process what the law says; pooled: what one leaves unused is there for the others, up to what
	one alone can process
`
}

// Instances bounds the number of instances, and says in what they differ.
type Instances struct {
	Initial   int        `yaml:"initial" default:"3" min:"0"`
	Min       int        `yaml:"min" default:"3" min:"0"`
	Max       int        `yaml:"max" default:"8" min:"1" max:"65536"`
	Weights   []int      `yaml:"weights"`
	MaxConn   []int      `yaml:"maxconn"`
	MinConn   []int      `yaml:"minconn"`
	FullConn  int        `yaml:"fullconn" default:"0" min:"0" max:"2147483647"`
	SlowStart units.Time `yaml:"slow_start" default:"0s"`

	Speed []float64    `yaml:"speed"`
	Delay []units.Time `yaml:"delay"`
}

// Docs implements strictyaml.Documented.
func (Instances) Docs() string {
	return `
initial: ready when the run begins
min: least
max: most
weights: how much of the flows each instance is to have beside the others, 0 to 65535, for policies with weights: a
	list in order of creation, whose last value holds for all later instances; without it, all have 1
maxconn: most flows that each instance is to have at once, for policies with such a limit: a list as above; 0, and no
	list, for no limit
minconn: to how many maxconn falls for an instance when there are few flows, for policies with such a limit: a list as
	above; 0, and no list, for not at all
fullconn: with how many flows of all instances, those that wait included, maxconn holds in full, with minconn; 0 for
	always
slow_start: how long an instance that comes has less than its weight, for policies with such a time; 0s for not at all
speed: engine: request: how fast each instance is, 0.001 to 1000, a list as above: a request takes its service time over
	this; without it, all have 1
delay: engine: request: the way from the NIC to each instance, and back, in the place of nic.instance_delay: a list as
	above
`
}

// SpeedOf is the speed of an instance, whose number is 1 or more.
func (in *Instances) SpeedOf(number int) float64 { return ofInstance(in.Speed, number, 1) }

// DelayOf is the way to an instance, and back, where Delay has any.
func (in *Instances) DelayOf(number int) units.Time { return ofInstance(in.Delay, number, 0) }

// ofInstance is the value of an instance in a list whose last value holds for all later ones.
func ofInstance[T any](list []T, number int, without T) T {
	if len(list) == 0 {
		return without
	}
	return list[min(number, len(list))-1]
}

// Unused implements strictyaml.Partial: what is not given says nothing.
func (in Instances) Unused(key string) bool {
	switch key {
	case "weights":
		return len(in.Weights) == 0
	case "maxconn":
		return len(in.MaxConn) == 0
	case "minconn":
		return len(in.MinConn) == 0
	case "fullconn":
		return in.FullConn == 0
	case "slow_start":
		return in.SlowStart == 0
	case "speed":
		return len(in.Speed) == 0
	case "delay":
		return len(in.Delay) == 0
	}
	return false
}

// Telemetry is the metrics collector's view.
type Telemetry struct {
	Window units.Time `yaml:"window" default:"1s" above:"0"`
	Delay  units.Time `yaml:"delay" default:"0s"`

	ReportPeriod units.Time `yaml:"report_period" default:"0s" min:"0"`
	ReportDelay  units.Time `yaml:"report_delay" default:"0s" min:"0"`

	stacked bool // the scenario names a stack
}

// Docs implements strictyaml.Documented.
func (Telemetry) Docs() string {
	return `
window: time between two readings of the counters
delay: age of the counters when they arrive
report_period: time between two reports of an agent on the instances, for policies that go by those; 0s for the window
report_delay: age of the reports when they arrive
`
}

// Unused implements strictyaml.Partial: what is not given says nothing, unless a stack would give it.
func (t Telemetry) Unused(key string) bool {
	return !t.stacked && (key == "report_period" && t.ReportPeriod == 0 || key == "report_delay" && t.ReportDelay == 0)
}

// Measure is what the record holds on request.
type Measure struct {
	Delay string `yaml:"delay" enum:"none|instances|flows" default:"none"`
	Flows bool   `yaml:"flows" default:"true"`

	MaxLoss float64    `yaml:"max_loss" default:"0.01" min:"0" max:"1"`
	MaxWait units.Time `yaml:"max_wait" default:"0s" min:"0"`
}

// Unused implements strictyaml.Partial: objectives that are not given have their defaults and are not said.
func (m Measure) Unused(key string) bool {
	return key == "max_loss" && m.MaxLoss == 0.01 || key == "max_wait" && m.MaxWait == 0
}

// Docs implements strictyaml.Documented.
func (Measure) Docs() string {
	return `
delay: delays of packets: wait, sojourn and end-to-end (packet engine). none; instances: of the run and each instance;
	flows: of each flow too, some kilobytes a flow, and all packets are stepped
flows: what becomes of each flow's packets. false lets the packet engine jump over an instance's saturation, where it
	can: the record then has no processed, dropped and queued of a flow
max_loss: objective: the share of lost packets beyond which a window or a flow violates it
max_wait: objective: the wait at an instance beyond which a packet violates it, where delays are measured; 0s for none
`
}

// Packet is how the packet engine goes about a run.
type Packet struct {
	Jump bool `yaml:"jump" default:"true"`
}

// Docs implements strictyaml.Documented.
func (Packet) Docs() string {
	return `
jump: count packets instead of stepping them where that comes out the same. false steps every one, to convince oneself:
	the record is the same, but for its notes on how packets were simulated
`
}

// Source is one source of traffic: exactly one of its kinds is set.
type Source struct {
	CBR     *CBR       `yaml:"cbr"`
	Flows   []OneFlow  `yaml:"flows"`
	PCAP    *Trace     `yaml:"pcap"`
	Zeek    *Trace     `yaml:"zeek"`
	Records *Trace     `yaml:"records"`
	Load    *LoadCurve `yaml:"load"`
	Model   *Model     `yaml:"model"`

	Services   *Services   `yaml:"services"`
	Diurnal    *Diurnal    `yaml:"diurnal"`
	FlashCrowd *FlashCrowd `yaml:"flash_crowd"`

	Microbursts *Microbursts `yaml:"microbursts"`
	Churn       *Churn       `yaml:"churn"`
	SYNFlood    *SYNFlood    `yaml:"syn_flood"`

	Requests *Requests `yaml:"requests"`

	FrameSizes string `yaml:"frame_sizes"`
	Tenant     string `yaml:"tenant"`
}

// Docs implements strictyaml.Documented.
func (Source) Docs() string {
	return `
cbr: a staircase of equal constant-rate flows (thesis 4.2)
flows: flows of a constant rate, one by one
pcap: a packet capture: pcap or pcapng, gzip or not
zeek: a Zeek connection log, gzip or not
records: flow records: a Zeek connection log, or the CSV of nfdump, CICFlowMeter or smartinco, gzip or not
load: a load curve in CSV, gzip or not
model: a flow model: flows drawn from a distribution
services: load curves of many services in CSV, gzip or not: a row for a service and a time, or the invocations of Azure
	Functions of 2019 or 2021
diurnal: a load that rises and falls as a cosine
flash_crowd: a load that rises to many times what it was, and falls back
microbursts: a load with short bursts
churn: a constant load of flows that come and go
syn_flood: flows of one packet each, from ever new sources
requests: requests, each served by an instance by itself (request engine)
frame_sizes: instead of packet_size, the sizes of a flow's frames, in turn, in the notation of RFC 6985: such as aaafg, or
	AAAGG A=90 G=1400 with letters of one's own, or 7aB B=594; imix: 7 of 64 B, 4 of 594 B and 1 of 1518 B
tenant: whose flows these are, for policies that share between tenants; without a name, those of a tenant of all others
`
}

// Unused implements strictyaml.Partial.
func (s Source) Unused(key string) bool {
	return key == "tenant" && s.Tenant == "" || key == "frame_sizes" && s.FrameSizes == ""
}

// OneOf implements strictyaml.OneOf.
func (Source) OneOf() {}

// CBR is a staircase: flow i starts at start + i*interval and lasts until the run ends.
type CBR struct {
	Flows      int         `yaml:"flows" required:"true" min:"1" max:"10000000"`
	Interval   units.Time  `yaml:"interval" default:"0s" min:"0"`
	Start      units.Time  `yaml:"start" default:"0s" min:"0"`
	Total      units.BPS   `yaml:"total"`
	Rate       units.PPS   `yaml:"rate"`
	Zipf       float64     `yaml:"zipf" default:"0" min:"0" max:"10"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
	Arrivals   string      `yaml:"arrivals" enum:"constant|poisson|on-off" default:"constant"`
	On         units.Time  `yaml:"on_time" default:"1ms" above:"0" max:"1h"`
	Off        units.Time  `yaml:"off_time" default:"1ms" above:"0" max:"1h"`
}

// Unused implements strictyaml.Partial: equal flows do not say so.
func (c CBR) Unused(key string) bool { return key == "zipf" && c.Zipf == 0 }

// Docs implements strictyaml.Documented.
func (CBR) Docs() string {
	return `
flows: number of flows
interval: time between the starts of two flows
start: start of the first flow
total: bit rate of all flows together on the link, frame overhead included; or give rate
rate: packet rate of each flow; or give total
zipf: flow i has a share of the flows' rate together in proportion to 1/i to this power, rate being the mean; 0 for
	equal shares
packet_size: frame size
arrivals: how packets come, at this rate in the mean: constant, evenly spaced; poisson; on-off, evenly spaced in
	exponential bursts between which there are none (packet engine; the fluid engine takes the mean)
on_time: on-off: mean length of a burst
off_time: on-off: mean length of the silence between two bursts
`
}

// OneFlow is a single flow of a constant rate, or of a constant mean rate.
type OneFlow struct {
	Period     units.Time  `yaml:"period"`
	Rate       units.PPS   `yaml:"rate"`
	Phase      units.Time  `yaml:"phase" default:"0s" min:"0"`
	End        units.Time  `yaml:"end" default:"0s" min:"0"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
	Arrivals   string      `yaml:"arrivals" enum:"constant|poisson|on-off" default:"constant"`
	On         units.Time  `yaml:"on_time" default:"1ms" above:"0" max:"1h"`
	Off        units.Time  `yaml:"off_time" default:"1ms" above:"0" max:"1h"`
}

// Docs implements strictyaml.Documented.
func (OneFlow) Docs() string {
	return `
period: time between two packets; or give rate
rate: packets a second; or give period
phase: time of the first packet, or with arrivals at random when the flow begins
end: no packet from then on; 0 for the end of the run
packet_size: frame size
arrivals: how packets come, at this rate in the mean: constant, evenly spaced; poisson; on-off, evenly spaced in
	exponential bursts between which there are none (packet engine; the fluid engine takes the mean)
on_time: on-off: mean length of a burst
off_time: on-off: mean length of the silence between two bursts
`
}

// Trace is a file of recorded traffic and what is done to it.
type Trace struct {
	File       string      `yaml:"file" required:"true"`
	Speedup    float64     `yaml:"speedup" default:"1" above:"0"`
	Copies     int         `yaml:"copies" default:"1" min:"1" max:"1000000"`
	From       units.Time  `yaml:"from" default:"0s" min:"0"`
	To         units.Time  `yaml:"to" default:"0s" min:"0"`
	Resolution units.Time  `yaml:"resolution" default:"100ms" above:"0" max:"1h"`
	Timeout    units.Time  `yaml:"timeout" default:"60s" min:"0"`
	MTU        units.Bytes `yaml:"mtu" default:"0B" max:"65535B"`
	Tunnel     string      `yaml:"tunnel" enum:"none|inner" default:"none"`
}

// Docs implements strictyaml.Documented.
func (Trace) Docs() string {
	return `
file: path, relative to the scenario's file
speedup: divides all times
copies: superposed copies with shifted addresses, each starting at a random phase
from: cut: leave out what is earlier in the trace
to: cut: leave out what is not earlier than this in the trace; 0 for its end
resolution: span over which a flow's packets are averaged to a rate (fluid engine)
timeout: silence after which the same five-tuple is a new flow; 0 for never
mtu: pcap: IP packets that are longer are split into such as a NIC would have sent, 576B to 65535B; 0 leaves them whole
tunnel: pcap: whose addresses make the flow of a packet in a VXLAN or GTP-U tunnel; none: the tunnel's, inner: those
	inside
`
}

// LoadCurve is a load curve: a column of a CSV file as a packet rate over time, spread over flows.
type LoadCurve struct {
	File       string      `yaml:"file" required:"true"`
	Column     string      `yaml:"column" required:"true"`
	Time       string      `yaml:"time"`
	Step       units.Time  `yaml:"step" default:"1s" above:"0" max:"2400h"`
	Scale      float64     `yaml:"scale" default:"1" above:"0"`
	Speedup    float64     `yaml:"speedup" default:"1" above:"0"`
	Flows      int         `yaml:"flows" default:"1" min:"1" max:"10000000"`
	Lifetime   units.Time  `yaml:"lifetime" default:"0s"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
	From       units.Time  `yaml:"from" default:"0s" min:"0"`
	To         units.Time  `yaml:"to" default:"0s" min:"0"`
}

// Unused implements strictyaml.Partial: flows without a lifetime do not say so.
func (l LoadCurve) Unused(key string) bool { return key == "lifetime" && l.Lifetime == 0 }

// Docs implements strictyaml.Documented.
func (LoadCurve) Docs() string {
	return `
file: path, relative to the scenario's file
column: name of the column with the load
time: name of the column with the time; without it, rows are step apart
step: time between rows
scale: packets a second for one unit of the column
speedup: divides all times
flows: equal flows that carry the load at once
lifetime: how long a flow lasts before another takes its place, so that instances that come later get some; 0s for as
	long as the load
packet_size: frame size
from: cut: leave out what is earlier
to: cut: leave out what is not earlier than this; 0 for the end
`
}
