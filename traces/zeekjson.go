package traces

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

var zeekJSON = flowLog{
	name: "zeek", title: "zeek conn.log", want: zeek.want,
	begins: func(line string) bool {
		line = strings.TrimSpace(line)
		return strings.HasPrefix(line, "{") && strings.Contains(line, `"ts"`) &&
			(strings.Contains(line, `"id.orig_h"`) || strings.Contains(line, `"_path"`)) || line == "{}"
	},
	read: readZeekJSON,
}

// zeekNeeds are the fields that every record of a conn.log has. JSON leaves out fields that are unset, so a record
// without one of these belongs to another log.
var zeekNeeds = [...]int{zTime, zProto, zOrigHost, zRespHost, zOrigPort, zRespPort}

// readZeekJSON reads the form with a JSON object on each line. ts is a number of seconds or a date. Objects of another
// log, by their _path, are left out.
func readZeekJSON(l *lines, log *logged) error {
	log.layer = IPBytes
	others := 0
	for text, ok := l.line(); ok; text, ok = l.line() {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if strings.HasPrefix(text, "#") {
			return errors.New("a line of the tab-separated form among JSON: these files cannot be joined")
		}
		var v zeekValues
		path, members, err := v.decode(text)
		switch {
		case err != nil:
			return err
		case members == 0:
			log.skip("rows without values")
			continue
		case path != "" && path != "conn":
			log.skip("records of other logs than conn, left out")
			others++
			continue
		}
		for _, i := range zeekNeeds {
			if v[i] == "" {
				return fmt.Errorf("no %s: want the records of a Zeek conn.log", zeekFields[i])
			}
		}
		if v[zOrigPackets]+v[zRespPackets]+v[zOrigBytes]+v[zRespBytes] == "" {
			return errors.New("none of orig_pkts, orig_ip_bytes, resp_pkts and resp_ip_bytes: want the records of a " +
				"Zeek conn.log")
		}
		if err := v.add(l.n, log); err != nil {
			return err
		}
	}
	if log.records == 0 && l.scan.Err() == nil {
		return fmt.Errorf("no record of conn, and %d of other logs: want a Zeek conn.log", others)
	}
	return nil
}

// decode reads an object. A used field that is null is unset; one that occurs twice is an error.
func (v *zeekValues) decode(text string) (path string, members int, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return "", 0, errors.New("not a JSON object: want one on each line")
	}
	var seen [len(zeekFields)]bool
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return "", 0, broken(err)
		}
		members++
		var value any
		if err := d.Decode(&value); err != nil {
			return "", 0, broken(err)
		}
		if key == "_path" {
			path, _ = value.(string)
		}
		i := slices.Index(zeekFields[:], key.(string))
		if i < 0 {
			continue
		}
		if seen[i] {
			return "", 0, fmt.Errorf("%s twice in an object: want it once", zeekFields[i])
		}
		seen[i] = true
		switch x := value.(type) {
		case nil:
		case string:
			v[i] = x
		case json.Number:
			if v[i], err = plain(x.String()); err != nil {
				return "", 0, fmt.Errorf("%s: %w", zeekFields[i], err)
			}
		default:
			return "", 0, fmt.Errorf("%s: %T, want a number or a string", zeekFields[i], x)
		}
	}
	if _, err := d.Token(); err != nil {
		return "", 0, broken(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return "", 0, errors.New("more than a JSON object on a line: want one")
	}
	return path, members, nil
}

func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the JSON object ends before it is closed")
	}
	return fmt.Errorf("JSON: %w", err)
}

// plain writes a JSON number without an exponent: 1e-06 becomes 0.000001. No digit is lost.
func plain(s string) (string, error) {
	mantissa, exponent, scientific := strings.Cut(strings.ToLower(s), "e")
	if !scientific {
		return s, nil
	}
	e, err := strconv.Atoi(exponent)
	if err != nil || e < -30 || e > 18 || len(mantissa) > 40 {
		return "", fmt.Errorf("%q is out of range", clip(s))
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, frac, _ := strings.Cut(mantissa, ".")
	digits, point := whole+frac, len(whole)+e
	if point <= 0 {
		digits, point = strings.Repeat("0", 1-point)+digits, 1
	}
	if len(digits) < point {
		digits += strings.Repeat("0", point-len(digits))
	}
	whole = strings.TrimLeft(digits[:point-1], "0") + digits[point-1:point]
	if frac = strings.TrimRight(digits[point:], "0"); frac != "" {
		whole += "." + frac
	}
	return sign + whole, nil
}
