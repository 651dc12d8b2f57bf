package traces

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// packings and binaries are files that are not read, by the bytes at an offset, with what the user can do instead.
var (
	packings = []foreignMagic{
		{0, "\x1f\x8b", "gzip inside another packing", "unpack it once"},
		{0, "\x28\xb5\x2f\xfd", "zstd inside another packing", "unpack it once"},
		{0, "\xfd7zXZ\x00", "an xz file", "unpack it with xz -d"},
		{0, "PK\x03\x04", "a zip archive", "unpack it with unzip"},
		{0, "PK\x05\x06", "an empty zip archive", "look for the right file"},
		{0, "BZh", "a bzip2 file", "unpack it with bzip2 -d"},
		{0, "7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it with 7z x"},
		{0, "Rar!\x1a\x07", "a RAR archive", "unpack it with unrar x"},
		{0, "\x04\x22\x4d\x18", "an lz4 file", "unpack it with lz4 -d"},
		{0, "LZIP", "an lzip file", "unpack it with lzip -d"},
		{0, "\x5d\x00\x00", "an lzma file", "unpack it with xz --format=lzma -d"},
		{0, "\x1f\x9d", "a file of compress (.Z)", "unpack it with gzip -d"},
		{0, "\x89LZO\x00\x0d\x0a\x1a\x0a", "an lzop file", "unpack it with lzop -d"},
		{257, "ustar", "a tar archive", "unpack it with tar -x"},
	}
	binaries = []foreignMagic{
		{0, "\x1c\x00\x01\xac", "an IXIA hardware capture", toPcap},
		{0, "\xac\x01\x00\x1c", "an IXIA hardware capture", toPcap},
		{0, "\x1c\x00\x01\xab", "an IXIA software capture", toPcap},
		{0, "\xab\x01\x00\x1c", "an IXIA software capture", toPcap},
		{0, "snoop\x00\x00\x00", "a snoop capture", toPcap},
		{0, "btsnoop\x00", "a btsnoop capture of Bluetooth", "there are no IP packets in it"},
		{0, "GMBU", "a Microsoft Network Monitor 2 capture", toPcap},
		{0, "RTSS", "a Microsoft Network Monitor 1 capture", toPcap},
		{0, "TRSNIFF data", "a capture of Network General's Sniffer", toPcap},
		{0, "XCP\x00", "a capture of NetXRay or Sniffer for Windows", toPcap},
		{0, "iptrace ", "an AIX iptrace capture", toPcap},
		{0, "\x0c\xa5", "an nfdump file", "write it with nfdump -r FILE -o csv"},
		{0, "\xa5\x0c", "an nfdump file", "write it with nfdump -r FILE -o csv"},
		{0, "\xcf\x10", "a flow-tools file", "export it with flow-export -f 2, and make a flow CSV of that"},
		{0, "\xde\xad\xbe\xef", "a SiLK file", "write it with rwcut, and make a flow CSV of that"},
		{0, "\x00\x0a", "IPFIX messages", "collect them with nfcapd, and write them with nfdump -o csv"},
		{0, "\x00\x09", "NetFlow version 9 packets", "collect them with nfcapd, and write them with nfdump -o csv"},
		{0, "\x00\x05", "NetFlow version 5 packets", "collect them with nfcapd, and write them with nfdump -o csv"},
		{0, "PAR1", "a Parquet file", toFlows}, {0, "ARROW1", "an Arrow file", toFlows},
		{0, "Obj\x01", "an Avro file", toFlows},
		{0, "\x89HDF\x0d\x0a\x1a\x0a", "an HDF5 file", toFlows}, {0, "\x93NUMPY", "a NumPy file", toFlows},
		{0, "SQLite format 3\x00", "an SQLite database", toFlows},
		{0, "%PDF", "a PDF document", "look for the right file"},
		{0, "Salted__", "a file encrypted by OpenSSL", "decrypt it first"},
		{0, "\xff\xfe", "text in UTF-16", "write it in UTF-8: iconv -f UTF-16 -t UTF-8"},
		{0, "\xfe\xff", "text in UTF-16", "write it in UTF-8: iconv -f UTF-16 -t UTF-8"},
		{0, "version https://git-lfs", "a pointer of Git LFS and not the file itself", "fetch it with git lfs pull"},
	}
)

const (
	toPcap  = "write it as pcapng with Wireshark's editcap FILE OUT.pcapng"
	toFlows = "write a flow CSV from it"
)

type foreignMagic struct {
	at          int
	magic       string
	name, doNow string
}

// foreignColumns are CSV formats that are not read, by some of their column names.
var foreignColumns = []struct {
	columns     []string
	name, doNow string
}{
	{[]string{"IPV4_SRC_ADDR", "L4_SRC_PORT", "IN_BYTES"},
		"a CSV of nProbe, as the NetFlow data sets NF-UNSW-NB15 and others are", toFlows},
	{[]string{"bidirectional_packets", "src2dst_packets"}, "the CSV of NFStream", toFlows},
	{[]string{"tot_fwd_pkts", "totlen_fwd_pkts"}, "the CSV of the Python cicflowmeter, whose names differ from " +
		"CICFlowMeter's", toFlows},
	{[]string{"StartTime", "Dur", "SrcAddr", "TotPkts"}, "the CSV of Argus (ra), as the binetflow files of CTU-13 are",
		toFlows},
	{[]string{"pkSeqID", "stime"}, "a CSV of Argus, as Bot-IoT is", toFlows},
	{[]string{"srcip", "dstip", "sbytes", "dbytes"}, "a CSV of UNSW-NB15", toFlows},
	{[]string{"ts", "src_ip", "dst_ip", "conn_state"}, "a Zeek log turned into CSV, as ToN_IoT is",
		"take the conn.log itself, or " + toFlows},
	{[]string{"No.", "Time", "Source", "Destination"}, "a packet list exported by Wireshark",
		"take the capture itself"},
	{[]string{"frame.time_epoch"}, "the field output of tshark", "take the capture itself"},
	{[]string{"sIP", "dIP", "sPort", "packets"}, "the text of SiLK's rwcut", toFlows},
	{[]string{"account-id", "interface-id"}, "an AWS VPC flow log", toFlows},
	{[]string{"firstSeen", "duration", "packets"}, "the CSV of nfdump, aggregated, without addresses",
		"write the flows with nfdump -o csv"},
}

// foreign names an input that is in none of our formats, and says what to do; it is nil if the input is not known.
func foreign(head []byte, first string) error {
	for _, x := range slices.Concat(packings, binaries) {
		if len(head) >= x.at && bytes.HasPrefix(head[x.at:], []byte(x.magic)) {
			return fmt.Errorf("is %s, which is not read: %s", x.name, x.doNow)
		}
	}
	// a management record first
	if len(head) >= 4 && head[0] >= 0x82 && head[0] <= 0x85 && head[1]&0x0f == 0 &&
		binary.BigEndian.Uint16(head[2:]) < 256 {
		return errors.New("is an Argus file, which is not read: write it with ra, and make a flow CSV of that")
	}
	if isERF(head) {
		return errors.New("is an ERF capture (Endace), which is not read: " + toPcap)
	}
	trimmed := strings.TrimLeft(first, " \t")
	switch {
	case strings.HasPrefix(trimmed, "{"), strings.HasPrefix(trimmed, "["):
		return errors.New("is JSON, but not a Zeek conn.log with a record on each line (ts, id.orig_h, orig_pkts, " +
			"...): want that, or a flow CSV")
	case strings.HasPrefix(trimmed, "<"):
		return errors.New("is HTML or XML, perhaps a page instead of the file: look for the right file")
	case strings.HasPrefix(first, "Date first seen"):
		return errors.New("is the text of nfdump, which is not read: write it with nfdump -o csv")
	case strings.Contains(first, " IP ") && strings.Contains(first, " > "):
		return errors.New("is the text of tcpdump, which is not read: take the capture itself")
	}
	for _, separator := range []string{",", ";", "\t", "|", " "} {
		names := strings.ReplaceAll(first, separator, ",")
		for _, f := range flowLogs {
			if separator != "," && f.begins(names) {
				return fmt.Errorf("looks like %s, but %q stands between its values: want commas", f.title, separator)
			}
		}
		for _, x := range foreignColumns {
			if hasColumns(names, x.columns...) {
				return fmt.Errorf("is %s, which is not read: %s", x.name, x.doNow)
			}
		}
	}
	if names, err := splitCSV(first); err == nil && len(names) > 1 && !bytes.ContainsRune(head, 0) {
		return fmt.Errorf("begins with the columns %q, which no reader of flow logs knows: want a flow CSV with %s "+
			"(load curves are read by a scenario's load and services)",
			clip(strings.Join(names, ",")), strings.TrimSuffix(flowHeader(Frames), "\n"))
	}
	return nil
}

// isERF recognises an ERF record, which has no magic: a time of 1990 to 2040 in little endian, a known type, and a
// length that holds its header.
func isERF(b []byte) bool {
	if len(b) < 16 {
		return false
	}
	sec, kind, rlen := binary.LittleEndian.Uint32(b[4:]), b[8]&0x7f, binary.BigEndian.Uint16(b[10:])
	return sec > 631152000 && sec < 2208988800 && kind >= 1 && kind <= 48 && rlen >= 16 && b[9]&0x40 == 0 &&
		bytes.IndexByte(b[:16], 0) >= 0
}
