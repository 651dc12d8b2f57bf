package traces

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// unpack looks for the magic of gzip (RFC 1952) and of zstd (RFC 8878) and decompresses what follows. packed is the
// same reader, or nil if there was nothing to decompress.
func unpack(r io.Reader, buffer int) (raw, packed io.Reader, err error) {
	br := bufio.NewReaderSize(r, buffer)
	switch magic, _ := br.Peek(4); {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		packed, err = newMembers(br)
	case len(magic) == 4 && (string(magic) == "\x28\xb5\x2f\xfd" || magic[0]&0xf0 == 0x50 &&
		string(magic[1:]) == "\x2a\x4d\x18"):
		packed, err = newZstd(br)
	default:
		return br, nil, nil
	}
	return packed, packed, err
}

// gunzip is unpack for data in memory.
func gunzip(r io.Reader) (io.Reader, error) {
	raw, _, err := unpack(r, window)
	return raw, err
}

// members reads gzip data of one member or several. Zeros after the last one, which tapes and block devices add, are
// skipped, as gzip itself does.
type members struct {
	br      *bufio.Reader
	z       *gzip.Reader
	padding int64
}

func newMembers(br *bufio.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(br)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = ErrTruncated
	}
	if err != nil {
		return nil, fmt.Errorf("gzip header: %w", err)
	}
	z.Multistream(false)
	return &members{br: br, z: z}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for {
		if n, err := m.z.Read(p); n > 0 || err != io.EOF {
			if err == io.EOF {
				err = nil // of a member; the next call begins another
			}
			return n, err
		}
		for {
			b, err := m.br.Peek(1)
			if err != nil {
				return 0, err
			}
			if b[0] != 0 {
				break
			}
			m.br.Discard(1)
			m.padding++
		}
		if m.padding > 0 {
			return 0, fmt.Errorf("%w after %d zeros at the end of its data", gzip.ErrHeader, m.padding)
		}
		if err := m.z.Reset(m.br); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return 0, err
		}
		m.z.Multistream(false)
	}
}

// zstdWindow is how far back zstd data may refer. What zstd writes without --ultra stays below it.
const zstdWindow = 128 << 20

// unzstd is a decoder whose errors name zstd.
type unzstd struct{ z *zstd.Decoder }

func newZstd(br *bufio.Reader) (io.Reader, error) {
	z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, fmt.Errorf("zstd header: %w", err)
	}
	return &unzstd{z}, nil
}

func (u *unzstd) Read(p []byte) (int, error) {
	n, err := u.z.Read(p)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		err = fmt.Errorf("damaged zstd data: %w", err)
	}
	return n, err
}

func (u *unzstd) Close() error {
	u.z.Close()
	return nil
}
