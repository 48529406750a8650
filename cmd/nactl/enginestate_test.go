package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// everything is where all that steps can make or change on an engine stands.
var everything = []string{
	"/vms?follow=disk_attachments.disk,nics,snapshots,tags,cdroms&all_content=true",
	"/disks", "/networks", "/vnicprofiles", "/tags",
	"/clusters?follow=networks,affinity_groups", "/hosts?follow=nics,network_attachments",
}

// fataler is a test, or a script that is one.
type fataler interface {
	Fatalf(format string, args ...any)
}

// state gives all that is on the engine, once it has finished what it works on,
// in a form in which two engines that were led to the same are the same: without
// ids and times, and in an order that does not tell what was first.
func (b *bed) state(t fataler) string {
	b.sim.Advance(10 * time.Minute)
	get, done := b.reader(t)
	defer done()
	found := map[string]any{}
	for _, path := range everything {
		found[path] = get(path)
	}
	names := map[string]string{}
	collectNames(found, names)
	var pairs []string
	for id, name := range names {
		pairs = append(pairs, id, name)
		if len(id) > 20 {
			pairs = append(pairs, id[:20], name) // a disk's serial in its guest
		}
	}
	text, err := json.MarshalIndent(normal("", found, strings.NewReplacer(pairs...)), "", " ")
	if err != nil {
		t.Fatalf("%v", err)
	}
	if b.anyHost {
		return runsOn.ReplaceAllString(string(text), "")
	}
	return string(text)
}

// runsOn is the host of a VM, as normal writes it.
var runsOn = regexp.MustCompile(`"host": \{\s*"id": "host[0-9]"\s*\},\s*`)

// reader gives what reads the engine's API, as somebody else, and what ends it.
func (b *bed) reader(t fataler) (get func(path string) any, done func()) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.sim.CA())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	client := &http.Client{Transport: transport}
	read := func(r *http.Request, err error) any {
		if err != nil {
			t.Fatalf("%v", err)
		}
		r.Header.Set("Accept", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer resp.Body.Close()
		var v any
		if err := json.NewDecoder(resp.Body).Decode(&v); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v: %v", r.URL, resp.StatusCode, v, err)
		}
		return v
	}
	form := url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {b.sim.User()}, "password": {b.sim.Password()}}
	login, err := http.NewRequestWithContext(context.Background(), http.MethodPost, strings.TrimSuffix(b.sim.URL(), "/api")+"/sso/oauth/token", strings.NewReader(form.Encode()))
	if err == nil {
		login.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	token := read(login, err).(map[string]any)["access_token"]
	return func(path string) any {
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, b.sim.URL()+path, nil)
		if err == nil {
			r.Header.Set("Authorization", fmt.Sprint("Bearer ", token))
		}
		return read(r, err)
	}, transport.CloseIdleConnections
}

// collectNames finds what the objects with an id are called.
func collectNames(v any, names map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		id, _ := v["id"].(string)
		for _, key := range []string{"name", "alias"} {
			if name, ok := v[key].(string); ok && id != "" {
				names[id] = name
			}
		}
		for _, inner := range v {
			collectNames(inner, names)
		}
	case []any:
		for _, inner := range v {
			collectNames(inner, names)
		}
	}
}

// passing are fields that differ between engines of the same content: links, when
// something happened, what is counted, and what was drawn from a pool.
var passing = []string{"href", "link", "actions", "creation_time", "start_time", "stop_time", "date", "mac", "reported_devices", "fqdn",
	"summary", "statistics", "image_id", "qcow_version", "actual_size", "total_size", "initial_size"}

// hostKeys are what a guest is told of its host keys, which are drawn.
var hostKeys = regexp.MustCompile(`(?m)^(ssh_keys:|# nactl: SSH host key of VM).*$`)

func normal(key string, v any, names *strings.Replacer) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			if !slices.Contains(passing, k) {
				out[k] = normal(k, inner, names)
			}
		}
		return out
	case []any:
		texts := make([]string, len(v))
		for i, inner := range v {
			b, err := json.Marshal(normal("", inner, names))
			if err != nil {
				return err.Error()
			}
			texts[i] = string(b)
		}
		slices.Sort(texts)
		out := make([]any, len(v))
		for i, text := range texts {
			out[i] = json.RawMessage(text)
		}
		return out
	case string:
		if v = hostKeys.ReplaceAllString(names.Replace(v), ""); key == "id" && uuid.Validate(v) == nil {
			return "an id"
		}
		return v
	default:
		return v
	}
}
