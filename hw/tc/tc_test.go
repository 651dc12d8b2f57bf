package tc

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/switchtest"
)

// The fake kernel's devices: the uplink is the first.
var devices = []string{"p0", "vf0", "vf1", "vf2", "vf3", "vf4", "vf5", "p1"}

func (k *fakeKernel) config() Config {
	return Config{Uplink: "p0", Sink: "p1", Software: !k.card, CounterLag: 1, system: k}
}

// arrive waits until what came with a rule in force is certain to have met it.
func arrive() error {
	time.Sleep(2 * onItsWay)
	return nil
}

func (k *fakeKernel) bench(t *testing.T) *switchtest.Bench {
	return &switchtest.Bench{
		Settle: arrive,
		Uplink: "p0", Sink: "p1", Ports: [6]string(devices[1:7]),
		Open: func(adopt bool) (hw.Switch, error) {
			c := k.config()
			c.Adopt = adopt
			return Open(c)
		},
		Send: k.packet,
		Out:  func(port string) <-chan []byte { return k.out[port] },
		Room: func(n int) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.limit = len(k.filters) + n
			return nil
		},
		Foreign: func(from, to string) error { return k.foreign(from, to, 5) },
		Delete:  k.delete,
		Unplug:  k.unplug,
	}
}

// foreign is a filter of somebody else, for everything that comes in at a port.
func (k *fakeKernel) foreign(from, to string, pref uint16) error {
	f := filter{pref: pref, proto: unix.ETH_P_ALL, handle: 1, skipSW: k.card}
	f.dev, _ = k.index(from)
	f.to, _ = k.index(to)
	return k.request(f.add())
}

// delete removes a flow's filter behind the driver's back.
func (k *fakeKernel) delete(r hw.Rule) error {
	d := Driver{cfg: k.config(), uplink: 1}
	d.cfg.defaults()
	f := d.filterOf(&rule{Rule: r})
	return k.request(f.remove())
}

func (k *fakeKernel) request(r request) error {
	s, _ := k.dial()
	_, err := (&conn{socket: s}).one(r)
	return err
}

func TestConformance(t *testing.T) {
	for _, way := range []struct {
		name string
		card bool
	}{{"Card", true}, {"Software", false}} {
		t.Run(way.name, func(t *testing.T) {
			switchtest.Run(t, func(t *testing.T) *switchtest.Bench {
				return newFakeKernel(way.card,
					devices...).bench(t)
			})
		})
	}
}
