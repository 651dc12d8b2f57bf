package scenarios

import (
	"fmt"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// PacketSizes are the frame sizes that the source's keys packet_size give: one, or those of its flows. There are none
// where frames have several sizes, as by frame_sizes, in recordings and in models.
func (s *Source) PacketSizes() (sizes []units.Bytes) {
	if s.FrameSizes != "" {
		return nil
	}
	for _, k := range s.packetSizes() {
		sizes = append(sizes, k.size)
	}
	return sizes
}

// sizeKey is a key packet_size.
type sizeKey struct {
	key  string
	size units.Bytes
}

func (s *Source) packetSizes() (keys []sizeKey) {
	switch {
	case s.CBR != nil:
		return []sizeKey{{"cbr", s.CBR.PacketSize}}
	case s.Load != nil:
		return []sizeKey{{"load", s.Load.PacketSize}}
	case s.Services != nil:
		return []sizeKey{{"services", s.Services.PacketSize}}
	case s.Diurnal != nil:
		return []sizeKey{{"diurnal", s.Diurnal.PacketSize}}
	case s.FlashCrowd != nil:
		return []sizeKey{{"flash_crowd", s.FlashCrowd.PacketSize}}
	case s.Microbursts != nil:
		return []sizeKey{{"microbursts", s.Microbursts.PacketSize}}
	case s.Churn != nil:
		return []sizeKey{{"churn", s.Churn.PacketSize}}
	case s.SYNFlood != nil:
		return []sizeKey{{"syn_flood", s.SYNFlood.PacketSize}}
	}
	for i := range s.Flows {
		keys = append(keys, sizeKey{fmt.Sprintf("flows.%d", i), s.Flows[i].PacketSize})
	}
	return keys
}

// frameRules are those of frame_sizes.
func (s *Source) frameRules() []strictyaml.Rule {
	if s.FrameSizes == "" {
		return nil
	}
	want := "a sequence of frame sizes"
	_, err := traces.ParseGenome(s.FrameSizes)
	if err != nil {
		want += ": " + err.Error()
	}
	keys := s.packetSizes()
	all := []strictyaml.Rule{
		rule("frame_sizes", err != nil, want),
		rule("frame_sizes", len(keys) == 0, "a source with packet_size, whose place this key takes"),
	}
	for _, k := range keys {
		all = append(all, rule(k.key+".packet_size", k.size != 64, "no packet_size: frame_sizes has the sizes"))
	}
	return all
}

// frame is the mean frame size of a source or flow with the key packet_size.
func (s *Source) frame(packetSize units.Bytes) float64 {
	if g, err := traces.ParseGenome(s.FrameSizes); err == nil {
		return g.Mean()
	}
	return float64(packetSize)
}

// resize gives the source's frames their sizes.
func (s *Source) resize(w *traces.Workload) error {
	if s.FrameSizes == "" {
		return nil
	}
	g, err := traces.ParseGenome(s.FrameSizes)
	if err != nil {
		return fmt.Errorf("frame_sizes: %w", err)
	}
	w.Resize(g)
	return nil
}
