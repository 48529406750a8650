package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/source"
	"github.com/nactl/nactl/inventory"
	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

const (
	simStart   = 10 * time.Second       // for how long engine-sim is waited for
	simLook    = 100 * time.Millisecond // how often
	simTimeout = 10 * time.Second       // of one request
	simReply   = 64 << 10               // bytes that a refusal may have
)

// engineSimTell sends commands to the engines of an engine-sim that runs, or is
// just being started, in a folder.
func (a *application) engineSimTell(c *cli.Context) error {
	if !c.Args().Present() {
		return exitError{engine.ExitOptions, fmt.Errorf("write what the engines are to be told:\n%s", simCommands())}
	}
	engines, client, err := runningSims(c.Context, c.String("dir"))
	if err != nil {
		return exitError{engine.ExitUnreachable, err}
	}
	defer client.CloseIdleConnections()
	only, found := c.String("engine"), false
	for _, t := range engines {
		if t.Engine == nil || only != "" && t.Name != only {
			continue
		}
		found = true
		if err := tellSim(c.Context, client, t.Engine.URL, strings.Join(c.Args().Slice(), "\n")); err != nil {
			return exitError{engine.ExitOptions, fmt.Errorf("engine %s: %w", t.Name, err)}
		}
	}
	if !found {
		return exitError{engine.ExitOptions, fmt.Errorf("there is no engine %q", only)}
	}
	return nil
}

// runningSims reads what engine-sim has written, which it does once the engines
// answer.
func runningSims(ctx context.Context, dir string) ([]inventory.Target, *http.Client, error) {
	path := filepath.Join(dir, simInventory)
	for end := time.Now().Add(simStart); ; {
		_, err := os.Stat(path)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) || time.Now().After(end) {
			return nil, nil, fmt.Errorf("%w: run nactl engine-sim there", err)
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(simLook):
		}
	}
	inv, list := inventory.Load(ctx, []string{path}, inventory.Options{Sources: &source.Sources{}})
	if list.HasErrors() {
		return nil, nil, fmt.Errorf("%s is not what nactl engine-sim writes", path)
	}
	pem, err := os.ReadFile(filepath.Join(dir, simCA))
	if err != nil {
		return nil, nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return inv.All(), &http.Client{Timeout: simTimeout, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}, nil
}

func tellSim(ctx context.Context, client *http.Client, api, lines string) error {
	u, err := url.Parse(api)
	if err != nil {
		return err
	}
	u.Path = ovirtsim.ControlPath
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewBufferString(lines))
	if err != nil {
		return err
	}
	rep, err := client.Do(req)
	if err != nil {
		return err
	}
	defer rep.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(rep.Body, simReply)) // what there is of it
	if rep.StatusCode != http.StatusNoContent {
		return errors.New(strings.TrimSpace(string(text)))
	}
	return nil
}
