package trex

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// magic begins a compressed message: magic, the size of the content as a big-endian uint32, a zlib stream.
const magic = 0xabe85cea

const envelopeLen = 8

// ErrTooLarge is wrapped when a message's content is longer than accepted.
var ErrTooLarge = errors.New("message too large")

// Pack compresses a message into TRex's envelope.
func Pack(body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	b = binary.BigEndian.AppendUint32(b, uint32(len(body)))
	buf := bytes.NewBuffer(b)
	w := zlib.NewWriter(buf)
	w.Write(body) // a bytes.Buffer takes everything
	w.Close()
	return buf.Bytes()
}

// Unpack returns a message's content, and whether it came in an envelope. Like the original, it takes the size in the
// envelope as a bound: the content may be shorter but not longer. Content of more than limit bytes is an ErrTooLarge.
func Unpack(b []byte, limit int) (body []byte, packed bool, err error) {
	if len(b) < 4 || binary.BigEndian.Uint32(b) != magic {
		if len(b) > limit {
			return nil, false, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(b), limit)
		}
		return b, false, nil
	}
	if len(b) < envelopeLen {
		return nil, true, fmt.Errorf("compressed message of %d bytes has no size: want %d bytes of header", len(b),
			envelopeLen)
	}
	size := int64(binary.BigEndian.Uint32(b[4:]))
	r, err := zlib.NewReader(bytes.NewReader(b[envelopeLen:]))
	if err != nil {
		return nil, true, fmt.Errorf("compressed message: %w", err)
	}
	body, err = io.ReadAll(io.LimitReader(r, min(size, int64(limit))+1))
	switch {
	case err != nil:
		return nil, true, fmt.Errorf("compressed message: %w", err)
	case int64(len(body)) > size:
		return nil, true, fmt.Errorf("compressed message is longer than the %d bytes it announces", size)
	case len(body) > limit:
		return nil, true, fmt.Errorf("%w: more than %d bytes when unpacked", ErrTooLarge, limit)
	}
	return body, true, nil
}
