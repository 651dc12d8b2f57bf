package traces

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/smartinco/smartinco/units"
)

// ErrTruncated says that a file ends in the middle of a record.
var ErrTruncated = errors.New("file is truncated")

// errRecord says that one record of a file claims more than maxRecord bytes.
var errRecord = errors.New("one record is longer than 16 MiB")

const (
	// maxSpan bounds the times that are read, so that adding a resolution or a second does not overflow units.Time.
	maxSpan = units.Time(100*24) * units.Hour

	maxRecord = 16 << 20 // bytes a reader takes for one record before it gives up
	maxLine   = 1 << 20  // bytes in a line of a log
)

// source is an open file, decompressed if it is gzip (of one member or several), read in one pass.
type source struct {
	*bufio.Reader
	file   *os.File
	raw    io.Reader
	budget int   // bytes that the current record may still take
	err    error // first error of the file beneath, the end included
}

func openSource(path string) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{file: f, budget: maxRecord}
	if s.raw, err = gunzip(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.Reader = bufio.NewReaderSize(budgeted{s}, 1<<17)
	return s, nil
}

// gunzip looks for the magic of gzip (RFC 1952) and decompresses what has it.
func gunzip(r io.Reader) (io.Reader, error) {
	br := bufio.NewReaderSize(r, 1<<17)
	if magic, _ := br.Peek(2); len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return br, nil
	}
	z, err := gzip.NewReader(br)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = ErrTruncated
	}
	if err != nil {
		return nil, fmt.Errorf("gzip header: %w", err)
	}
	return z, nil
}

// budgeted bounds what one record can make a reader hold, whatever lengths the file claims or unpacks to.
type budgeted struct{ s *source }

func (b budgeted) Read(p []byte) (int, error) {
	if b.s.budget <= 0 {
		return 0, errRecord
	}
	n, err := b.s.raw.Read(p)
	b.s.budget -= n
	if err != nil && b.s.err == nil {
		b.s.err = err
	}
	return n, err
}

// next starts a new record.
func (s *source) next() { s.budget = maxRecord }

// progress is how much of the file has been read, in bytes, and how much there is; 0 of what is no regular file.
func (s *source) progress() (read, size float64) {
	info, err := s.file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, 0
	}
	at, _ := s.file.Seek(0, io.SeekCurrent)
	return float64(at), float64(info.Size())
}

func (s *source) Close() error { return s.file.Close() }

// truncated tells an end of file inside a record from a fault of the file or of the record.
func (s *source) truncated(err error) error {
	switch {
	case s.budget <= 0:
		return errRecord
	case s.err != nil && !errors.Is(s.err, io.EOF) && !errors.Is(s.err, io.ErrUnexpectedEOF):
		return s.err
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || s.err != nil && s.Buffered() == 0:
		return ErrTruncated
	}
	return err
}

// Read reads recorded traffic as flows, whatever its format: a packet capture as ReadCapture does, a flow log as
// ReadFlowLog does. The content decides, not the name.
func Read(path string, o Options) (*Workload, error) {
	f, err := sniff(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	case f == nil:
		return ReadCapture(path, o)
	}
	return readFlowLog(path, o, f)
}

// sniff finds the format of a file by its beginning; nil is a packet capture.
func sniff(path string) (*flowLog, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	magic, err := src.Peek(4)
	if _, capture := magics[string(magic)]; capture {
		return nil, nil
	}
	if len(magic) == 0 {
		if src.err != nil && src.err != io.EOF {
			return nil, src.truncated(err)
		}
		return nil, errors.New("the file is empty")
	}
	l := &lines{source: src, scan: bufio.NewScanner(src.Reader)}
	l.scan.Buffer(make([]byte, 0, 1<<16), maxLine)
	first, _ := l.line()
	for _, f := range flowLogs {
		if f.begins(first) {
			return f, nil
		}
	}
	if err := l.fault(); err != nil && !errors.Is(err, bufio.ErrTooLong) && l.n == 0 && src.err != nil && src.err != io.EOF {
		return nil, err
	}
	var wants []string
	for _, f := range flowLogs {
		wants = append(wants, f.want)
	}
	return nil, fmt.Errorf("begins with % x, want a packet capture (pcap, pcapng), %s", magic, strings.Join(wants, ", "))
}
