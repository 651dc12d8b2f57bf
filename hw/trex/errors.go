package trex

import (
	"errors"
	"fmt"
)

// Code is a JSON-RPC error code. Those from -32000 on are TRex's own.
type Code int

// The codes of TRex.
const (
	CodeParse          Code = -32700 // not JSON
	CodeInvalidRequest Code = -32600 // no id, no method, not JSON-RPC 2.0
	CodeMethod         Code = -32601 // method not registered
	CodeParams         Code = -32602 // a parameter is missing or of the wrong type
	CodeInternal       Code = -32603 // such as a request that is too large
	CodeExecute        Code = -32000 // the command failed: Specific says why
	CodeTryAgain       Code = -32001 // the server is busy for a moment
	CodeInProgress     Code = -32002 // the command runs on: Specific is a ticket for get_async_results
	CodeNoResults      Code = -32003 // the ticket is not known
)

// maxText bounds how much of a server's text an error repeats.
const maxText = 1000

// Error is the server's refusal of a call.
type Error struct {
	Method   string // what was called
	Code     Code
	Message  string // the general text that goes with the code
	Specific string // specific_err: what exactly was wrong; may be empty
}

func (e *Error) Error() string {
	text := e.Message
	if e.Specific != "" {
		text = e.Specific
	}
	if len(text) > maxText {
		text = text[:maxText] + "..."
	}
	return fmt.Sprintf("trex: %s: %s (code %d)", e.Method, text, e.Code)
}

// IsCode reports whether err is, or wraps, an Error with that code.
func IsCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}
