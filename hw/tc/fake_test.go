package tc

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
)

// fakeKernel is a kernel with flower, as far as the driver can tell, at the level of netlink messages and frames. It
// reads messages with package nl, not with the driver's own parser.
type fakeKernel struct {
	card bool // the filters are a card's: a packet socket does not see what they forward

	mu      sync.Mutex
	ports   []string // device k has index k+1
	clsact  map[int]bool
	filters []*fakeFilter // by device, pref and handle
	limit   int           // of filters; 0 for any number
	refuse  string        // the words with which new filters are refused, if any
	broken  error         // of every socket
	onDump  func()        // called before filters are shown, if not nil
	out     map[string]chan []byte
	up      chan arrival
}

// arrival is a frame that the packet socket of the uplink has, since when.
type arrival struct {
	frame []byte
	at    time.Time
}

// fakeFilter is a filter as it was asked for.
type fakeFilter struct {
	nl.TcMsg
	key    []byte // its attributes
	tuple  flow.FiveTuple
	flags  []byte
	action []syscall.NetlinkRouteAttr
	to     int
	count
}

func newFakeKernel(card bool, ports ...string) *fakeKernel {
	k := &fakeKernel{card: card, ports: slices.Clone(ports), clsact: map[int]bool{}, out: map[string]chan []byte{},
		up: make(chan arrival, 4096)}
	for _, p := range ports {
		k.out[p] = make(chan []byte, 4096)
	}
	return k
}

// unplug takes a device away, with the filters on it.
func (k *fakeKernel) unplug(port string) error {
	dev, err := k.index(port)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ports[dev-1] = ""
	k.filters = slices.DeleteFunc(k.filters, func(f *fakeFilter) bool { return int(f.Ifindex) == dev })
	for _, f := range k.filters {
		if f.to == dev {
			f.to = 0
		}
	}
	return nil
}

func (k *fakeKernel) index(name string) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.Index(k.ports, name); i >= 0 {
		return i + 1, nil
	}
	return 0, fmt.Errorf("network device %q: no such device", name)
}

func (k *fakeKernel) name(index int) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if index < 1 || index > len(k.ports) || k.ports[index-1] == "" {
		return "", fmt.Errorf("network device %d: no such device", index)
	}
	return k.ports[index-1], nil
}

func (k *fakeKernel) devices() (all []int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, name := range k.ports {
		if name != "" {
			all = append(all, i+1)
		}
	}
	return all, nil
}

type fakeDevice struct {
	k    *fakeKernel
	name string
	gone chan struct{}
}

func (k *fakeKernel) reader(name string) (arrivals, error) {
	return fakeArrivals{&fakeDevice{k, name, make(chan struct{})}}, nil
}

type fakeArrivals struct{ *fakeDevice }

func (d fakeArrivals) Read(b []byte) (int, time.Time, error) {
	select {
	case f := <-d.k.up:
		return copy(b, f.frame), f.at, nil
	case <-d.gone:
		return 0, time.Time{}, io.EOF
	}
}

func (k *fakeKernel) writer(name string) (io.WriteCloser, error) {
	return &fakeDevice{k, name, make(chan struct{})}, nil
}

func (d *fakeDevice) Write(b []byte) (int, error) {
	d.k.out[d.name] <- slices.Clone(b)
	return len(b), nil
}

func (d *fakeDevice) Close() error {
	close(d.gone)
	return nil
}

// packet has a frame come in at a port.
func (k *fakeKernel) packet(port string, frame []byte) error {
	dev, err := k.index(port)
	if err != nil {
		return err
	}
	if port == k.ports[0] && !k.card {
		k.up <- arrival{frame, time.Now()} // a packet socket is before the filters
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	t, isFlow := hw.TupleOf(frame)
	for _, f := range k.filters {
		if int(f.Ifindex) != dev || f.Info&0xffff != uint32(swap(unix.ETH_P_ALL)) && (!isFlow || f.tuple != t) {
			continue
		}
		f.packets++
		f.bytes += uint64(len(frame))
		if f.to != 0 {
			k.out[k.ports[f.to-1]] <- frame
		}
		return nil
	}
	if port == k.ports[0] && k.card {
		k.up <- arrival{frame, time.Now()}
	}
	return nil
}

type fakeSocket struct {
	k       *fakeKernel
	answers [][]byte
}

func (k *fakeKernel) dial() (socket, error) { return &fakeSocket{k: k}, nil }

func (s *fakeSocket) close() {}

func (s *fakeSocket) receive(b []byte) (int, error) {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	if s.k.broken != nil {
		return 0, s.k.broken
	}
	if len(s.answers) == 0 {
		return 0, unix.EAGAIN
	}
	n := copy(b, s.answers[0])
	s.answers = s.answers[1:]
	return n, nil
}

func (s *fakeSocket) send(b []byte) error {
	s.k.mu.Lock()
	defer s.k.mu.Unlock()
	if s.k.broken != nil {
		return s.k.broken
	}
	if len(b) == 0 {
		return unix.ENODATA
	}
	messages, err := syscall.ParseNetlinkMessage(slices.Clone(b))
	if err != nil {
		return err
	}
	for _, m := range messages {
		err := s.k.handle(s, m)
		if m.Header.Flags&unix.NLM_F_ACK != 0 || err != nil {
			s.acknowledge(m, err)
		}
	}
	return nil
}

// said is an error with the kernel's words.
type said struct {
	syscall.Errno
	words string
}

func (s *fakeSocket) acknowledge(m syscall.NetlinkMessage, err error) {
	var errno syscall.Errno
	var words said
	if errors.As(err, &words) {
		errno = words.Errno
	} else if err != nil && !errors.As(err, &errno) {
		panic(err)
	}
	body := binary.NativeEndian.AppendUint32(nil, uint32(-int32(errno)))
	request := (&nl.NetlinkRequest{NlMsghdr: unix.NlMsghdr(m.Header), RawData: m.Data}).Serialize()
	flags := 0
	if errno == 0 {
		body, flags = append(body, request[:unix.SizeofNlMsghdr]...), unix.NLM_F_CAPPED
	} else {
		body = append(body, request...)
	}
	if words.words != "" {
		flags |= unix.NLM_F_ACK_TLVS
		body = append(body, nl.NewRtAttr(nl.NLMSGERR_ATTR_MSG, nl.ZeroTerminated(words.words)).Serialize()...)
	}
	s.answer(m, unix.NLMSG_ERROR, flags, body)
}

func (s *fakeSocket) answer(m syscall.NetlinkMessage, kind, flags int, body []byte) {
	r := nl.NetlinkRequest{NlMsghdr: unix.NlMsghdr{Type: uint16(kind), Flags: uint16(flags), Seq: m.Header.Seq},
		RawData: body}
	s.answers = append(s.answers, r.Serialize())
}

func (k *fakeKernel) handle(s *fakeSocket, m syscall.NetlinkMessage) error {
	if len(m.Data) < nl.SizeofTcMsg {
		return unix.EINVAL
	}
	t := *nl.DeserializeTcMsg(m.Data)
	dump := m.Header.Type == unix.RTM_GETTFILTER && m.Header.Flags&unix.NLM_F_DUMP != 0
	if t.Ifindex < 1 || int(t.Ifindex) > len(k.ports) || k.ports[t.Ifindex-1] == "" {
		if dump { // tc_dump_tfilter: no device, no filters, no error
			s.answer(m, unix.NLMSG_DONE, unix.NLM_F_MULTI, make([]byte, 4))
			return nil
		}
		return unix.ENODEV
	}
	attrs, err := nl.ParseRouteAttr(m.Data[nl.SizeofTcMsg:])
	if err != nil {
		return unix.EINVAL
	}
	if m.Header.Type == unix.RTM_NEWQDISC {
		if k.clsact[int(t.Ifindex)] {
			return said{unix.EEXIST, "Exclusivity flag on, cannot modify"}
		}
		k.clsact[int(t.Ifindex)] = true
		return nil
	}
	if t.Parent != 0xfffffff2 {
		return said{unix.EINVAL, "Specified class doesn't exist"}
	}
	terse := false
	var options []syscall.NetlinkRouteAttr
	for _, a := range attrs {
		switch a.Attr.Type {
		case nl.TCA_DUMP_FLAGS:
			terse = nl.DeserializeUint32Bitfield(a.Value).Value&1 != 0
		case nl.TCA_OPTIONS:
			if options, err = nl.ParseRouteAttr(a.Value); err != nil {
				return unix.EINVAL
			}
		}
	}
	at := slices.IndexFunc(k.filters, func(f *fakeFilter) bool {
		return f.Ifindex == t.Ifindex && f.Info == t.Info && f.Handle == t.Handle
	})
	switch {
	case dump:
		if k.onDump != nil {
			k.onDump()
		}
		for _, f := range k.filters {
			if f.Ifindex == t.Ifindex && f.Info>>16 == t.Info>>16 {
				s.answer(m, unix.RTM_NEWTFILTER, unix.NLM_F_MULTI, f.show(k.card, terse))
			}
		}
		s.answer(m, unix.NLMSG_DONE, unix.NLM_F_MULTI, make([]byte, 4))
		return nil
	case m.Header.Type == unix.RTM_NEWTFILTER:
		return k.add(t, m.Header.Flags, options, at)
	case at < 0:
		return said{unix.ENOENT, "Specified filter handle not found"}
	case m.Header.Type == unix.RTM_DELTFILTER:
		if m.Header.Flags&unix.NLM_F_ECHO != 0 {
			s.answer(m, unix.RTM_DELTFILTER, 0, k.filters[at].show(k.card, false))
		}
		k.filters = slices.Delete(k.filters, at, at+1)
		return nil
	}
	s.answer(m, unix.RTM_NEWTFILTER, 0, k.filters[at].show(k.card, false))
	return nil
}

func (k *fakeKernel) add(t nl.TcMsg, flags uint16, options []syscall.NetlinkRouteAttr, at int) error {
	f := &fakeFilter{TcMsg: t}
	for _, a := range options {
		switch a.Attr.Type {
		case nl.TCA_FLOWER_ACT:
			acts, err := nl.ParseRouteAttr(a.Value)
			if err != nil || len(acts) != 1 {
				return unix.EINVAL
			}
			if f.action, err = nl.ParseRouteAttr(acts[0].Value); err != nil {
				return unix.EINVAL
			}
		case nl.TCA_FLOWER_FLAGS:
			f.flags = a.Value
		default:
			f.key = append(f.key, nl.NewRtAttr(int(a.Attr.Type), a.Value).Serialize()...)
		}
	}
	if f.tuple = (&filter{}).tupleOf(f.key); int(binary.NativeEndian.Uint32(f.flags)&nl.TCA_CLS_FLAGS_SKIP_SW) == 0 ==
		k.card {
		return said{unix.EOPNOTSUPP, "not what this kernel is for"}
	}
	var kind string
	for _, a := range f.action {
		switch a.Attr.Type &^ unix.NLA_F_NESTED {
		case nl.TCA_ACT_KIND:
			kind = string(bytes.TrimRight(a.Value, "\x00"))
		case nl.TCA_ACT_OPTIONS:
			parms, err := nl.ParseRouteAttr(a.Value)
			if err != nil || len(parms) != 1 {
				return unix.EINVAL
			}
			v := parms[0].Value
			switch {
			case kind == "gact" && len(v) == 20 && v[8] == 2:
			case kind == "mirred" && len(v) == 28 && v[8] == 4 && v[20] == 1:
				f.to = int(binary.NativeEndian.Uint32(v[24:]))
			default:
				return said{unix.EINVAL, "Failed to load TC action module"}
			}
		}
	}
	for _, x := range k.filters {
		switch {
		case x.Ifindex != t.Ifindex || x.Info>>16 != t.Info>>16:
		case x.Info != t.Info:
			return said{unix.EINVAL, "Specified filter protocol does not match existing one"}
		case x.Handle != t.Handle && bytes.Equal(x.key, f.key):
			return unix.EEXIST
		}
	}
	switch {
	case k.refuse != "":
		return said{unix.EOPNOTSUPP, k.refuse}
	case at >= 0 && flags&unix.NLM_F_EXCL != 0:
		return said{unix.EEXIST, "Filter already exists"}
	case at >= 0:
		k.filters[at] = f
		return nil
	case flags&unix.NLM_F_CREATE == 0:
		return said{unix.ENOENT, "Need both RTM_NEWTFILTER and NLM_F_CREATE to create a new filter"}
	case k.limit > 0 && len(k.filters) >= k.limit:
		return said{unix.ENOSPC, "the table is full"}
	}
	at, _ = slices.BinarySearchFunc(k.filters, f, func(a, b *fakeFilter) int {
		return cmp.Or(cmp.Compare(a.Ifindex, b.Ifindex), cmp.Compare(a.Info, b.Info), cmp.Compare(a.Handle, b.Handle))
	})
	k.filters = slices.Insert(k.filters, at, f)
	return nil
}

// tupleOf reads a key with the driver's parser, which has tests of its own.
func (f *filter) tupleOf(key []byte) flow.FiveTuple {
	f.parseOptions(key)
	return f.tuple
}

// show is a filter as the kernel shows it.
func (f *fakeFilter) show(card, terse bool) []byte {
	options := nl.NewRtAttr(nl.TCA_OPTIONS, nil)
	if !terse {
		for t, v := range attributes(f.key) {
			options.AddRtAttr(int(t), v)
		}
	}
	flags := binary.NativeEndian.Uint32(f.flags) | 1<<3 // not in hardware
	if card {
		flags = binary.NativeEndian.Uint32(f.flags) | 1<<2
	}
	options.AddRtAttr(nl.TCA_FLOWER_FLAGS, nl.Uint32Attr(flags))
	a := options.AddRtAttr(nl.TCA_FLOWER_ACT, nil).AddRtAttr(1, nil)
	stats := a.AddRtAttr(nl.TCA_ACT_STATS|unix.NLA_F_NESTED, nil)
	n := f.count
	if !card {
		n.bytes -= 14 * n.packets
	}
	basic := append(binary.NativeEndian.AppendUint64(nil, n.bytes), nl.Uint32Attr(uint32(n.packets))...)
	stats.AddRtAttr(nl.TCA_STATS_BASIC, append(basic, 0, 0, 0, 0))
	if card {
		stats.AddRtAttr(nl.TCA_STATS_BASIC_HW, append(basic, 0, 0, 0, 0))
	}
	for _, x := range f.action {
		if terse && x.Attr.Type&^unix.NLA_F_NESTED == nl.TCA_ACT_OPTIONS {
			continue
		}
		a.AddRtAttr(int(x.Attr.Type), x.Value)
	}
	b := slices.Clone(f.TcMsg.Serialize())
	b = append(b, nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("flower")).Serialize()...)
	b = append(b, nl.NewRtAttr(nl.TCA_CHAIN, nl.Uint32Attr(0)).Serialize()...)
	return append(b, options.Serialize()...)
}
