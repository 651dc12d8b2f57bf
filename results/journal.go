package results

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"path/filepath"
)

// The journal holds the rows of a run that has not ended, in the order in which they came. It begins with a head: the
// line journalMagic and the layout of the columns. Frames follow: length and CRC-32 of the payload, four bytes each,
// and the payload: 'w', a window, the number of its instances and the instances; 'n', the number of the nodes of the
// window that follows and the nodes; 'f' and a flow; or 'l', a latency, the number of its buckets and the buckets. All
// integers are little-endian. A frame that is cut off by the end of the file was being written when the run was killed,
// and is left out; any other inconsistency is damage and an error.
const (
	journalName  = "journal"
	journalMagic = "smartinco journal 1\n"
	frameHead    = 8
	maxFrame     = 1 << 28 // bytes; a window of a million instances takes less
)

func appendJournalHead(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(append(b, journalMagic...), layout)
}

// sealFrame fills in the head of the frame that begins at b[from:].
func sealFrame(b []byte, from int) {
	payload := b[from+frameHead:]
	binary.LittleEndian.PutUint32(b[from:], uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[from+4:], crc32.ChecksumIEEE(payload))
}

func appendWindowFrame(b []byte, w *Window, instances []Instance) []byte {
	from := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = appendRow(append(b, 'w'), w, windowColumns)
	b = binary.AppendUvarint(b, uint64(len(instances)))
	for i := range instances {
		b = appendRow(b, &instances[i], instanceColumns)
	}
	sealFrame(b, from)
	return b
}

func appendFlowFrame(b []byte, f *Flow) []byte {
	from := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = appendRow(append(b, 'f'), f, flowColumns)
	sealFrame(b, from)
	return b
}

func appendLatencyFrame(b []byte, l *Latency, buckets []Bucket) []byte {
	from := len(b)
	b = append(b, make([]byte, frameHead)...)
	b = appendRow(append(b, 'l'), l, latencyColumns)
	b = binary.AppendUvarint(b, uint64(len(buckets)))
	for i := range buckets {
		b = appendRow(b, &buckets[i], bucketColumns)
	}
	sealFrame(b, from)
	return b
}

// journal reads the journal at path, up to byte end. If the run has ended, a frame that is cut off by the end of the
// file is damage as well.
type journal struct {
	ctx   context.Context
	path  string
	end   int64
	ended bool
}

const wholeJournal = math.MaxInt64

// frames calls each with every frame: its payload, valid during the call, and the offset at which it ends.
func (j journal) frames(each func(payload []byte, end int64) error) error {
	f, err := openInput(j.ctx, j.path)
	if err != nil {
		return Damaged(err)
	}
	defer f.Close()
	return j.framesOf(bufio.NewReaderSize(f, 1<<16), each)
}

func (j journal) framesOf(r io.Reader, each func(payload []byte, end int64) error) error {
	head := make([]byte, len(journalMagic)+4)
	if _, err := io.ReadFull(r, head); err != nil { // it may have been killed before the head was out
		return j.short(0, err, false)
	}
	if string(head[:len(journalMagic)]) != journalMagic {
		return Damaged(fmt.Errorf("%s: begins with %q, want %q: not a journal", j.path, head[:len(journalMagic)],
			journalMagic))
	}
	if got := binary.LittleEndian.Uint32(head[len(journalMagic):]); got != layout {
		return Damaged(fmt.Errorf("%s: columns of layout %08x, want %08x: written by another version", j.path, got,
			layout))
	}
	at := int64(len(head))
	var payload []byte
	for at < j.end {
		var h [frameHead]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return j.short(at, err, errors.Is(err, io.EOF))
		}
		n := binary.LittleEndian.Uint32(h[:])
		if n == 0 || n > maxFrame {
			return Damaged(fmt.Errorf("%s: byte %d: a frame of %d bytes, want 1 to %d: the file is damaged", j.path, at,
				n, maxFrame))
		}
		var err error
		if payload, err = readN(r, payload[:0], int(n)); err != nil {
			return j.short(at, err, false)
		}
		if got, want := crc32.ChecksumIEEE(payload), binary.LittleEndian.Uint32(h[4:]); got != want {
			return Damaged(fmt.Errorf("%s: byte %d: a frame of checksum %08x, want %08x: the file is damaged", j.path,
				at, got, want))
		}
		end := at + frameHead + int64(n)
		if err := each(payload, end); err != nil {
			return fmt.Errorf("%s: byte %d: %w", j.path, at, err)
		}
		at = end
	}
	return nil
}

// short is what a read that ended early means: the frame at byte at does not count, or is damage. clean says that it
// ended between two frames.
func (j journal) short(at int64, err error, clean bool) error {
	switch {
	case !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: %w", j.path, err)
	case clean || !j.ended:
		return nil
	}
	return Damaged(fmt.Errorf("%s: byte %d: the frame is cut off: the file is damaged", j.path, at))
}

// readN reads n bytes into b, growing it as they come rather than on the word of a damaged length.
func readN(r io.Reader, b []byte, n int) ([]byte, error) {
	for len(b) < n {
		from, step := len(b), min(n-len(b), 1<<16)
		b = append(b, make([]byte, step)...)
		if _, err := io.ReadFull(r, b[from:]); err != nil {
			return b, err
		}
	}
	return b, nil
}

// lastWindow is the offset at which the last full window ends, 0 if there is none.
func (j journal) lastWindow() (end int64, err error) {
	j.end = wholeJournal
	err = j.frames(func(p []byte, e int64) error {
		if p[0] == 'w' {
			end = e
		}
		return nil
	})
	return end, err
}

// consumer is what to call with the rows of each kind; a nil function leaves them out. The rows passed are reused.
type consumer struct {
	window   func(*Window) error
	instance func(*Instance) error
	flow     func(*Flow) error
	latency  func(*Latency) error
	bucket   func(*Bucket) error
	node     func(*Node) error
}

// rows calls the functions with every row.
func (j journal) rows(c consumer) error { return j.frames(c.frame()) }

// frame takes frames apart.
func (c consumer) frame() func([]byte, int64) error {
	var w Window
	var in Instance
	var fl Flow
	var la Latency
	var bu Bucket
	var no Node
	var texts Texts
	return func(p []byte, _ int64) (err error) {
		kind, p := p[0], p[1:]
		switch kind {
		case 'w':
			return nested(p, &texts, &w, windowColumns, c.window, &in, instanceColumns, c.instance)
		case 'f':
			if c.flow == nil {
				return nil
			}
			_, err := nextRow(p, &fl, flowColumns, &texts, c.flow)
			return err
		case 'l':
			return nested(p, &texts, &la, latencyColumns, c.latency, &bu, bucketColumns, c.bucket)
		case 'n':
			return several(p, &texts, &no, nodeColumns, c.node)
		}
		return Damaged(fmt.Errorf("a frame of kind %q, want w, f, l or n", kind))
	}
}

// nextRow reads one row into r, hands it to each, unless that is nil, and returns the rest of p.
func nextRow[T any](p []byte, r *T, cols []column, t *Texts, each func(*T) error) ([]byte, error) {
	p, err := decodeRow(p, r, cols, t)
	if err == nil && each != nil {
		err = each(r)
	}
	return p, err
}

// nested reads a row, the number of the rows that belong to it, and these.
func nested[A, B any](
	p []byte, t *Texts, a *A, aCols []column, eachA func(*A) error, b *B, bCols []column, eachB func(*B) error,
) error {
	if eachA == nil && eachB == nil {
		return nil
	}
	p, err := nextRow(p, a, aCols, t, eachA)
	if err != nil {
		return err
	}
	return several(p, t, b, bCols, eachB)
}

// several reads a number of rows, and these.
func several[T any](p []byte, t *Texts, row *T, cols []column, each func(*T) error) error {
	n, used := binary.Uvarint(p)
	if used <= 0 {
		return errShort
	}
	p = p[used:]
	var err error
	for ; n > 0 && each != nil && err == nil; n-- {
		p, err = nextRow(p, row, cols, t, each)
	}
	return err
}

func (j journal) windows(each func(*Window) error) error     { return j.rows(consumer{window: each}) }
func (j journal) instances(each func(*Instance) error) error { return j.rows(consumer{instance: each}) }
func (j journal) flows(each func(*Flow) error) error         { return j.rows(consumer{flow: each}) }
func (j journal) latencies(each func(*Latency) error) error  { return j.rows(consumer{latency: each}) }
func (j journal) buckets(each func(*Bucket) error) error     { return j.rows(consumer{bucket: each}) }
func (j journal) nodes(each func(*Node) error) error         { return j.rows(consumer{node: each}) }

func (j journal) log() (io.ReadCloser, error) {
	f, err := openInput(j.ctx, filepath.Join(filepath.Dir(j.path), logName))
	return f, Damaged(err)
}

// check has nothing left to do: opening the record has compared every frame with its checksum.
func (j journal) check() error { return nil }
