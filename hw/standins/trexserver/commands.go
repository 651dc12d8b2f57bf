package trexserver

import (
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/smartinco/smartinco/hw/trex"
)

// access is what a command needs of the port that it names.
type access int

const (
	noPort  access = iota // it names none
	anyPort               // the port need not be the caller's
	owned                 // the caller must own the port
)

// command is a method of the protocol.
type command struct {
	class     string // of the handle that it needs: "common", "STL", or "" for none
	port      access
	run       func(s *Server, o object, p *port) (any, error)
	ownErrors bool // reports mistakes in its parameters as its own failure
}

// commands are the methods that there are. All others are "not registered".
var commands map[string]command

func init() { // because get_supported_cmds lists them
	commands = map[string]command{
		"ping":          {"", noPort, (*Server).ping, false},
		"get_version":   {"", noPort, (*Server).version, false},
		"api_sync":      {"", noPort, (*Server).sync, false},
		"api_sync_v2":   {"", noPort, (*Server).syncV2, false},
		"publish_now":   {"common", noPort, (*Server).publishNow, false},
		"shutdown":      {"common", noPort, (*Server).shutdownBy, false},
		"get_owner":     {"common", anyPort, (*Server).owner, false},
		"acquire":       {"common", anyPort, (*Server).acquire, false},
		"release":       {"common", owned, (*Server).release, false},
		"set_port_attr": {"common", owned, (*Server).setAttr, false},

		"get_supported_cmds":     {"common", noPort, (*Server).supported, false},
		"get_system_info":        {"common", noPort, (*Server).system, false},
		"get_global_stats":       {"common", noPort, (*Server).globalStats, false},
		"get_async_events":       {"common", noPort, (*Server).asyncEvents, false},
		"get_port_status":        {"common", anyPort, (*Server).portStatus, false},
		"get_port_stats":         {"common", anyPort, (*Server).portStats, false},
		"get_port_xstats_names":  {"common", anyPort, (*Server).xstatsNames, false},
		"get_port_xstats_values": {"common", anyPort, (*Server).xstatsValues, false},

		"service":        {"STL", owned, (*Server).service, false},
		"set_rx_feature": {"STL", owned, (*Server).rxFeature, false},
		"capture":        {"STL", noPort, (*Server).capture, false},
		"get_tpg_status": {"STL", noPort, (*Server).tagging, false},

		"get_active_pgids":  {"STL", noPort, (*Server).activeGroupsOf, false},
		"get_pgid_stats":    {"STL", noPort, (*Server).groupStats, false},
		"remove_rx_filters": {"STL", owned, (*Server).removeRxFilters, false},

		"add_stream":         {"STL", owned, (*Server).addStream, true},
		"remove_stream":      {"STL", owned, (*Server).removeStream, false},
		"remove_all_streams": {"STL", owned, (*Server).removeAllStreams, false},
		"get_stream":         {"STL", anyPort, (*Server).stream, false},
		"get_stream_list":    {"STL", anyPort, (*Server).streamList, false},
		"get_all_streams":    {"STL", anyPort, (*Server).allStreams, false},
		"get_profile_list":   {"STL", anyPort, (*Server).profileList, false},
		"validate":           {"STL", owned, (*Server).validate, false},

		"start_traffic":  {"STL", owned, (*Server).startTraffic, false},
		"stop_traffic":   {"STL", owned, (*Server).stopTraffic, false},
		"update_traffic": {"STL", owned, (*Server).updateTraffic, false},
		"pause_traffic":  {"STL", owned, (*Server).pauseTraffic, false},
		"resume_traffic": {"STL", owned, (*Server).resumeTraffic, false},
		"update_streams": {"STL", owned, (*Server).updateStreams, false},
		"pause_streams":  {"STL", owned, (*Server).pauseStreams, false},
		"resume_streams": {"STL", owned, (*Server).resumeStreams, false},
	}
}

var done = dict{} // the result of what has none

// The server and its clients.

func (s *Server) ping(object, *port) (any, error) { return dict{"ts": s.seconds()}, nil }

func (s *Server) seconds() real { return real(s.now().Seconds()) }

func (s *Server) version(object, *port) (any, error) {
	return dict{"version": "v3.08", "mode": trex.APIName, "build_date": "", "build_time": "",
		"built_by": "smartinco trex-server"}, nil
}

func (s *Server) sync(o object, _ *port) (any, error) {
	handles := []dict{}
	for _, v := range o.array("api_vers") {
		if v.kind != '{' {
			o.fail("error at offset: %d - 'api_vers' holds '%s', expecting 'object'", v.at, kindNames[v.kind])
			break
		}
		handles = append(handles, dict{"type": object{v.fields, o.err}.str("type"), "api_h": s.handle})
	}
	return dict{"api_vers": handles}, nil
}

func (s *Server) syncV2(o object, _ *port) (any, error) {
	name, major, minor := o.str("name"), o.int("major"), o.int("minor")
	versions := fmt.Sprintf("\n(API type '%s':  - server: '%d.%d', client: '%d.%d')", name, trex.APIMajor,
		trex.APIMinor, major, minor)
	switch {
	case o.failed() != nil:
		return nil, nil
	case name != trex.APIName:
		return nil,
			failed("RPC configuration mismatch - server RPC configuration: '%s', client RPC configuration: '%s'",
				trex.APIName, name)
	case major < trex.APIMajor:
		return nil, failed("RPC version mismatch: a newer client version is required%s", versions)
	case major > trex.APIMajor || minor > trex.APIMinor:
		return nil, failed("Version mismatch: your client version is too new to be supported by the server%s", versions)
	}
	return dict{"api_h": s.handle}, nil
}

func (s *Server) supported(object, *port) (any, error) {
	return slices.Sorted(maps.Keys(commands)), nil
}

func (s *Server) system(object, *port) (any, error) {
	ports := []dict{}
	for _, p := range s.ports {
		ports = append(ports, dict{"index": p.id, "driver": "net_af_packet", "description": p.device.Name(),
			"hw_mac":   p.mac.String(),
			"pci_addr": "N/A", "numa": -1, "stack": "legacy", "cores": []int{0}, "supp_speeds": []int{},
			"rx":              dict{"caps": []string{"flow_stats", "latency", "rx_bytes"}, "counters": statsIDs},
			"is_fc_supported": false, "is_ieee1588_supported": false, "is_led_supported": false,
			"is_link_supported": false,
			"is_prom_supported": true, "is_virtual": true, "is_vxlan_supported": false})
	}
	return dict{"hostname": hostname(), "uptime": s.started.Format("Jan _2 2006 @ 15:04:05"),
		"core_type":     runtime.GOARCH,
		"dp_core_count": 1, "dp_core_count_per_port": 1, "is_multiqueue_mode": false, "advanced_per_stream_stats": true,
		"port_count": len(s.ports), "ports": ports}, nil
}

func (s *Server) asyncEvents(o object, _ *port) (any, error) {
	id := o.uint32("session_id")
	if o.failed() != nil {
		return nil, nil
	}
	return dict{"data": s.fetch(id)}, nil
}

func (s *Server) publishNow(o object, _ *port) (any, error) {
	o.uint("key", 64, "uint64")
	baseline := o.boolean("baseline")
	if o.failed() == nil {
		s.publish(baseline)
	}
	return done, nil
}

func (s *Server) shutdownBy(o object, _ *port) (any, error) {
	user, force := o.str("user"), o.boolean("force")
	if o.failed() != nil {
		return nil, nil
	}
	for _, p := range slices.Backward(s.ports) {
		if p.handler != "" && p.user != user && !force {
			return nil, failed("port %d is owned by '%s' - specify 'force' for override", p.id, p.user)
		}
	}
	s.shutdown()
	return done, nil
}

// Ports.

func (s *Server) owner(_ object, p *port) (any, error) {
	if p.handler == "" {
		return dict{"owner": "<FREE>"}, nil
	}
	return dict{"owner": p.user}, nil
}

func (s *Server) acquire(o object, p *port) (any, error) {
	user, session, force := o.str("user"), o.uint32("session_id"), o.boolean("force")
	if o.failed() != nil {
		return nil, nil
	}
	taken := p.handler != ""
	switch {
	case !taken || force:
		p.user, p.session, p.handler = user, session, s.token()
	case p.user != user:
		return nil, failed("port is already taken by '%s'", p.user)
	case p.session != session:
		return nil, failed("port is already owned by another session of '%s'", p.user)
	}
	s.emit(trex.EventAcquired, dict{"port_id": p.id, "who": user, "session_id": session, "force": force && taken})
	s.session(session) // from now on it has events
	return p.handler, nil
}

func (s *Server) release(_ object, p *port) (any, error) {
	s.emit(trex.EventReleased, dict{"port_id": p.id, "who": p.user, "session_id": p.session})
	p.user, p.session, p.handler = "", 0, ""
	return done, nil
}

func (s *Server) setAttr(o object, p *port) (any, error) {
	attrs := o.object("attr")
	for _, key := range slices.Sorted(maps.Keys(attrs.fields)) {
		switch key {
		case "promiscuous":
			on := attrs.object(key).boolean("enabled")
			if o.failed() != nil {
				return nil, nil
			}
			if err := p.device.SetPromiscuous(on); err != nil {
				return nil, failed("Error applying promiscuous: %v", err)
			}
			p.promiscuous = on
		case "multicast", "link_status", "led_status", "flow_ctrl_mode", "vxlan_fs":
			return nil, failed("Error applying %s: operation is not supported for this NIC.", key)
		default:
			return nil, failed("unknown attribute type: '%s'", key)
		}
	}
	return done, nil
}

func (s *Server) portStatus(o object, p *port) (any, error) {
	if o.has("block") {
		o.boolean("block")
	}
	active := func(on bool) dict { return dict{"is_active": on} }
	latency, last := false, uint32(0)
	for _, f := range p.profiles {
		for id, st := range f.streams {
			last = max(last, id)
			latency = latency || st.latency && f.state.Busy()
		}
	}
	filter := "hw"
	if p.service {
		filter = "all"
	}
	status := dict{
		"owner": p.user, "state": p.state(), "profile_count": len(p.profiles), "max_stream_id": last,
		"service": p.service, "service_filtered": p.filtered,
		"attr": dict{
			"speed": real(defaultSpeed / 1e9), "link": dict{"up": p.device.Up()},
			"promiscuous": dict{"enabled": p.promiscuous},
			"multicast":   dict{"enabled": false}, "fc": dict{"mode": -1}, "vlan": dict{"tags": []int{}},
			"rx_filter_mode": filter, "vxlan_fs": []int{},
			"layer_cfg": dict{"ether": dict{"src": p.mac.String(), "dst": p.peer.String(), "state": "configured"},
				"ipv4": dict{"state": "none"}, "ipv6": dict{"enabled": false}}},
		"rx_info": dict{"latency": active(latency), "queue": active(false), "stack": active(true),
			"capture_port": active(false),
			"capwap_proxy": active(false), "grat_arp": active(false)},
	}
	if o.has("profile_id") {
		states := dict{}
		name := o.str("profile_id")
		for _, f := range p.profiles {
			if name == "*" || name == f.name {
				states[f.name] = f.state
			}
		}
		status["state_profile"] = states
	}
	return status, nil
}

func (s *Server) service(o object, p *port) (any, error) {
	enabled := o.boolean("enabled")
	filtered := o.has("filtered") && o.boolean("filtered")
	if o.failed() == nil {
		p.service, p.filtered = enabled, filtered
	}
	return done, nil
}

// rxFeature, capture and tagging are asked by TRex's client when it connects; there is nothing behind them here.
func (s *Server) rxFeature(o object, _ *port) (any, error) {
	kind, enabled := o.str("type"), o.boolean("enabled")
	if o.failed() == nil && enabled {
		return nil, failed("rx feature '%s' is not supported by this server", kind)
	}
	return done, nil
}

func (s *Server) capture(o object, _ *port) (any, error) {
	if c := o.str("command"); o.failed() == nil && c != "status" {
		return nil, failed("capture command '%s' is not supported by this server", c)
	}
	return []dict{}, nil
}

func (s *Server) tagging(object, *port) (any, error) {
	return dict{"enabled": false, "data": dict{"username": "-", "acquired_ports": []int{}, "rx_ports": []int{},
		"num_tags": 0, "num_tpgids": 0}}, nil
}

// Counters.

// report is the result of get_port_stats.
func (p *port) report() dict {
	p.measure()
	rx := p.rx.load()
	return dict{"opackets": p.tx.packets, "obytes": p.tx.bytes, "oerrors": p.txErrors,
		"ipackets": rx.packets, "ibytes": rx.bytes, "ierrors": p.device.Dropped(),
		"m_total_tx_pps": real(p.txRate.pps), "m_total_tx_bps": real(p.txRate.bps),
		"m_total_rx_pps": real(p.rxRate.pps), "m_total_rx_bps": real(p.rxRate.bps), "m_cpu_util": real(0)}
}

func (s *Server) portStats(_ object, p *port) (any, error) { return p.report(), nil }

// unused are the keys of get_global_stats that belong to flows, which there are none of in this mode.
var unused = struct{ reals, integers []string }{
	[]string{"m_active_flows", "m_open_flows", "m_bw_per_core", "m_cpu_util", "m_cpu_util_raw", "m_rx_cpu_util",
		"m_rx_drop_bps",
		"m_socket_util", "m_tx_cps", "m_tx_expected_bps", "m_tx_expected_cps", "m_tx_expected_pps"},
	[]string{"m_active_sockets", "m_total_alloc_error", "m_total_clients", "m_total_servers", "m_total_nat_active",
		"m_total_nat_learn_error",
		"m_total_nat_no_fid", "m_total_nat_open", "m_total_nat_syn_wait", "m_total_nat_time_out",
		"m_total_nat_time_out_wait_ack",
		"m_total_queue_drop", "m_total_queue_full"},
}

func (s *Server) globalStats(object, *port) (any, error) { return s.totals(), nil }

func (s *Server) totals() dict {
	var tx, rx counter
	var txRate, rxRate meter
	for _, p := range s.ports {
		p.measure()
		n := p.rx.load()
		tx.packets, tx.bytes = tx.packets+p.tx.packets, tx.bytes+p.tx.bytes
		rx.packets, rx.bytes = rx.packets+n.packets, rx.bytes+n.bytes
		txRate.pps, txRate.bps = txRate.pps+p.txRate.pps, txRate.bps+p.txRate.bps
		rxRate.pps, rxRate.bps = rxRate.pps+p.rxRate.pps, rxRate.bps+p.rxRate.bps
	}
	d := dict{"m_total_tx_pkts": tx.packets, "m_total_tx_bytes": tx.bytes, "m_total_rx_pkts": rx.packets,
		"m_total_rx_bytes": rx.bytes,
		"m_tx_pps":         real(txRate.pps), "m_tx_bps": real(txRate.bps), "m_rx_pps": real(rxRate.pps),
		"m_rx_bps":      real(rxRate.bps),
		"m_rx_core_pps": real(rxRate.pps), "m_platform_factor": real(1)}
	for _, key := range unused.reals {
		d[key] = real(0)
	}
	for _, key := range unused.integers {
		d[key] = 0
	}
	return d
}

func (s *Server) xstatsNames(object, *port) (any, error) {
	return dict{"xstats_names": []string{"rx_good_packets", "tx_good_packets", "rx_good_bytes", "tx_good_bytes",
		"rx_missed_errors", "rx_errors",
		"tx_errors", "rx_mbuf_allocation_errors", "rx_q0_packets", "rx_q0_bytes", "rx_q0_errors", "tx_q0_packets",
		"tx_q0_bytes"}}, nil
}

// xstatsValues are the counters of xstatsNames. Bytes are without check sequence, other than everywhere else.
func (s *Server) xstatsValues(_ object, p *port) (any, error) {
	rx, missed := p.rx.load(), p.device.Dropped()
	rxBytes, txBytes := rx.bytes-fcs*rx.packets, p.tx.bytes-fcs*p.tx.packets
	return dict{"xstats_values": []uint64{rx.packets, p.tx.packets, rxBytes, txBytes, missed, 0, p.txErrors, 0,
		rx.packets, rxBytes, 0,
		p.tx.packets, txBytes}}, nil
}

func (s *Server) activeGroupsOf(object, *port) (any, error) { return s.activeGroups(), nil }

func (s *Server) groupStats(o object, _ *port) (any, error) {
	ids := o.ids("pgids")
	if o.failed() != nil {
		return nil, nil
	}
	return s.flowStats(ids), nil
}

func (s *Server) removeRxFilters(o object, p *port) (any, error) {
	f, err := p.existing(profileName(o))
	if err != nil {
		return nil, err
	}
	if err := f.must("remove_rx_filters", trex.Ready); err != nil {
		return nil, err
	}
	for _, st := range f.streams {
		if st.group != nil {
			s.removeFilters(st.group)
		}
	}
	return done, nil
}
