package trex

import (
	"context"
	"time"
)

// EventType says what happened. Those of a profile are 10 more than those of its port, and come first.
type EventType int

// The events of a port.
const (
	EventStarted  EventType = 0
	EventStopped  EventType = 1
	EventPaused   EventType = 2
	EventResumed  EventType = 3
	EventDone     EventType = 4 // all streams or the duration ended
	EventAcquired EventType = 5 // Who took the port, by Force or not
	EventReleased EventType = 6
	EventError    EventType = 7
	EventAttr     EventType = 8
	EventProfile  EventType = 10 // added to the first five for a profile of the port
	EventShutdown EventType = 100
)

// Event is something that happened on the server.
type Event struct {
	Type EventType `json:"type"`
	Seq  uint64    `json:"seq"` // counts from 0 for each session; dropped events leave no gap
	Data struct {
		Port    int    `json:"port_id"`
		Profile string `json:"profile_id"`
		Who     string `json:"who"`
		Session uint32 `json:"session_id"`
		Force   bool   `json:"force"`
		Cause   string `json:"cause"`
	} `json:"data"`
}

// Events fetches what happened since the last fetch. The server keeps events from the session's first Acquire or
// Events on; it drops them when they wait for more than ten seconds.
func (c *Client) Events(ctx context.Context) ([]Event, error) {
	var r struct{ Data []Event }
	err := c.Call(ctx, "get_async_events", Params{"session_id": c.session}, &r)
	return r.Data, err
}

// WaitDone waits until none of the ports sends, and returns the events that it fetched meanwhile. It decides by the
// ports' state.
func (c *Client) WaitDone(ctx context.Context, ports ...*Port) ([]Event, error) {
	var events []Event
	for {
		busy := false
		for _, p := range ports {
			s, err := c.Status(ctx, p.ID)
			if err != nil {
				return events, err
			}
			busy = busy || s.State.Busy()
		}
		more, err := c.Events(ctx)
		if events = append(events, more...); err != nil || !busy {
			return events, err
		}
		select {
		case <-ctx.Done():
			return events, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
