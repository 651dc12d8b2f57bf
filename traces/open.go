package traces

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/smartinco/smartinco/units"
)

// ErrTruncated says that a file ends in the middle of a record.
var ErrTruncated = errors.New("file is truncated")

// errRecord says that one record of a file claims more than maxRecord bytes.
var errRecord = errors.New("one record is longer than 16 MiB")

const (
	// maxSpan bounds the times of a workload, so that adding a resolution or a second does not overflow units.Time.
	maxSpan = units.Time(100*24) * units.Hour

	maxRecord = 16 << 20 // bytes a reader takes for one record before it gives up
	maxLine   = 1 << 20  // bytes in a line of a log
)

// source is an input that is read in one pass, decompressed if it is gzip (of one member or several) or zstd.
type source struct {
	*bufio.Reader
	ctx    context.Context // reading is given up when it is done; nil is never
	file   *os.File        // nil if the input is no file
	packed io.Reader       // unpacks; nil if the input is not packed
	raw    io.Reader
	budget int   // bytes that the current record may still take
	err    error // first error of the input, the end included
}

// OpenFile opens a file to read. It refuses one that is not regular: a pipe that nobody writes to would hang for ever,
// and a run reads its inputs more than once, to record what they held.
func OpenFile(path string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe opens at once
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		found := "a device, want a file: write its content to one first"
		switch mode := info.Mode(); {
		case mode.IsDir():
			found = "a directory, want a file"
		case mode&os.ModeNamedPipe != 0:
			found = "a pipe, want a file: write its content to one first"
		}
		err = fmt.Errorf("%s is %s", path, found)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

func openSource(path string) (*source, error) {
	f, info, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	s, err := newSource(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s.file = f
	return s, nil
}

// window is how much of an input is read at a time.
const window = 1 << 17

// newSource reads from anything; size is about its length in bytes.
func newSource(r io.Reader, size int64) (s *source, err error) {
	s = &source{budget: maxRecord}
	buffer := int(min(size+1, window))
	if s.raw, s.packed, err = unpack(r, buffer); err != nil {
		return nil, err
	}
	if s.packed != nil {
		buffer = window
	}
	s.Reader = bufio.NewReaderSize(budgeted{s}, buffer)
	return s, nil
}

// budgeted bounds what one record can make a reader hold, whatever lengths the file claims or unpacks to.
type budgeted struct{ s *source }

func (b budgeted) Read(p []byte) (int, error) {
	if b.s.budget <= 0 {
		return 0, errRecord
	}
	if b.s.ctx != nil && b.s.ctx.Err() != nil {
		b.s.err = b.s.ctx.Err()
		return 0, b.s.err
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

// progress returns how many bytes of the file have been read, and how many there are; both are 0 if the input is no
// file.
func (s *source) progress() (read, size float64) {
	if s.file == nil {
		return 0, 0
	}
	info, err := s.file.Stat()
	if err != nil {
		return 0, 0
	}
	at, _ := s.file.Seek(0, io.SeekCurrent)
	return float64(at), float64(info.Size())
}

// notes counts what was peculiar in how the input is compressed.
func (s *source) notes(cs []Count) []Count {
	if m, ok := s.packed.(*members); ok {
		cs = count(cs, "zero bytes after the gzip data, left out", m.padding)
	}
	return cs
}

// Close closes the file.
func (s *source) Close() error {
	if c, ok := s.packed.(io.Closer); ok {
		c.Close()
	}
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// truncated tells the end of the file inside a record from a fault of the file or of the record.
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
	src, f, err := openTraffic(path, o.Context)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if f == nil {
		return readCapture(src, path, o, heldInCore)
	}
	return readFlowLog(src, path, o, f)
}

// openTraffic opens a file and finds its format; nil means a packet capture.
func openTraffic(path string, ctx context.Context) (*source, *flowLog, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, nil, fmt.Errorf("traces: %w", err)
	}
	src.ctx = ctx
	f, err := sniff(src)
	if err != nil {
		src.Close()
		return nil, nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	return src, f, nil
}

// sniff finds the format of an input by its beginning, which stays unread; nil means a packet capture.
func sniff(src *source) (*flowLog, error) {
	head, err := src.Peek(src.Size())
	src.next()
	if len(head) == 0 {
		if src.err != nil && src.err != io.EOF {
			return nil, src.truncated(err)
		}
		return nil, errors.New("the file is empty")
	}
	if _, capture := magics[string(head[:min(4, len(head))])]; capture {
		return nil, nil
	}
	first, rest, more := strings.Cut(string(head), "\n")
	for more && strings.TrimSpace(tidy(first)) == "" {
		first, rest, more = strings.Cut(rest, "\n")
	}
	first = tidy(first)
	line, _, cr := strings.Cut(first, "\r")
	for _, f := range flowLogs {
		switch {
		case !f.begins(line):
		case cr:
			return nil, fmt.Errorf("looks like %s, but its lines end with CR alone: write them with LF", f.title)
		default:
			return f, nil
		}
	}
	if src.err != nil && src.err != io.EOF {
		return nil, src.truncated(src.err)
	}
	if err := foreign(head, first); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("begins with % x, want a packet capture (pcap, pcapng), %s", head[:min(4, len(head))],
		wanted(flowLogs))
}

// wanted lists the formats. The two forms of a Zeek log are one for the reader.
func wanted(formats []*flowLog) string {
	var all []string
	for _, f := range formats {
		all = append(all, f.want)
	}
	return strings.Join(slices.Compact(all), ", ")
}
