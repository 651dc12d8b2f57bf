package trexserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/smartinco/smartinco/hw/trex"
)

// maxRequest is how long an unpacked request may be.
const maxRequest = 999_999

// maxUnpacked bounds the memory that a compressed request may take before it is refused.
const maxUnpacked = 16 << 20

// refusal is an answer with an error.
type refusal struct {
	code     trex.Code
	specific string
}

func (r *refusal) Error() string { return r.specific }

// failed refuses to execute.
func failed(format string, args ...any) error {
	return &refusal{trex.CodeExecute, fmt.Sprintf(format, args...)}
}

// badParams refuses parameters.
func badParams(err error) error { return &refusal{trex.CodeParams, err.Error()} }

var messages = map[trex.Code]string{
	trex.CodeExecute: "Failed To Execute Method",
	trex.CodeParams:  "Bad parameters for method",
}

// Handle answers one message as it comes over the wire. It never fails: what is wrong is said in the answer.
func (s *Server) Handle(message []byte) []byte {
	body, packed, err := trex.Unpack(message, maxUnpacked)
	switch {
	case errors.Is(err, trex.ErrTooLarge):
		return encode(tooLarge(fmt.Sprintf("more than %d", maxUnpacked)))
	case err != nil:
		body, packed = message, false // then it is not JSON either
	}
	answer := encode(s.answer(body))
	if packed {
		answer = trex.Pack(answer)
	}
	return answer
}

func (s *Server) answer(body []byte) any {
	if len(body) > maxRequest {
		return tooLarge(fmt.Sprint(len(body)))
	}
	v, err := parseJSON(body)
	if err != nil {
		return wrong(nil, trex.CodeParse, "Bad JSON Format")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.kind != '[' {
		return s.call(v)
	}
	answers := make([]any, len(v.list))
	for i, e := range v.list {
		answers[i] = s.call(e)
	}
	switch len(answers) {
	case 0:
		return nil
	case 1:
		return answers[0]
	}
	return answers
}

// call answers one request of a message.
func (s *Server) call(v *value) any {
	if v.kind != '{' && v.kind != 'n' {
		return wrong(nil, trex.CodeInvalidRequest, "Request is not an object")
	}
	id, version, name, params := v.fields["id"], v.fields["jsonrpc"], v.fields["method"], v.fields["params"]
	if id == nil || id.kind == 'n' {
		return wrong(nil, trex.CodeInvalidRequest, "Missing 'id' field")
	}
	if version == nil || version.scalar != "2.0" {
		return wrong(id, trex.CodeInvalidRequest, "Invalid JSONRPC Version")
	}
	if name == nil || name.kind == 'n' {
		return wrong(id, trex.CodeInvalidRequest, "Missing Method Name")
	}
	command, ok := commands[fmt.Sprint(name.scalar)]
	if !ok {
		return wrong(id, trex.CodeMethod, fmt.Sprintf("Method %v not registered", name.scalar))
	}
	result, err := s.execute(command, params)
	if err != nil {
		var r *refusal
		if !errors.As(err, &r) {
			r = &refusal{trex.CodeExecute, err.Error()}
		}
		return dict{"id": id.plain(), "jsonrpc": "2.0",
			"error": dict{"code": r.code, "message": messages[r.code], "specific_err": r.specific}}
	}
	return dict{"id": id.plain(), "jsonrpc": "2.0", "result": result}
}

func (s *Server) execute(c command, params *value) (any, error) {
	if params == nil || params.kind != '{' {
		return nil, failed("JSON-RPC2 params should be object in TRex case ")
	}
	o := newObject(params)
	if c.class != "" {
		handle := o.str("api_h")
		if o.failed() != nil {
			return nil, badParams(o.failed())
		}
		if handle != s.handle {
			return nil, failed("API verification failed - API handler provided mismatch for class: '%s'", c.class)
		}
	}
	var p *port
	if c.port != noPort {
		var err error
		if p, err = s.portOf(o, c.port == owned); err != nil {
			return nil, err
		}
	}
	result, err := c.run(s, o, p)
	if o.failed() != nil {
		// add_stream catches its parser's complaints and reports them as its own failure.
		if c.ownErrors {
			return nil, failed("%v", o.failed())
		}
		return nil, badParams(o.failed())
	}
	return result, err
}

// portOf finds the port that a command is for, and checks that the caller owns it if it must.
func (s *Server) portOf(o object, mustOwn bool) (*port, error) {
	n := o.uint("port_id", 8, "byte")
	if o.failed() != nil {
		return nil, badParams(o.failed())
	}
	if n >= uint64(len(s.ports)) {
		var ids []byte
		for i := len(s.ports) - 1; i >= 0; i-- {
			ids = append(ids, ' ', byte(i)) // as raw bytes: the original forgets to format them
		}
		return nil, failed("invalid port id - should be:%s", ids)
	}
	p := s.ports[n]
	if !mustOwn {
		return p, nil
	}
	handler := o.str("handler")
	switch {
	case o.failed() != nil:
		return nil, badParams(o.failed())
	case p.handler == "":
		return nil, failed("please acquire the port before modifying port state")
	case p.handler != handler:
		return nil, failed("port is not owned by you or your current executing session")
	}
	return p, nil
}

func wrong(id *value, code trex.Code, message string) dict {
	d := dict{"id": nil, "jsonrpc": "2.0", "error": dict{"code": code, "message": message}}
	if id != nil {
		d["id"] = id.plain()
	}
	return d
}

func tooLarge(size string) dict {
	return wrong(nil, trex.CodeInternal, "Request is too large ("+size+" bytes). Consider splitting to smaller chunks.")
}

// encode writes JSON as the original does: keys sorted, a newline at the end.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("trex server: an answer that is not JSON: %v", err)) // made of our own types only
	}
	return b.Bytes()
}
