package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// TestRecordedLists lists what real engines have answered and compares every
// field of every row with the tables of testdata/recorded. These tables are held
// against the recorded documents themselves, which a reader of the test's own
// reads: see recordedRows.
func TestRecordedLists(t *testing.T) {
	t.Setenv("ENGINE_PASSWORD", "secret")
	for _, recording := range []string{"ovirt_lans_refresh_recording", "refresher_network_ports_recording", "iso_domain_recording"} {
		dir := filepath.Join("..", "..", "virt", "ovirt", "ovirtsim", "testdata", recording)
		sim, err := ovirtsim.New(ovirtsim.Options{Recording: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := sim.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sim.Close)
		inv := engineInventory(t, sim)
		for kind, columns := range map[string][]string{
			"vms": vmColumns, "hosts": hostColumns, "clusters": clusterColumns, "datacenters": centreColumns, "storage": storageColumns,
		} {
			t.Run(recording+"/"+kind, func(t *testing.T) {
				table := readTable(t, filepath.Join("testdata", "recorded", recording, kind+".csv"))
				if d := cmp.Diff(table, parseTable(t, list(t, kind, inv, "csv"))); d != "" {
					t.Errorf("nactl list (-table +listed):\n%s", d)
				}
				var rows []map[string]any
				if err := json.Unmarshal(list(t, kind, inv, "json"), &rows); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(table, textRows(columns, rows)); d != "" {
					t.Errorf("nactl list -o json (-table +listed):\n%s", d)
				}
				want := append([][]string{columns}, recordedRows(t, dir, kind, columns)...)
				if d := cmp.Diff(want, table); d != "" {
					t.Errorf("the table is not what was recorded (-recorded +table):\n%s", d)
				}
			})
		}
	}
}

// engineInventory writes an inventory with one engine, e15.
func engineInventory(t *testing.T, sim *ovirtsim.Engine) string {
	t.Helper()
	dir := t.TempDir()
	inv := filepath.Join(dir, "inventory.yml")
	for file, text := range map[string]string{
		filepath.Join(dir, "ca.pem"): string(sim.CA()),
		inv: fmt.Sprintf("engines:\n  e15: {url: %q, username: %q, password: {secret: {env: ENGINE_PASSWORD}}, ca_file: ca.pem}\n",
			sim.URL(), sim.User()),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return inv
}

// list runs nactl list and gives what it prints.
func list(t *testing.T, kind, inv, format string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run([]string{"nactl", "list", kind, "-i", inv, "-o", format}, os.Stdin, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	return out.Bytes()
}

func readTable(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return parseTable(t, text)
}

func parseTable(t *testing.T, text []byte) [][]string {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// textRows gives the rows of a JSON list as those of a table.
func textRows(columns []string, rows []map[string]any) [][]string {
	out := [][]string{columns}
	for _, r := range rows {
		var line []string
		for _, c := range columns {
			v := r[c]
			if l, ok := v.([]any); ok {
				var names []string
				for _, n := range l {
					names = append(names, fmt.Sprint(n))
				}
				v = names
			}
			if v == nil {
				v = ""
			}
			line = append(line, cell(v))
		}
		out = append(out, line)
	}
	return out
}
