// Package results is the run record: what a plant writes while a run goes, and what figures, comparison and calibration
// read afterwards without knowing which plant it was.
//
// A record is a directory. run.json says what ran and what came of it, host.json on what machine and how long it took
// (the only file that depends on the clock), Parquet tables hold the windows, the instances in each window, the flows
// and, on request, the delays, and events.jsonl holds what went into and came out of the orchestrator, in order,
// complete enough to feed it through the orchestrator again.
//
// A Parquet file cannot be read before its footer is written, which happens last. A run that is killed must leave its
// rows readable all the same, so rows go to a journal (see journal.go) while the run lasts; Close turns the journal
// into the tables, puts a run.json with their checksums in place, and removes the journal. A run.json without checksums
// therefore belongs to a run that was killed or is still going; Open then reads the journal up to the last full window.
// Apart from the journal and the log, every file appears under its name only once it is whole.
//
// The struct types Window, Instance, Flow, Latency and Bucket are the only list of columns. The journal, the tables and
// the export walk their fields, so a new column is one line in schema.go.
//
// Writer writes a record, Memory keeps one in slices, Discard drops it; Open and Memory.Record give the same Record.
package results
