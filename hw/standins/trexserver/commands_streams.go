package trexserver

import (
	"maps"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/hw/trex"
)

func (s *Server) addStream(o object, p *port) (any, error) {
	st, rule, err := parseStream(o)
	name := profileName(o)
	if err != nil || o.failed() != nil {
		return nil, err
	}
	f := p.profile(name)
	if err := f.must("add_stream", trex.Idle, trex.Ready); err != nil {
		return nil, err
	}
	if f.streams[st.id] != nil {
		return nil, failed("stream %d already exists in profile_id(%s)", st.id, name)
	}
	if rule != nil {
		if st.group, err = s.takeGroup(rule, st.packet); err != nil {
			return nil, err
		}
	}
	f.streams[st.id] = st
	f.state = trex.Ready
	return done, nil
}

func (s *Server) removeStream(o object, p *port) (any, error) {
	id := o.uint32("stream_id")
	f, err := p.existing(profileName(o))
	if err != nil || o.failed() != nil {
		return nil, err
	}
	if f.streams[id] == nil {
		return nil, failed("stream %d does not exists in profile_id(%s)", id, f.name)
	}
	if err := f.must("remove_stream", trex.Ready); err != nil {
		return nil, err
	}
	p.remove(f, id)
	return done, nil
}

func (s *Server) removeAllStreams(o object, p *port) (any, error) {
	name := profileName(o)
	if name == "*" { // as the original: nothing happens
		return done, nil
	}
	f := p.profiles[name]
	if f == nil || o.failed() != nil { // a profile that is not there has no streams
		return done, nil
	}
	if err := f.must("remove_and_delete_all_streams", trex.Idle, trex.Ready); err != nil {
		return nil, err
	}
	p.remove(f, f.ids()...)
	return done, nil
}

// plain is a stream as it was given, with or without its packet.
func (st *stream) plain(packet bool) dict {
	d := maps.Clone(st.json)
	if !packet {
		delete(d, "packet")
	}
	return d
}

func (s *Server) stream(o object, p *port) (any, error) {
	id, packet := o.uint32("stream_id"), o.boolean("get_pkt")
	f, err := p.existing(profileName(o))
	if err != nil || o.failed() != nil {
		return nil, err
	}
	st := f.streams[id]
	if st == nil {
		return nil, failed("stream id %d, profile id %s on port %d does not exists", id, f.name, p.id)
	}
	return dict{"stream": st.plain(packet)}, nil
}

// perProfile is what show makes of one profile, or of all by name for "*".
func perProfile(o object, p *port, show func(*profile) any) (any, bool, error) {
	name := profileName(o)
	if name != "*" {
		f, err := p.existing(name)
		if err != nil || o.failed() != nil {
			return nil, false, err
		}
		return show(f), false, nil
	}
	all := dict{}
	for _, f := range p.profiles {
		all[f.name] = show(f)
	}
	return all, true, nil
}

func (s *Server) streamList(o object, p *port) (any, error) {
	list, _, err := perProfile(o, p, func(f *profile) any { return append([]uint32{}, f.ids()...) })
	return list, err
}

func (s *Server) allStreams(o object, p *port) (any, error) {
	streams, all, err := perProfile(o, p, func(f *profile) any {
		d := dict{}
		for id, st := range f.streams {
			d[strconv.FormatUint(uint64(id), 10)] = st.plain(true)
		}
		return d
	})
	if all {
		return dict{"profiles": streams}, err
	}
	return dict{"streams": streams}, err
}

func (s *Server) profileList(_ object, p *port) (any, error) { return p.names, nil }

func (s *Server) validate(o object, p *port) (any, error) {
	f, err := p.existing(profileName(o))
	if err != nil || o.failed() != nil {
		return nil, err
	}
	if len(f.streams) == 0 {
		return nil, failed("no streams attached to port")
	}
	for _, id := range slices.Backward(f.ids()) {
		if _, err := p.check(f.streams[id]); err != nil {
			return nil, err
		}
	}
	return f.graph().report(), nil
}
