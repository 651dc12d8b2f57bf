package scenarios

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Path makes a path of the scenario relative to the directory of its file.
func (s *Scenario) Path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// File is a file that a scenario names.
type File struct {
	Key  string // of the scenario, such as workload.0.pcap.file
	Name string // as the scenario says it
	Path string
}

// Files lists the files that the scenario names, in the order of the sources. The captures of a TRex profile are not
// among them: they are named by the profile; see traces.MixFiles.
func (s *Scenario) Files() (named []File) {
	add := func(key, name string) {
		if name != "" {
			named = append(named, File{key, name, s.Path(name)})
		}
	}
	add("vnf.service_file", s.VNF.ServiceFile)
	for i := range s.Workload {
		src, key := &s.Workload[i], fmt.Sprintf("workload.%d.", i)
		for _, r := range src.recordings() {
			if r.Trace != nil {
				add(key+r.key+".file", r.File)
			}
		}
		if src.Load != nil {
			add(key+"load.file", src.Load.File)
		}
		if src.Services != nil {
			add(key+"services.file", src.Services.File)
		}
		if r := src.Requests; r != nil {
			add(key+"requests.file", r.File)
			for j := range r.Classes {
				of := fmt.Sprintf("%srequests.classes.%d.", key, j)
				add(of+"service_file", r.Classes[j].ServiceFile)
				for k := range r.Classes[j].Path {
					add(fmt.Sprintf("%spath.%d.service_file", of, k), r.Classes[j].Path[k].ServiceFile)
				}
			}
		}
		if m := src.Model; m != nil {
			add(key+"model.file", m.File)
			add(key+"model.series", m.Series)
		}
	}
	return named
}

// recording is a source that is a file of recorded traffic.
type recording struct {
	key    string
	*Trace // nil if it is not this one
}

func (s *Source) recordings() []recording {
	return []recording{{"pcap", s.PCAP}, {"zeek", s.Zeek}, {"records", s.Records}}
}

// CheckFiles reports which of the files that the scenario names cannot be read by a run: those that cannot be opened,
// and those that are no files. It does not look into them.
func (s *Scenario) CheckFiles() error {
	var errs []error
	for _, n := range s.Files() {
		f, _, err := traces.OpenFile(n.Path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.Key, err))
			continue
		}
		f.Close()
	}
	return errors.Join(errs...)
}

// Traffic composes the sources. A source without an end of its own lasts for the scenario's duration. Where that is 0,
// the source is an error, which is ErrInvalid and names duration. Other errors are those of the files that the sources
// name.
func (s *Scenario) Traffic() (*traces.Workload, error) {
	var ws []*traces.Workload
	synthetic := 0 // flows so far, for addresses that no two sources share
	for i := range s.Workload {
		if s.ctx != nil && s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		w, n, err := s.source(&s.Workload[i], i, synthetic)
		if err == nil {
			err = s.Workload[i].resize(w)
		}
		if err != nil {
			return nil, fmt.Errorf("workload.%d: %w", i, err)
		}
		synthetic += n
		if tenant := s.Workload[i].Tenant; tenant != "" {
			w.Tenants = slices.Repeat([]string{tenant}, len(w.Flows))
		}
		ws = append(ws, w)
	}
	return traces.Merge(ws...), nil
}

// End is when a run with this traffic ends, in either plant: at the scenario's duration or, where it has none, one
// window after the last packet.
func (s *Scenario) End(w *traces.Workload) units.Time {
	if s.Duration > 0 {
		return s.Duration
	}
	return w.End() + s.Telemetry.Window
}

// TrafficContext is Traffic, but stops with the error of ctx when ctx ends.
func (s *Scenario) TrafficContext(ctx context.Context) (*traces.Workload, error) {
	until := *s
	until.ctx = ctx
	return until.Traffic()
}

// StreamContext is Stream until ctx ends, as TrafficContext is Traffic.
func (s *Scenario) StreamContext(ctx context.Context) (*traces.Stream, error) {
	until := *s
	until.ctx = ctx
	return until.Stream()
}

// CheckTraffic reports what Traffic would refuse before it reads a file: a source without an end, and arrivals that do
// not fit a rate. It makes no packets and costs little, however many flows there are.
func (s *Scenario) CheckTraffic() error {
	var errs []error
	for i := range s.Workload {
		src := &s.Workload[i]
		var err error
		switch {
		case src.CBR != nil:
			_, err = s.staircase(src.CBR, i)
		case src.Flows != nil:
			for j := 0; j < len(src.Flows) && err == nil; j++ {
				_, err = s.constant(&src.Flows[j], i, j)
			}
		case src.Model != nil && src.Model.Arrivals != "series" && src.Model.Until == 0 && s.Duration == 0:
			err = s.endless("model")
		case src.pattern():
			_, err = s.patterned(src, i)
		default:
			_, _, err = s.shaped(src, i)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("workload.%d: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

// Stream plays the workload up to the scenario's duration, if it has one. A single model is never held in memory. The
// packets of a TRex mix have their own times, to a microsecond, and sizes, whatever its resolution. Recordings are
// refused: their packets are in their files.
func (s *Scenario) Stream() (*traces.Stream, error) {
	for i := range s.Workload {
		for _, r := range s.Workload[i].recordings() {
			if r.Trace != nil {
				return nil, &Error{File: s.Name, Key: fmt.Sprintf("workload.%d.%s", i, r.key),
					Found:    "a recording",
					Expected: "traffic from rules or models; smartinco trace convert writes recordings"}
			}
		}
	}
	if len(s.Workload) == 1 && s.Workload[0].Model != nil {
		m := *s.Workload[0].Model
		m.Resolution = units.Microsecond
		sessions, o, err := s.sessions(&m, 0, 0)
		if err != nil {
			return nil, fmt.Errorf("workload.0: %w", err)
		}
		return traces.Generated(sessions, o, s.Duration)
	}
	w, err := s.Traffic()
	if err != nil {
		return nil, err
	}
	stream := w.Stream()
	stream.End = s.Duration
	return stream, nil
}

// source reads one source and returns for how many synthetic flows it has taken addresses.
func (s *Scenario) source(src *Source, i, offset int) (*traces.Workload, int, error) {
	switch {
	case src.CBR != nil:
		o, err := s.staircase(src.CBR, i)
		if err != nil {
			return nil, 0, err
		}
		o.Offset = offset
		return traces.Staircase(o), o.Flows, nil
	case src.Flows != nil:
		var ws []*traces.Workload
		for j := range src.Flows {
			o, err := s.constant(&src.Flows[j], i, j)
			if err != nil {
				return nil, 0, err
			}
			o.Offset = offset + j
			ws = append(ws, traces.Constant(o))
		}
		return traces.Merge(ws...), len(src.Flows), nil
	case src.PCAP != nil:
		o := s.options(src.PCAP, i)
		o.Packets = s.Engine == "packet"
		w, err := traces.ReadCapture(s.Path(src.PCAP.File), o)
		return w, 0, err
	case src.Zeek != nil:
		w, err := traces.ReadZeek(s.Path(src.Zeek.File), s.options(src.Zeek, i))
		return w, 0, err
	case src.Records != nil:
		w, err := traces.ReadFlowLog(s.Path(src.Records.File), s.options(src.Records, i))
		return w, 0, err
	case src.Load != nil:
		l := src.Load
		w, err := traces.ReadLoad(s.Path(l.File), traces.LoadOptions{
			Column: l.Column, Time: l.Time, Step: l.Step, Scale: l.Scale, Speedup: l.Speedup, Flows: l.Flows,
			Lifetime: l.Lifetime, Size: src.frame(l.PacketSize), From: l.From, To: l.To, Offset: offset,
			Context: s.ctx})
		if err != nil {
			return nil, 0, err
		}
		return w, len(w.Flows), nil
	case src.Model != nil:
		return s.modelTraffic(src.Model, i, offset)
	case src.Services != nil:
		return s.services(src, offset)
	case src.Requests != nil:
		return nil, 0, &Error{File: s.Name, Key: fmt.Sprintf("workload.%d.requests", i), Found: "requests",
			Expected: "a source of packets: only engine: request has requests"}
	case src.pattern():
		traffic, err := s.patterned(src, i)
		if err != nil {
			return nil, 0, err
		}
		w, err := traffic(offset)
		if err != nil || src.SYNFlood != nil {
			return w, 0, err
		}
		return w, len(w.Flows), nil
	case src.Diurnal != nil || src.FlashCrowd != nil:
		shape, o, err := s.shaped(src, i)
		if err != nil {
			return nil, 0, err
		}
		o.Offset = offset
		w, err := traces.Shaped(shape, o)
		if err != nil {
			return nil, 0, err
		}
		return w, len(w.Flows), nil
	}
	return nil, 0, &Error{File: s.Name, Key: "workload", Found: "a source without a kind",
		Expected: "one of " + strings.Join(strictyaml.Keys(src), ", ")}
}

// staircase is what source i asks of the traffic, without the addresses' offset.
func (s *Scenario) staircase(c *CBR, i int) (o traces.StaircaseOptions, err error) {
	if s.Duration == 0 {
		return o, s.endless("cbr")
	}
	key, size := fmt.Sprintf("workload.%d.cbr", i), s.Workload[i].frame(c.PacketSize)
	rate, under, found := float64(c.Rate), key+".rate", c.Rate.String()
	if c.Total != 0 {
		rate = float64(c.Total) / ((size + float64(s.NIC.FrameOverhead)) * 8) / float64(c.Flows)
		under, found = key+".total", fmt.Sprintf("%v, for each of %d flows %v", c.Total, c.Flows, units.PPS(rate))
	}
	p := traces.Process{Kind: c.Arrivals, On: c.On, Off: c.Off, Seed: s.streamSeed(i)}
	o = traces.StaircaseOptions{Flows: c.Flows, Start: c.Start, Interval: c.Interval, End: s.Duration,
		Rate: rate, Zipf: c.Zipf, Size: size, Process: p}
	for _, rate := range o.Extremes() {
		if c.Zipf > 0 {
			found += fmt.Sprintf(", of which a flow has %v by zipf", units.PPS(rate))
		}
		period, err := s.period(rate, under, found)
		if err != nil {
			return o, err
		}
		if err := s.process(p, period, key); err != nil {
			return o, err
		}
	}
	return o, nil
}

// constant is what the j-th flow of source i asks of the traffic, without the addresses' offset.
func (s *Scenario) constant(f *OneFlow, i, j int) (o traces.ConstantOptions, err error) {
	end, key := f.End, fmt.Sprintf("workload.%d.flows.%d", i, j)
	if end == 0 {
		end = s.Duration
	}
	if end == 0 {
		return o, s.endless("flows")
	}
	period := traces.Every(f.Period)
	if f.Period == 0 {
		if period, err = s.period(float64(f.Rate), key+".rate", f.Rate.String()); err != nil {
			return o, err
		}
	}
	p := traces.Process{Kind: f.Arrivals, On: f.On, Off: f.Off, Seed: s.streamSeed(i)}
	return traces.ConstantOptions{Period: period, Phase: f.Phase, End: end,
		Size: s.Workload[i].frame(f.PacketSize), Process: p, Stream: j}, s.process(p, period, key)
}

// period is that of the rate that a key of the scenario gives each flow.
func (s *Scenario) period(rate float64, key, found string) (traces.Period, error) {
	p, err := traces.PeriodOf(rate)
	if err != nil {
		err = &Error{File: s.Name, Key: key, Found: found, Err: err,
			Expected: fmt.Sprintf("%v to %v for each flow, the most being a packet a picosecond",
				units.PPS(traces.LeastRate), units.PPS(traces.MostRate))}
	}
	return p, err
}

// process checks that the way in which the packets of a flow come fits the flow's rate.
func (s *Scenario) process(p traces.Process, mean traces.Period, key string) error {
	if err := p.Check(mean); err != nil {
		return &Error{File: s.Name, Key: key + ".on_time", Err: err,
			Found: p.On.String() + " and off_time: " + p.Off.String(),
			Expected: fmt.Sprintf("together at least the mean time between two packets, %v, "+
				"and time on for at most one a picosecond", mean)}
	}
	return nil
}

func (s *Scenario) endless(source string) error {
	return &Error{File: s.Name, Key: "duration", Expected: "a time above 0 such as 330s",
		Found: s.Duration.String() + " with a source of traffic that has no end, " + source}
}

// options are a trace's, with a stream of random numbers of its own for each source.
func (s *Scenario) options(t *Trace, source int) traces.Options {
	return traces.Options{Speedup: t.Speedup, Copies: t.Copies, From: t.From, To: t.To, Resolution: t.Resolution,
		Timeout: t.Timeout, MTU: int64(t.MTU), Inner: t.Tunnel == "inner",
		Seed: s.streamSeed(source), Context: s.ctx}
}

// streamSeed is the root of a source's random streams.
func (s *Scenario) streamSeed(source int) uint64 { return s.Seed + uint64(source)*0x9e3779b97f4a7c15 }
