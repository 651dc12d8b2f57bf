package results

import (
	"bufio"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
)

// convert writes the tables from the journal, in one pass, gives them their names when all are whole, and returns their
// checksums.
func (w *Writer) convert() (sums map[string]string, err error) {
	var open []conversion
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.file.Close())
		}
		for _, c := range open {
			if err == nil {
				err = os.Rename(w.path(c.name+temp), w.path(c.name))
			} else {
				os.Remove(w.path(c.name + temp))
			}
		}
	}()
	var rows consumer
	makers := []func() error{
		func() (err error) { rows.window, err = convertTo[Window](w, &open, windowsName); return err },
		func() (err error) { rows.instance, err = convertTo[Instance](w, &open, instancesName); return err },
		func() (err error) { rows.flow, err = convertTo[Flow](w, &open, flowsName); return err },
		func() (err error) { rows.latency, err = convertTo[Latency](w, &open, latencyName); return err },
		func() (err error) { rows.bucket, err = convertTo[Bucket](w, &open, histogramName); return err },
	}
	if !w.delays {
		makers = makers[:alwaysThere]
	}
	if w.rows.nodes > 0 {
		makers = append(makers,
			func() (err error) { rows.node, err = convertTo[Node](w, &open, nodesName); return err })
	}
	for _, m := range makers {
		if err := m(); err != nil {
			return nil, err
		}
	}
	if err := w.convertRows(rows); err != nil {
		return nil, err
	}
	sums = map[string]string{}
	for _, c := range open {
		if err := errors.Join(c.close(), c.file.Sync()); err != nil {
			return nil, err
		}
		sums[c.name] = checksum(c.sum)
	}
	return sums, nil
}

// convertRows hands every row of the journal on, and holds their numbers against those that were written. It reads the
// file that the Writer has, whatever has its name by now.
func (w *Writer) convertRows(to consumer) error {
	if err := w.unchanged(w.journal, journalName, w.journaled); err != nil {
		return err
	}
	var n rowCount
	j := journal{path: w.path(journalName), end: wholeJournal, ended: true}
	err := j.framesOf(bufio.NewReaderSize(io.NewSectionReader(w.journal, 0, w.journaled), 1<<16), consumer{
		counted(&n.windows, to.window), counted(&n.instances, to.instance), counted(&n.flows, to.flow),
		counted(&n.latencies, to.latency), counted(&n.buckets, to.bucket),
		counted(&n.nodes, to.node)}.frame())
	if err == nil && n != w.rows {
		err = fmt.Errorf("%s: rows %+v, want those that were written, %+v", j.path, n, w.rows)
	}
	return err
}

func counted[T any](n *int64, each func(*T) error) func(*T) error {
	return func(row *T) error {
		*n++
		if each == nil {
			return nil
		}
		return each(row)
	}
}

// conversion is a table that convert writes.
type conversion struct {
	name  string
	file  file
	sum   hash.Hash32
	close func() error
}

// convertTo begins a table and returns what adds a row to it.
func convertTo[T any](w *Writer, open *[]conversion, name string) (func(*T) error, error) {
	f, err := w.create(w.path(name+temp), replace)
	if err != nil {
		return nil, err
	}
	t := newTable[T](f)
	*open = append(*open, conversion{name, f, t.sum, t.close})
	return t.add, nil
}
