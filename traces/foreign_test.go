package traces

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode"
)

func TestWhatIsNotReadIsRefusedByItsName(t *testing.T) {
	tar := make([]byte, 512)
	copy(tar, "conn.log")
	copy(tar[257:], "ustar")
	erf := []byte{0, 0, 0, 0, 0x80, 0x84, 0x5e, 0x5f, 2, 4, 0, 96, 0, 0, 0, 78, 0, 0}
	pcap := pcapOf(linkEthernet, stamped{0, cat(macs, []byte{8, 0}, ip4(17, 1, 0, udpPorts))})
	text := func(s string) []byte { return []byte(s + "\n1,2,3\n") }
	for _, c := range []struct {
		want string
		file []byte
	}{
		{"is an xz file, which is not read: unpack it with xz -d", []byte("\xfd7zXZ\x00\x00\x04")},
		{"is a zip archive", []byte("PK\x03\x04\x14\x00")},
		{"is a bzip2 file", []byte("BZh91AY&SY")},
		{"is a 7z archive", []byte("7z\xbc\xaf\x27\x1c\x00\x04")},
		{"is a RAR archive", []byte("Rar!\x1a\x07\x01\x00")},
		{"is an lz4 file", []byte("\x04\x22\x4d\x18\x64")},
		{"is an lzip file", []byte("LZIP\x01")},
		{"is an lzma file", []byte("\x5d\x00\x00\x80\x00")},
		{"is a file of compress (.Z)", []byte("\x1f\x9d\x90")},
		{"is a tar archive", tar},
		{"is a tar archive", zipped(tar)},
		{"is gzip inside another packing, which is not read: unpack it once", zipped(zipped(pcap))},
		{"is zstd inside another packing", zipped(zstandard(pcap))},
		{"is an IXIA hardware capture", []byte("\xac\x01\x00\x1c\x02\x00\x04\x00")},
		{"is a snoop capture, which is not read: write it as pcapng with Wireshark's editcap",
			[]byte("snoop\x00\x00\x00\x00\x00\x00\x02")},
		{"is a Microsoft Network Monitor 2 capture", []byte("GMBU\x00\x02")},
		{"is an ERF capture (Endace)", erf},
		{"is an nfdump file, which is not read: write it with nfdump -r FILE -o csv", []byte("\x0c\xa5\x01\x00")},
		{"is a flow-tools file", []byte("\xcf\x10\x01\x03")},
		{"is a SiLK file", []byte("\xde\xad\xbe\xef\x01\x02")},
		{"is IPFIX messages", []byte("\x00\x0a\x01\x00\x5f\x5e")},
		{"is NetFlow version 9 packets", []byte("\x00\x09\x00\x01\x00\x00")},
		{"is NetFlow version 5 packets", []byte("\x00\x05\x00\x1e\x00\x00")},
		{"is an Argus file, which is not read: write it with ra", []byte("\x83\x10\x00\x20\xe5\x71\x2d\xcb")},
		{"is a Parquet file", []byte("PAR1\x15\x04")},
		{"is text in UTF-16", []byte("\xff\xfet\x00s\x00")},
		{"is a pointer of Git LFS and not the file itself",
			[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n")},
		{"is HTML or XML", text("<!DOCTYPE html>")},
		{"is JSON, but not a Zeek conn.log", text(`{"event_type":"flow"}`)},
		{"is JSON, but not a Zeek conn.log", text(`[{"ts":1,"id.orig_h":"10.0.0.1"},`)},
		{"is the text of nfdump", text("Date first seen          Duration Proto      Src IP Addr:Port")},
		{"is the text of tcpdump", text("12:00:00.000000 IP 10.0.0.1.1025 > 10.0.0.2.53: UDP, length 4")},
		{"is a CSV of nProbe",
			text("IPV4_SRC_ADDR,L4_SRC_PORT,IPV4_DST_ADDR,L4_DST_PORT,PROTOCOL,L7_PROTO,IN_BYTES,OUT_BYTES,IN_PKTS")},
		{"is the CSV of NFStream", text("id,src_ip,dst_ip,bidirectional_packets,src2dst_packets,dst2src_packets")},
		{"is the CSV of the Python cicflowmeter",
			text("src_ip,dst_ip,src_port,dst_port,protocol,timestamp,flow_duration,tot_fwd_pkts,tot_bwd_pkts," +
				"totlen_fwd_pkts")},
		{"is the CSV of Argus (ra)",
			text("StartTime,Dur,Proto,SrcAddr,Sport,Dir,DstAddr,Dport,State,sTos,dTos,TotPkts,TotBytes,SrcBytes," +
				"Label")},
		{"is a CSV of Argus, as Bot-IoT is", text("pkSeqID,stime,flgs,proto,saddr,sport,daddr,dport,pkts,bytes")},
		{"is a CSV of UNSW-NB15", text("srcip,sport,dstip,dsport,proto,state,dur,sbytes,dbytes")},
		{"is a Zeek log turned into CSV",
			text("ts,src_ip,src_port,dst_ip,dst_port,proto,service,duration,src_bytes,dst_bytes,conn_state")},
		{"is a packet list exported by Wireshark",
			text(`"No.","Time","Source","Destination","Protocol","Length","Info"`)},
		{"is the text of SiLK's rwcut",
			text("sIP|dIP|sPort|dPort|pro|packets|bytes|flags|sTime|duration|eTime|sensor|")},
		{"is an AWS VPC flow log", text("version account-id interface-id srcaddr dstaddr srcport dstport protocol " +
			"packets bytes start end action log-status")},
		{"is the CSV of nfdump, aggregated", text("firstSeen,duration,proto,packets,bytes,bps,bpp,flows")},
		{`looks like nfdump CSV, but ";" stands between its values: want commas`,
			text("firstSeen;duration;proto;srcAddr;srcPort;dstAddr;dstPort;packets;bytes")},
		{"looks like flow CSV, but its lines end with CR alone",
			[]byte(strings.ReplaceAll(flowHeader(Frames), "\n", "\r") + "0,1\r")},
		{`begins with the columns "a,b,c", which no reader of flow logs knows`, text("a,b,c")},
		{"begins with 68 65 6c 6c, want a packet capture (pcap, pcapng), a Zeek conn.log (tab-separated or JSON), " +
			"the CSV", []byte("hello")},
	} {
		path := write(t, "x", c.file)
		for what, err := range map[string]error{"read": second(Read(path, Options{})),
			"inspect": second(Inspect(path, Options{}))} {
			if err == nil || !strings.Contains(err.Error(), path+": "+c.want) {
				t.Errorf("%s: got %v, want %s", what, err, c.want)
			}
		}
	}
	if err := second(ReadCapture(write(t, "x", []byte("\xfd7zXZ\x00")), Options{})); err == nil ||
		!strings.Contains(err.Error(), "is an xz file") {
		t.Errorf("a capture: got %v, want the name of xz", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestAPipeIsRefusedAndNotWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	for name, err := range map[string]error{
		"inspect": second(Inspect(path, Options{})), "read": second(Read(path, Options{})),
		"capture": second(ReadCapture(path, Options{})),
		"log":     second(ReadFlowLog(path, Options{})), "load": second(ReadLoad(path, LoadOptions{Column: "v"})),
		"one by one": second(OpenCapture(path)),
		"convert":    second(ConvertToFlows(context.Background(), path, Options{}, io.Discard, nil)),
	} {
		if err == nil || !strings.Contains(err.Error(), path+" is a pipe, want a file") {
			t.Errorf("%s: got %v, want an error that names the pipe", name, err)
		}
	}
	if err := second(Inspect("/dev/null", Options{})); err == nil ||
		!strings.Contains(err.Error(), "/dev/null is a device, want a file") {
		t.Errorf("got %v, want an error that names the device", err)
	}
	folder := t.TempDir()
	if err := second(Inspect(folder, Options{})); err == nil ||
		err.Error() != "traces: "+folder+" is a directory, want a file" {
		t.Errorf("got %v, want an error that names the directory", err)
	}
}

// endless repeats the end of a file for ever, and cancels its context at some read.
type endless struct {
	t          *testing.T
	head, body []byte
	reads      int
	cancel     func()
}

func (e *endless) Read(p []byte) (int, error) {
	if e.reads++; e.reads == 20 {
		e.cancel()
	} else if e.reads > 25 {
		e.t.Fatal("reads on after it was cancelled")
	}
	if len(e.head) == 0 {
		e.head = e.body
	}
	n := copy(p, e.head)
	e.head = e.head[n:]
	return n, nil
}

func TestReadingEndsWithItsContext(t *testing.T) {
	for _, s := range samplers {
		file := s.file(sampleStart)
		for name, read := range map[string]func(context.Context, *source) error{
			"run": func(ctx context.Context, src *source) error {
				if s.load {
					return second(s.readRates(src, "v", ""))
				}
				f, err := sniff(src)
				switch {
				case err != nil:
					return err
				case f == nil:
					return second(readCapture(src, "x", Options{}, heldInCore))
				}
				return second(readFlowLog(src, "x", Options{}, f))
			},
			"inspect": func(ctx context.Context, src *source) error {
				if s.load {
					return context.Canceled
				}
				f, err := sniff(src)
				if err != nil {
					return err
				}
				return second(inspect(src, "x", f, Options{}))
			},
			"convert": func(ctx context.Context, src *source) error {
				if s.load {
					return context.Canceled
				}
				f, err := sniff(src)
				if err != nil {
					return err
				}
				return second(convertToFlows(ctx, src, f, "x", Options{}, io.Discard, nil))
			},
		} {
			ctx, cancel := context.WithCancel(context.Background())
			body := bytes.Repeat(s.rest(), 1<<17/len(s.rest()))
			src, err := newSource(&endless{t: t, head: file, body: body, cancel: cancel}, window)
			if err != nil {
				t.Fatal(err)
			}
			src.ctx = ctx
			if err := read(ctx, src); !errors.Is(err, context.Canceled) {
				t.Errorf("%s, %s: %v, want that it was cancelled", s.name, name, err)
			}
		}
	}
}

// Every error can be printed, whichever byte of a log is a control character and however long a value is.
func TestErrorsQuoteWhatTheFileHolds(t *testing.T) {
	for _, s := range samplers {
		if s.capture {
			continue
		}
		whole := s.file(sampleStart, sampleStart+1)
		for i := range whole {
			for _, with := range []string{"\x1b[2J", "\x00", strings.Repeat("x", 5000)}[i%3 : i%3+1] {
				src := sourceOf(cat(whole[:i], []byte(with), whole[i+1:]))
				var err error
				if s.load {
					_, err = s.readRates(src, "v", "t")
				} else if f, fault := sniff(src); fault != nil {
					err = fault
				} else {
					_, err = inspect(src, "x", f, Options{})
				}
				if err == nil {
					continue
				}
				if text := err.Error(); len(text) > 500 || strings.ContainsFunc(text, unicode.IsControl) {
					t.Fatalf("%s with %.9q at %d: %q", s.name, with, i, text)
				}
			}
		}
	}
}
