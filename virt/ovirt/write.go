package ovirt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// create makes an object in a collection, from the struct body, and gives what
// the engine made. It may not be ready yet: see waiting.
//
// A lost reply, or one that does not say what was made, is an ErrOutcomeUnknown:
// the object is to be looked up by its key before anything else.
func create[S, T any](ctx context.Context, c *Client, k kind[S], path string, q url.Values, body any, conv func(*S) (T, error)) (T, error) {
	return send(ctx, c, http.MethodPost, k, path, q, body, conv)
}

// update changes what body says of an object, and gives the engine's answer: the
// object as it is then, which need not show the change yet.
func update[S, T any](ctx context.Context, c *Client, k kind[S], path string, q url.Values, body any, conv func(*S) (T, error)) (T, error) {
	return send(ctx, c, http.MethodPut, k, path, q, body, conv)
}

func send[S, T any](ctx context.Context, c *Client, method string, k kind[S], path string, q url.Values, body any, conv func(*S) (T, error)) (T, error) {
	var item T
	xml, err := encode(k.item, body)
	if err != nil {
		return item, err
	}
	err = c.do(ctx, request{Method: method, Path: path, Query: q, Body: xml}, func(rep *reply) error {
		if rep.Status == http.StatusAccepted && !rep.XML {
			return &readError{errors.New("accepted, without saying what was made")}
		}
		s, err := one(rep, k)
		if err != nil {
			return err
		}
		if item, err = conv(s); err != nil {
			return &readError{fmt.Errorf("%s %s: %w", k.item, idOf(s), err)}
		}
		return nil
	})
	return item, err
}

// done is the answer to an action.
type done struct {
	Pending bool   // storage tasks of it still run
	Job     string // id of the engine's job; empty = none was named
}

// act calls an action of an object, as start. body is nil for none.
// The action was then executed by the engine; the object may not have reached the
// state yet.
func act(ctx context.Context, c *Client, path string, body *actionXML) (done, error) {
	return actWith(ctx, c, path, nil, body)
}

// actWith calls an action that also takes parameters of the URL.
func actWith(ctx context.Context, c *Client, path string, q url.Values, body *actionXML) (done, error) {
	if body == nil {
		body = &actionXML{}
	}
	xml, err := encode("action", body)
	if err != nil {
		return done{}, err
	}
	var d done
	err = c.do(ctx, request{Method: http.MethodPost, Path: path, Query: q, Body: xml}, func(rep *reply) error {
		d, err = readAction(rep)
		return err
	})
	return d, err
}

// remove deletes an object. One that is not there is a *Fault of kind
// ErrNotFound, unless an earlier try of this very call may have removed it.
func remove(ctx context.Context, c *Client, path string, q url.Values) (done, error) {
	var d done
	err := c.do(ctx, request{Method: http.MethodDelete, Path: path, Query: q}, func(rep *reply) error {
		var err error
		d, err = readAction(rep)
		return err
	})
	return d, err
}

// readAction reads the answer to an action or a DELETE. One that was accepted may
// have no body.
func readAction(rep *reply) (done, error) {
	if !rep.XML {
		page, err := io.ReadAll(io.LimitReader(rep.Body, 64<<10))
		if err != nil {
			return done{}, &readError{err}
		}
		if rep.Status == http.StatusAccepted && len(page) == 0 {
			return done{Pending: true}, nil
		}
		return done{}, notXML(bytes.NewReader(page))
	}
	s, err := openXML(rep, "action")
	if err != nil {
		return done{}, err
	}
	var v faultXML
	if err := s.dec.DecodeElement(&v, &s.root); err != nil {
		return done{}, &readError{fmt.Errorf("the engine's answer to an action: %w", err)}
	}
	if v.failed() {
		return done{}, v.fault()
	}
	return done{Pending: v.Status == "pending" || v.Status == "in_progress", Job: v.Job.ID}, nil
}
