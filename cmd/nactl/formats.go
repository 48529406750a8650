package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"

	"github.com/nactl/nactl/engine"
)

// formatter gives the function that writes rows in a format.
func formatter(name string) (func(io.Writer, []string, []row) error, error) {
	switch name {
	case "table":
		return writeTable, nil
	case "json":
		return writeJSON, nil
	case "csv":
		return writeCSV, nil
	case "yaml":
		return writeYAML, nil
	default:
		return nil, exitError{engine.ExitOptions, fmt.Errorf("--output is table, json, csv or yaml, not %q", name)}
	}
}

func writeTable(w io.Writer, columns []string, rows []row) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range columns {
		fmt.Fprintf(t, "%s\t", strings.ToUpper(c))
	}
	fmt.Fprintln(t)
	for _, r := range rows {
		for _, c := range columns {
			text := cell(r[c])
			if text == "" {
				text = "-"
			}
			fmt.Fprintf(t, "%s\t", text)
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// cell gives a value as text; what could steer a terminal or break a line is
// taken out.
func cell(v any) string {
	if v == nil {
		return ""
	}
	if list, ok := v.([]string); ok {
		v = strings.Join(list, ", ")
	}
	if f, ok := v.(float64); ok {
		v = strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, fmt.Sprint(v))
}

// withoutUnit gives a number without its unit, as programs read it.
func withoutUnit(v any) any {
	switch n := v.(type) {
	case size:
		return int64(n)
	case rate:
		return float64(n)
	case percent:
		return float64(n)
	}
	return v
}

func writeJSON(w io.Writer, columns []string, rows []row) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(ordered(columns, rows))
}

func writeYAML(w io.Writer, columns []string, rows []row) error {
	var out []yaml.MapSlice
	for _, r := range rows {
		var m yaml.MapSlice
		for _, c := range columns {
			m = append(m, yaml.MapItem{Key: c, Value: withoutUnit(r[c])})
		}
		out = append(out, m)
	}
	if len(out) == 0 {
		_, err := fmt.Fprintln(w, "[]")
		return err
	}
	return yaml.NewEncoder(w).Encode(out)
}

func writeCSV(w io.Writer, columns []string, rows []row) error {
	c := csv.NewWriter(w)
	if err := c.Write(columns); err != nil {
		return err
	}
	for _, r := range rows {
		var fields []string
		for _, name := range columns {
			fields = append(fields, cell(withoutUnit(r[name])))
		}
		if err := c.Write(fields); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// orderedRow writes its fields in the order of the columns.
type orderedRow struct {
	columns []string
	row     row
}

func ordered(columns []string, rows []row) []orderedRow {
	out := make([]orderedRow, len(rows))
	for i, r := range rows {
		out[i] = orderedRow{columns, r}
	}
	return out
}

// MarshalJSON writes an object.
func (o orderedRow) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, c := range o.columns {
		if i > 0 {
			b = append(b, ',')
		}
		v := o.row[c]
		if list, ok := v.([]string); ok && list == nil {
			v = []string{}
		}
		value, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		b = append(append(fmt.Appendf(b, "%q", c), ':'), value...)
	}
	return append(b, '}'), nil
}

// replaceFile writes a file beside the old one and then takes its place, so that
// a reader sees the old content or the new. mode is that of a new file.
func replaceFile(path string, text []byte, mode os.FileMode) error {
	if old, err := os.Stat(path); err == nil {
		mode = old.Mode().Perm()
	}
	return swapFile(path, text, mode)
}

// swapFile is replaceFile for a file whose mode is to be this one.
func swapFile(path string, text []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(text); err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
