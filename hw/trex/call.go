package trex

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"
)

// maxBatch bounds the bytes of one batch. The server refuses 1,000,000; TRex's own client splits at half of it.
const maxBatch = 500_000

// Params are the parameters of a call by name.
type Params map[string]any

// Call is one method with its parameters. Result, if not nil, is a pointer that receives the result.
type Call struct {
	Method string
	Params Params
	Result any
}

type request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id"`
	Method  string `json:"method"`
	Params  Params `json:"params"`
}

type response struct {
	ID     json.RawMessage `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code     Code   `json:"code"`
		Message  string `json:"message"`
		Specific string `json:"specific_err"`
	} `json:"error"`
}

// withoutHandle are the methods that need no handle from the handshake.
var withoutHandle = map[string]bool{"api_sync_v2": true, "api_sync": true, "ping": true, "get_version": true}

// Call makes one call and decodes its result. A refusal is an *Error. Until ctx ends, it tries again if the server says
// so, and waits for work in progress.
func (c *Client) Call(ctx context.Context, method string, params Params, result any) error {
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		err := c.Batch(ctx, []Call{{method, params, result}})
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Code != CodeTryAgain && refusal.Code != CodeInProgress {
			return err
		}
		if refusal.Code == CodeInProgress && method != "get_async_results" {
			method, params = "get_async_results", Params{"ticket_id": json.Number(refusal.Specific)}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// Batch makes calls in order, in as few messages as possible. The server carries out every call of a message, even if
// an earlier one failed. The error joins the refusals, each an *Error. Batch ends at a call that cannot be sent.
func (c *Client) Batch(ctx context.Context, calls []Call) error {
	var errs []error
	var body []byte
	var first int    // of the calls in body
	var ids []uint64 // of the calls in body
	send := func(next int) error {
		if len(ids) == 0 {
			return nil
		}
		if len(ids) > 1 {
			body = append(append([]byte{'['}, body...), ']')
		}
		answer, err := c.link.exchange(ctx, body)
		if err != nil {
			return err
		}
		refused, err := decode(answer, calls[first:next], ids)
		errs = append(errs, refused...)
		body, ids, first = nil, nil, next
		return err
	}
	for i, call := range calls {
		id := c.id.Add(1)
		params := Params{}
		maps.Copy(params, call.Params)
		if !withoutHandle[call.Method] {
			params["api_h"] = c.handle
		}
		b, err := json.Marshal(request{"2.0", id, call.Method, params})
		if err != nil {
			return fmt.Errorf("trex: %s: %w", call.Method, err)
		}
		if len(body)+len(b) > maxBatch {
			if err := send(i); err != nil {
				return err
			}
		}
		if len(ids) > 0 {
			body = append(body, ',')
		}
		body, ids = append(body, b...), append(ids, id)
	}
	if err := send(len(calls)); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// decode hands the results of an answer to the calls. It returns the server's refusals, and an error if the answer
// does not fit the calls.
func decode(answer []byte, calls []Call, ids []uint64) (refused []error, err error) {
	var responses []response
	if b := bytes.TrimSpace(answer); len(b) > 0 && b[0] == '[' {
		err = unmarshal(b, &responses)
	} else {
		responses = make([]response, 1)
		err = unmarshal(b, &responses[0])
	}
	if err != nil {
		return nil, fmt.Errorf("trex: %s: answer %.60q: %w", calls[0].Method, answer, err)
	}
	// A refusal of the whole message is one object without an id.
	if len(responses) == 1 && responses[0].Error != nil && string(responses[0].ID) == "null" {
		e := responses[0].Error
		return nil, &Error{calls[0].Method, e.Code, e.Message, e.Specific}
	}
	if len(responses) != len(calls) {
		return nil, fmt.Errorf("trex: %s: %d answers to %d calls", calls[0].Method, len(responses), len(calls))
	}
	for i, r := range responses {
		call := calls[i]
		if string(r.ID) != fmt.Sprint(ids[i]) {
			return nil, fmt.Errorf("trex: %s: answer has id %.20s, want %d", call.Method, r.ID, ids[i])
		}
		switch {
		case r.Error != nil:
			refused = append(refused, &Error{call.Method, r.Error.Code, r.Error.Message, r.Error.Specific})
		case r.Result == nil:
			return nil, fmt.Errorf("trex: %s: answer with neither result nor error", call.Method)
		case call.Result != nil:
			if err := unmarshal(r.Result, call.Result); err != nil {
				return nil, fmt.Errorf("trex: %s: result %.60q: %w", call.Method, r.Result, err)
			}
		}
	}
	return refused, nil
}

// unmarshal keeps numbers as written where the target is any: counters do not fit a float64.
func unmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}
