package traces

import "fmt"

// The flow CSV of this program has a line for each flow and direction, with these columns in any order. The name of the
// last column says what its bytes count; the names are those of Layer.
var flowColumns = []column{
	{names: []string{"start_s"}}, {names: []string{"duration_s"}}, {names: []string{"proto"}}, {names: []string{"src"}},
	{names: []string{"src_port"}}, {names: []string{"dst"}}, {names: []string{"dst_port"}},
	{names: []string{"packets"}},
	{names: layerNames[:]},
}

const (
	fStart = iota
	fDuration
	fProto
	fSrc
	fSrcPort
	fDst
	fDstPort
	fPackets
	fBytes
)

var flowCSV = flowLog{
	name: "flows", title: "flow CSV", want: "the flow CSV of smartinco",
	begins: func(line string) bool { return hasColumns(line, "start_s", "duration_s", "src_port") }, read: readFlowCSV,
}

// hasColumns reports whether a line of CSV has all the names.
func hasColumns(line string, names ...string) bool {
	cells, err := splitCSV(line)
	if err != nil {
		return false
	}
	found := 0
	for _, name := range names {
		for _, c := range cells {
			if c == name {
				found++
				break
			}
		}
	}
	return found == len(names)
}

func readFlowCSV(l *lines, log *logged) error {
	t := table{lines: l, log: log, columns: flowColumns}
	t.named = func(names []string) error {
		layer, _ := parseLayer(names[t.index[fBytes]])
		if log.records > 0 && layer != log.layer {
			return fmt.Errorf("column %s, and %s before: files of which one counts other bytes cannot be joined",
				layerNames[layer], layerNames[log.layer])
		}
		log.layer = layer
		return nil
	}
	if err := t.head(); err != nil {
		return err
	}
	for {
		ok, err := t.row()
		if !ok {
			return err
		}
		var c connection
		if c.start, err = parseSeconds(t.cell(fStart)); err != nil {
			return t.fail(fStart, err)
		}
		if c.duration, err = log.positive(parseLength(t.cell(fDuration))); err != nil {
			return t.fail(fDuration, err)
		}
		if err = t.record(&c, fSrc, fDst, fSrcPort, fDstPort, fProto, parseProto); err != nil {
			return err
		}
		if err = t.counts(&c, fPackets, fBytes); err != nil {
			return err
		}
		if err := log.add(l.n, c); err != nil {
			return err
		}
	}
}

// flowHeader is the first line of a flow CSV.
func flowHeader(l Layer) string {
	return fmt.Sprintf("start_s,duration_s,proto,src,src_port,dst,dst_port,packets,%s\n", layerNames[l])
}
