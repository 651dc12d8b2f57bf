package scenarios

import (
	"context"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// Scenario is one experiment. The field tags are the single source of the strict decoder, the JSON Schema and the
// reference in docs: yaml names the key, doc explains it, default and enum say what they say, min and max bound it,
// required marks a key that has no default.
type Scenario struct {
	Name       string             `yaml:"name" doc:"name of the experiment, printed in the record and on figures, and of the folder of its record: not a path" default:"unnamed"`
	Seed       uint64             `yaml:"seed" doc:"root of every random stream" default:"1"`
	Duration   units.Time         `yaml:"duration" doc:"length of the run; 0 ends it one window after the last packet of the traffic" default:"0s" min:"0"`
	Scale      Scale              `yaml:"scale" doc:"what the rates and times here are of those of the experiment that this scenario stands for; stated on figures, without effect on the run"`
	Engine     string             `yaml:"engine" doc:"fluid: rates, microseconds a run; packet: every packet" enum:"fluid|packet" default:"fluid"`
	NIC        NIC                `yaml:"nic" doc:"a profile's name, or a mapping that overrides one (key profile)" default:"bluefield2"`
	VNF        VNF                `yaml:"vnf" doc:"the network function that every instance runs"`
	Instances  Instances          `yaml:"instances" doc:"how many instances"`
	Scheduler  scheduler.Options  `yaml:"scheduler" doc:"which instance takes a new flow"`
	Autoscaler autoscaler.Options `yaml:"autoscaler" doc:"how many instances there are"`
	Telemetry  Telemetry          `yaml:"telemetry" doc:"how the orchestrator sees the switch"`
	Measure    Measure            `yaml:"measure" doc:"what is measured beside the packets' fates, at a cost"`
	Workload   []Source           `yaml:"workload" doc:"the traffic: sources, superposed" required:"true"`
	Faults     []Fault            `yaml:"faults" doc:"what goes wrong, and when"`

	dir string          // of the scenario's file, for the paths in it
	ctx context.Context // ends the making of traffic; nil never
}

// Scale relates a scenario to the experiment that it stands for, where hardware cannot do the same rates, or in less time.
type Scale struct {
	Rate float64 `yaml:"rate" doc:"of the rates: 0.001 stands for a thousandth" default:"1" above:"0"`
	Time float64 `yaml:"time" doc:"of the times" default:"1" above:"0"`
}

// NIC is a device profile: the link, the eSwitch and the ARM cores.
type NIC struct {
	Profile        string      `yaml:"profile" doc:"the profile that the other keys override" default:"bluefield2"`
	Link           units.BPS   `yaml:"link" doc:"bit rate of the port; 0 for no limit"`
	FrameOverhead  units.Bytes `yaml:"frame_overhead" doc:"preamble and gap that a frame costs on the link"`
	ESwitchLimit   units.PPS   `yaml:"eswitch_limit" doc:"most packets that the eSwitch forwards; 0 for no limit"`
	ESwitchQueue   int         `yaml:"eswitch_queue" doc:"packets that wait for the eSwitch beyond its limit (packet engine)" min:"0"`
	Rules          int         `yaml:"rules" doc:"capacity of the rule table; 0 for no limit" min:"0"`
	InstallRate    float64     `yaml:"install_rate" doc:"rules written a second; 0 for no limit" min:"0"`
	InstallLatency units.Time  `yaml:"install_latency" doc:"from the write of a rule until packets follow it"`
	SlowPathRate   units.PPS   `yaml:"slowpath_rate" doc:"packets a second that the ARM cores forward; 0 for no limit"`
	SlowPathQueue  int         `yaml:"slowpath_queue" doc:"packets that wait for the ARM cores" min:"0"`
	EngineLatency  units.Time  `yaml:"engine_latency" doc:"container engine: from the request to the start of the work"`
}

// VNF is what every instance runs.
type VNF struct {
	Buffer       int           `yaml:"buffer" doc:"receive ring: packets in system, the one in service included" default:"1024" min:"1" max:"16777216"`
	Service      string        `yaml:"service" doc:"distribution of the service time of a packet, whose mean is the contention's (packet engine)" enum:"deterministic|exponential|empirical" default:"deterministic"`
	ServiceTimes []ServiceTime `yaml:"service_times" doc:"with service: empirical, measured service times; they are scaled to the contention's mean"`
	ServiceFile  string        `yaml:"service_file" doc:"with service: empirical, instead of service_times, a CSV file: lines of a time, in ps without a unit, and, after a comma, its weight, 1 without one"`
	PerByte      units.Time    `yaml:"per_byte" doc:"additional service time for each frame byte, whatever the distribution" default:"0s"`
	Contention   Contention    `yaml:"contention" doc:"what an instance can process, by the number that contend"`
	IdleContend  bool          `yaml:"idle_contend" doc:"whether instances without flows contend too, as polling ones do" default:"false"`
	StartLatency units.Time    `yaml:"start_latency" doc:"from the start of a container until it takes packets" default:"600ms" min:"0"`
	StopLatency  units.Time    `yaml:"stop_latency" doc:"from the order to stop until the container is gone" default:"100ms" min:"0"`
}

// ServiceTime is one value of an empirical distribution.
type ServiceTime struct {
	Time   units.Time `yaml:"time" doc:"service time of a packet" required:"true" min:"0" max:"1s"`
	Weight int        `yaml:"weight" doc:"how often it was seen" default:"1" min:"0" max:"1000000000"`
}

// Contention is the law that gives one instance's capacity when n contend.
type Contention struct {
	Model       string            `yaml:"model" doc:"usl: Universal Scalability Law; table: measured points, interpolated; constant" enum:"usl|table|constant" default:"usl"`
	Lambda      units.PPS         `yaml:"lambda" doc:"usl: what one instance alone processes" default:"25Mpps"`
	Sigma       float64           `yaml:"sigma" doc:"usl: contention" default:"0.38" min:"0"`
	Kappa       float64           `yaml:"kappa" doc:"usl: coherency" default:"0.019" min:"0"`
	Points      map[int]units.PPS `yaml:"points" doc:"table: capacity of each of n instances, by n"`
	Rate        units.PPS         `yaml:"rate" doc:"constant: capacity of each instance"`
	ServiceTime units.Time        `yaml:"service_time" doc:"constant: time a packet, instead of rate"`
}

// Instances bounds the number of instances.
type Instances struct {
	Initial int `yaml:"initial" doc:"ready when the run begins" default:"3" min:"0"`
	Min     int `yaml:"min" doc:"least" default:"3" min:"0"`
	Max     int `yaml:"max" doc:"most" default:"8" min:"1" max:"65536"`
}

// Telemetry is the metrics collector's view.
type Telemetry struct {
	Window units.Time `yaml:"window" doc:"time between two readings of the counters" default:"1s" above:"0"`
	Delay  units.Time `yaml:"delay" doc:"age of the counters when they arrive" default:"0s"`
}

// Measure is what the record holds on request.
type Measure struct {
	Delay string `yaml:"delay" doc:"delays of packets: wait, sojourn and end-to-end (packet engine). none; instances: of the run and each instance; flows: of each flow too, some kilobytes a flow. Packets are then stepped, never jumped over" enum:"none|instances|flows" default:"none"`
	Flows bool   `yaml:"flows" doc:"what becomes of each flow's packets. false lets the packet engine jump over an instance's saturation, where it can: the record then has no processed, dropped and queued of a flow" default:"true"`
}

// Source is one source of traffic: exactly one key is set.
type Source struct {
	CBR     *CBR       `yaml:"cbr" doc:"a staircase of equal constant-rate flows (thesis 4.2)"`
	Flows   []OneFlow  `yaml:"flows" doc:"flows of a constant rate, one by one"`
	PCAP    *Trace     `yaml:"pcap" doc:"a packet capture: pcap or pcapng, gzip or not"`
	Zeek    *Trace     `yaml:"zeek" doc:"a Zeek connection log, gzip or not"`
	Records *Trace     `yaml:"records" doc:"flow records: a Zeek connection log, or the CSV of nfdump, CICFlowMeter or smartinco, gzip or not"`
	Load    *LoadCurve `yaml:"load" doc:"a load curve in CSV, gzip or not"`
	Model   *Model     `yaml:"model" doc:"a flow model: flows drawn from a distribution"`
}

// OneOf has the decoder hold that.
func (Source) OneOf() {}

// CBR is a staircase: flow i starts at start + i*interval and lasts until the run ends.
type CBR struct {
	Flows      int         `yaml:"flows" doc:"number of flows" required:"true" min:"1" max:"10000000"`
	Interval   units.Time  `yaml:"interval" doc:"time between the starts of two flows" default:"0s" min:"0"`
	Start      units.Time  `yaml:"start" doc:"start of the first flow" default:"0s" min:"0"`
	Total      units.BPS   `yaml:"total" doc:"bit rate of all flows together on the link, frame overhead included; or give rate"`
	Rate       units.PPS   `yaml:"rate" doc:"packet rate of each flow; or give total"`
	PacketSize units.Bytes `yaml:"packet_size" doc:"frame size" default:"64B" min:"1B" max:"65535B"`
	Arrivals   string      `yaml:"arrivals" doc:"how packets come, at this rate in the mean: constant, evenly spaced; poisson; on-off, evenly spaced in exponential bursts between which there are none (packet engine; the fluid engine takes the mean)" enum:"constant|poisson|on-off" default:"constant"`
	On         units.Time  `yaml:"on_time" doc:"on-off: mean length of a burst" default:"1ms" above:"0" max:"1h"`
	Off        units.Time  `yaml:"off_time" doc:"on-off: mean length of the silence between two bursts" default:"1ms" above:"0" max:"1h"`
}

// OneFlow is a single flow of a constant rate, or of a constant mean rate.
type OneFlow struct {
	Period     units.Time  `yaml:"period" doc:"time between two packets; or give rate"`
	Rate       units.PPS   `yaml:"rate" doc:"packets a second; or give period"`
	Phase      units.Time  `yaml:"phase" doc:"time of the first packet, or with arrivals at random when the flow begins" default:"0s" min:"0"`
	End        units.Time  `yaml:"end" doc:"no packet from then on; 0 for the end of the run" default:"0s" min:"0"`
	PacketSize units.Bytes `yaml:"packet_size" doc:"frame size" default:"64B" min:"1B" max:"65535B"`
	Arrivals   string      `yaml:"arrivals" doc:"how packets come, at this rate in the mean: constant, evenly spaced; poisson; on-off, evenly spaced in exponential bursts between which there are none (packet engine; the fluid engine takes the mean)" enum:"constant|poisson|on-off" default:"constant"`
	On         units.Time  `yaml:"on_time" doc:"on-off: mean length of a burst" default:"1ms" above:"0" max:"1h"`
	Off        units.Time  `yaml:"off_time" doc:"on-off: mean length of the silence between two bursts" default:"1ms" above:"0" max:"1h"`
}

// Trace is a file of recorded traffic and what is done to it.
type Trace struct {
	File       string      `yaml:"file" doc:"path, relative to the scenario's file" required:"true"`
	Speedup    float64     `yaml:"speedup" doc:"divides all times" default:"1" above:"0"`
	Copies     int         `yaml:"copies" doc:"superposed copies with shifted addresses, each starting at a random phase" default:"1" min:"1" max:"1000000"`
	From       units.Time  `yaml:"from" doc:"cut: leave out what is earlier in the trace" default:"0s" min:"0"`
	To         units.Time  `yaml:"to" doc:"cut: leave out what is not earlier than this in the trace; 0 for its end" default:"0s" min:"0"`
	Resolution units.Time  `yaml:"resolution" doc:"span over which a flow's packets are averaged to a rate (fluid engine)" default:"100ms" above:"0" max:"1h"`
	Timeout    units.Time  `yaml:"timeout" doc:"silence after which the same five-tuple is a new flow; 0 for never" default:"60s" min:"0"`
	MTU        units.Bytes `yaml:"mtu" doc:"pcap: IP packets that are longer are split into such as a NIC would have sent, 576B to 65535B; 0 leaves them whole" default:"0B" max:"65535B"`
	Tunnel     string      `yaml:"tunnel" doc:"pcap: whose addresses make the flow of a packet in a VXLAN or GTP-U tunnel; none: the tunnel's, inner: those inside" enum:"none|inner" default:"none"`
}

// LoadCurve is a load curve: a column of a CSV file as a packet rate over time, spread over flows.
type LoadCurve struct {
	File       string      `yaml:"file" doc:"path, relative to the scenario's file" required:"true"`
	Column     string      `yaml:"column" doc:"name of the column with the load" required:"true"`
	Time       string      `yaml:"time" doc:"name of the column with the time; without it, rows are step apart"`
	Step       units.Time  `yaml:"step" doc:"time between rows" default:"1s" above:"0" max:"2400h"`
	Scale      float64     `yaml:"scale" doc:"packets a second for one unit of the column" default:"1" above:"0"`
	Speedup    float64     `yaml:"speedup" doc:"divides all times" default:"1" above:"0"`
	Flows      int         `yaml:"flows" doc:"equal flows that carry the load" default:"1" min:"1" max:"10000000"`
	PacketSize units.Bytes `yaml:"packet_size" doc:"frame size" default:"64B" min:"1B" max:"65535B"`
	From       units.Time  `yaml:"from" doc:"cut: leave out what is earlier" default:"0s" min:"0"`
	To         units.Time  `yaml:"to" doc:"cut: leave out what is not earlier than this; 0 for the end" default:"0s" min:"0"`
}

// Fault is something that goes wrong at a time, for a duration.
type Fault struct {
	Kind     string     `yaml:"kind" doc:"instance-death: an instance dies; engine-stall: the container engine answers nothing; engine-failure: creations fail; counters-stall: counters keep their values; rule-reject: rules are refused; link-down: nothing arrives" enum:"instance-death|engine-stall|engine-failure|counters-stall|rule-reject|link-down" required:"true"`
	At       units.Time `yaml:"at" doc:"when it begins" required:"true" min:"0"`
	For      units.Time `yaml:"for" doc:"how long it lasts; 0 for the rest of the run; an instance's death is for good" default:"0s" min:"0"`
	Instance int        `yaml:"instance" doc:"instance-death: its number" default:"1" min:"1"`
}
