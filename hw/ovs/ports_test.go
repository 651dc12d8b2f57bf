package ovs_test

import (
	"context"
	"testing"

	"github.com/smartinco/smartinco/hw"
)

// A port that somebody gives another number is not gone, though Open vSwitch says so on the way.
func TestAPortThatGetsAnotherNumberIsNotGone(t *testing.T) {
	t.Parallel()
	l := newLab(t, "uplink", "sink", "a")
	l.bridge()
	d, err := l.open(l.config())
	l.must(err)
	defer d.Close()
	l.must(d.Attach(context.Background(), 1, hw.Ports{In: "a", Out: "a"}))
	l.must(d.Install(rule(0, 1)))
	l.waitFor(d, hw.Confirmed)
	frame := udpFrame(rule(0, 1).Tuple)
	for _, change := range [][]string{
		{"set", "interface", "a", "ofport_request=9"},
		{"set", "interface", "uplink", "ofport_request=10"},
	} {
		l.must(l.vsctl(change...))
		l.waitFor(d, hw.Lost)
		l.waitFor(d, hw.Restored)
		l.must(l.settle())
		l.must(l.sockets["uplink"].Send(frame))
		l.arrives("a", frame)
		l.must(l.sockets["a"].Send(frame))
		l.arrives("sink", frame)
	}
}
