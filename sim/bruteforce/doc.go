// Package bruteforce holds the two engines against a third simulator of the whole plant that has no cleverness: one
// heap of events, one packet at a time, written from docs/model.md alone. It shares nothing with the engines and the
// plant of package sim but the orchestrator that it drives and the record that it writes. It exists for its tests only.
//
// Random scenarios with everything in them run in all three. The packet engine must write the same record, to the
// packet: every row of every table and every line of the log. The fluid engine must agree with it within what is in
// flight.
//
//	go test ./sim/bruteforce -scenarios 10000 -first 1    # 200 from seed 1 without the flags
//	go test ./sim/bruteforce -scenarios 1 -first 4711     # one again, with its YAML
//	go test ./sim/bruteforce -run File -scenario x.yaml   # a scenario that was cut down by hand
//
// A difference prints the seed, the scenario and what differs. If both may be right, docs/model.md is silent there and
// gets a sentence.
package bruteforce
