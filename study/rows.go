package study

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/smartinco/smartinco/results"
)

// RowsName is the file with the rows of runs that have no record. The first line says what it is; each other one holds
// a finished run and its checksum. A line that was cut off or damaged is as good as none: its run is run again.
const RowsName = "rows.jsonl"

const rowsMagic = `{"smartinco":"rows of a study"`

// rowsHead is the first line.
const rowsHead = rowsMagic + `,"format":1}` + "\n"

// entry is a finished run.
type entry struct {
	Run  string      `json:"run"`
	Work string      `json:"work"`   // see work.digest
	Wall float64     `json:"wall_s"` // how long it took
	Row  results.Run `json:"row"`    // see trimmed
}

type line struct {
	CRC   string          `json:"crc32c"` // of entry as it stands there
	Entry json.RawMessage `json:"entry"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crcOf(b []byte) string { return fmt.Sprintf("%08x", crc32.Checksum(b, castagnoli)) }

// digest identifies a work, given its resolved scenario: two of the same digest come to the same.
func (w work) digest(resolved any) string {
	sum := sha256.New()
	e := json.NewEncoder(sum)
	for _, v := range []any{w.plant, w.engine, w.version, resolved, w.inputs} {
		if err := e.Encode(v); err != nil {
			panic(err) // values of our own, written to memory
		}
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// trimmed is what the tables need of a run.
func trimmed(r *results.Run) *results.Run {
	t := *r
	t.Scenario, t.Traffic, t.Skipped, t.Inputs, t.Notes, t.Tables, t.Log = nil, nil, nil, nil, nil, nil, nil
	return &t
}

// readRows adds the entries of a file to known, by their digests. A file that does not exist has none.
func readRows(path string, known map[string]*entry) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 1<<16)
	for {
		b, err := r.ReadBytes('\n')
		var l line
		var e entry
		if err == nil && json.Unmarshal(b, &l) == nil && crcOf(l.Entry) == l.CRC &&
			json.Unmarshal(l.Entry, &e) == nil && known[e.Work] == nil {
			known[e.Work] = &e
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// rowsIn reads the entries of a study's directory and of its shards.
func rowsIn(dir string) (map[string]*entry, error) {
	known := map[string]*entry{}
	shards, err := filepath.Glob(filepath.Join(dir, shardsName, "*", RowsName))
	if err != nil {
		return nil, err
	}
	for _, path := range append([]string{filepath.Join(dir, RowsName)}, shards...) {
		if err := readRows(path, known); err != nil {
			return nil, err
		}
	}
	return known, nil
}

// rowsFile takes entries from any goroutine. The file begins with the first of them.
type rowsFile struct {
	path string
	mu   sync.Mutex
	f    *os.File
}

// add writes an entry, in one piece.
func (r *rowsFile) add(e *entry) error {
	b, err := json.Marshal(e)
	if err == nil {
		b, err = json.Marshal(line{crcOf(b), b})
	}
	if err != nil {
		return fmt.Errorf("the row of %s: %w", e.Run, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.f == nil {
		if r.f, err = openRows(r.path); err != nil {
			return err
		}
	}
	_, err = r.f.Write(append(b, '\n'))
	return err
}

// openRows opens the file behind its last whole line.
func openRows(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	end := size
	for b := make([]byte, 1<<12); err == nil && end > 0; {
		at := max(0, end-int64(len(b)))
		n := int(end - at)
		if _, err = f.ReadAt(b[:n], at); err != nil {
			break
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			end = at + int64(i) + 1
			break
		}
		end = at
	}
	if err == nil && end < size {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err == nil && end == 0 {
		_, err = f.WriteString(rowsHead)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (r *rowsFile) close() error {
	if r.f == nil {
		return nil
	}
	return errors.Join(r.f.Sync(), r.f.Close())
}

// sizeOf is how many bytes the files in a directory have.
func sizeOf(dir string) (size int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !e.Type().IsRegular() }) {
		if info, err := e.Info(); err == nil {
			size += info.Size()
		}
	}
	return size
}
