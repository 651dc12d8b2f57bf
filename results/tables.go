package results

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
)

// The tables' files.
const (
	windowsName   = "windows.parquet"
	instancesName = "instances.parquet"
	flowsName     = "flows.parquet"
	latencyName   = "latency.parquet"
	histogramName = "histogram.parquet"
	nodesName     = "nodes.parquet"
)

// tableNames are all tables; the first alwaysThere are in every record.
var tableNames = []string{windowsName, instancesName, flowsName, latencyName, histogramName, nodesName}

const alwaysThere = 3

// rowGroup bounds what a table's writer holds, and batch what goes to it at once, in rows.
const (
	rowGroup = 1 << 16
	batch    = 256
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is how Run.Tables writes the checksum of a table.
func checksum(h hash.Hash32) string { return fmt.Sprintf("%08x", h.Sum32()) }

// table writes one Parquet file. What the library would say about its own build stays out of the footer, so that the
// same rows give the same bytes.
type table[T any] struct {
	w    *parquet.GenericWriter[T]
	buf  *bufio.Writer
	sum  hash.Hash32
	rows []T
	err  error
}

func newTable[T any](w io.Writer) *table[T] {
	sum := crc32.New(castagnoli)
	buf := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	return &table[T]{
		w: parquet.NewGenericWriter[T](buf,
			parquet.CreatedBy(createdBy, "1", "0"),
			parquet.Compression(&parquet.Zstd),
			parquet.MaxRowsPerRowGroup(rowGroup),
			parquet.PageBufferSize(1<<14),
			parquet.WriteBufferSize(0)),
		buf:  buf,
		sum:  sum,
		rows: make([]T, 0, batch),
	}
}

func (t *table[T]) add(row *T) error {
	if t.rows = append(t.rows, *row); len(t.rows) == batch {
		t.flush()
	}
	return t.err
}

func (t *table[T]) flush() {
	if t.err == nil {
		_, t.err = t.w.Write(t.rows)
	}
	t.rows = t.rows[:0]
}

func (t *table[T]) close() error {
	t.flush()
	if t.err != nil {
		return t.err
	}
	if err := t.w.Close(); err != nil {
		return err
	}
	return t.buf.Flush()
}

// readTable calls each with every row of the Parquet file at path; the row passed is reused. Every error names path.
func readTable[T any](ctx context.Context, path, want string, each func(*T) error) error {
	f, err := openInput(ctx, path)
	if err != nil {
		return Damaged(err)
	}
	defer f.Close()
	return readChecked(path, f, f.size, want, each)
}

// readChecked reads a table whose checksum is the one in run.json. A damaged footer can make the library allocate
// gigabytes or build strings that point nowhere, which no recover mends: no other file may reach it.
func readChecked[T any](path string, f io.ReaderAt, size int64, want string, each func(*T) error) error {
	if err := checkSum(path, io.NewSectionReader(f, 0, size), want); err != nil {
		return err
	}
	return readRows(path, f, size, each)
}

// checkSum reads a table's bytes, which must have the checksum in run.json.
func checkSum(path string, r io.Reader, want string) error {
	sum := crc32.New(castagnoli)
	if _, err := io.Copy(sum, r); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if got := checksum(sum); got != want {
		return Damaged(fmt.Errorf("%s: the file is damaged: checksum %s, want %q as %s says", path, got, want, runName))
	}
	return nil
}

// readRows calls each with every row of a Parquet file, which is whole but may be another's: with other columns.
func readRows[T any](path string, f io.ReaderAt, size int64, each func(*T) error) (err error) {
	calling := false // each's own panics pass unchanged
	defer func() {
		if calling {
			return
		}
		if p := recover(); p != nil {
			err = Damaged(fmt.Errorf("%s: the file is damaged: %v", path, p))
		}
	}()
	file, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return Damaged(fmt.Errorf("%s: not a whole Parquet file: %w", path, err))
	}
	if err := sameColumns[T](file); err != nil {
		return Damaged(fmt.Errorf("%s: %w", path, err))
	}
	r := parquet.NewGenericReader[T](file)
	defer r.Close()
	rows := make([]T, batch)
	for left := file.NumRows(); ; {
		n, err := r.Read(rows)
		if left -= int64(n); n == 0 && err == nil {
			err = io.ErrNoProgress
		}
		calling = true
		for i := range rows[:n] {
			if err := each(&rows[i]); err != nil {
				return err
			}
		}
		calling = false
		switch {
		case errors.Is(err, io.EOF) && left == 0:
			return nil
		case errors.Is(err, io.EOF):
			return Damaged(fmt.Errorf("%s: the file is damaged: %d rows fewer than its footer says", path, left))
		case err != nil:
			return Damaged(fmt.Errorf("%s: the file is damaged: %w", path, err))
		}
	}
}

// sameColumns says whether a file has the columns of T, in their order and of their types.
func sameColumns[T any](file *parquet.File) error {
	want, got := parquet.SchemaOf(new(T)).Fields(), file.Schema().Fields()
	for i, w := range want {
		if i >= len(got) || got[i].Name() != w.Name() || !got[i].Leaf() || got[i].Optional() || got[i].Repeated() ||
			got[i].Type().Kind() != w.Type().Kind() {
			found := "none"
			if i < len(got) {
				found = fmt.Sprintf("%s %v", got[i].Name(), got[i])
			}
			return fmt.Errorf("column %d is %s, want %s %v: not a table of this version", i+1, found, w.Name(),
				w.Type())
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("column %d is %s, want none: not a table of this version", len(want)+1, got[len(want)].Name())
	}
	return nil
}

// tables are the Parquet files of a finished record.
type tables struct {
	ctx     context.Context
	dir     string
	sums    map[string]string // Run.Tables
	content *Content          // Run.Log; nil in a record of format 1
}

func (t tables) windows(each func(*Window) error) error     { return tableIn(t, windowsName, each) }
func (t tables) instances(each func(*Instance) error) error { return tableIn(t, instancesName, each) }
func (t tables) flows(each func(*Flow) error) error         { return tableIn(t, flowsName, each) }

// A run that measures no delay has no tables of it.
func (t tables) latencies(each func(*Latency) error) error { return optionalIn(t, latencyName, each) }
func (t tables) buckets(each func(*Bucket) error) error    { return optionalIn(t, histogramName, each) }

// A run of one NIC has no table of nodes.
func (t tables) nodes(each func(*Node) error) error { return optionalIn(t, nodesName, each) }

func optionalIn[T any](t tables, name string, each func(*T) error) error {
	if _, ok := t.sums[name]; !ok {
		return nil
	}
	return tableIn(t, name, each)
}

func tableIn[T any](t tables, name string, each func(*T) error) error {
	return readTable(t.ctx, filepath.Join(t.dir, name), t.sums[name], each)
}

func (t tables) log() (io.ReadCloser, error) {
	f, err := openInput(t.ctx, filepath.Join(t.dir, logName))
	if err != nil || t.content == nil {
		return f, Damaged(err)
	}
	return &checkedLog{input: f, sum: crc32.New(castagnoli), want: *t.content}, nil
}

// checkedLog is a log whose end is an error unless all that was read is what run.json says.
type checkedLog struct {
	*input
	sum  hash.Hash32
	n    int64
	want Content
}

func (c *checkedLog) Read(b []byte) (int, error) {
	n, err := c.input.Read(b)
	c.sum.Write(b[:n])
	c.n += int64(n)
	if err == io.EOF {
		if got := (Content{c.n, checksum(c.sum)}); got != c.want {
			err = fmt.Errorf("the file is damaged: %d bytes of checksum %s, want %d of %s as %s says", got.Bytes,
				got.CRC, c.want.Bytes, c.want.CRC, runName)
		}
	}
	return n, err
}

// check reads every file that run.json vouches for.
func (t tables) check() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(t.sums)) {
		if !slices.Contains(tableNames, name) {
			errs = append(errs, Damaged(fmt.Errorf("%s: a checksum of %s, want those of %s",
				filepath.Join(t.dir, runName), Quote(name), strings.Join(tableNames, ", "))))
			continue
		}
		path := filepath.Join(t.dir, name)
		f, err := openInput(t.ctx, path)
		if err == nil {
			err = errors.Join(checkSum(path, f, t.sums[name]), f.Close())
		}
		errs = append(errs, Damaged(err))
	}
	for _, name := range tableNames[:alwaysThere] {
		if _, ok := t.sums[name]; !ok {
			errs = append(errs, Damaged(fmt.Errorf("%s: no checksum of %s", filepath.Join(t.dir, runName), name)))
		}
	}
	log, err := t.log()
	if err == nil {
		if _, err = io.Copy(io.Discard, log); err != nil {
			err = Damaged(fmt.Errorf("%s: %w", filepath.Join(t.dir, logName), err))
		}
		err = errors.Join(err, log.Close())
	}
	return errors.Join(append(errs, err)...)
}
