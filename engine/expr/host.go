package expr

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Host is what expressions may ask of the machine that runs them. It must be
// safe for concurrent use.
type Host interface {
	// Env gives an environment variable, and whether it is set.
	Env(name string) (string, bool)
	// ReadFile gives the content of the file that an expression names. It
	// decides which files may be read.
	ReadFile(path string) ([]byte, error)
}

// maxFile is the largest file that file() reads, in bytes.
const maxFile = 4 << 20

// LocalHost answers from the process and the file system. file() reads below
// Root, following no link out of it, public SSH keys (~/.ssh/*.pub), and what
// lies below the paths of Allow.
type LocalHost struct {
	Root  string   // the project's directory; empty allows no file of it
	Home  string   // what ~ stands for; empty asks the system
	Allow []string // further files and directories, absolute or with ~
}

var _ Host = LocalHost{}

// Env asks the process.
func (LocalHost) Env(name string) (string, bool) { return os.LookupEnv(name) }

// ReadFile reads a file that may be read. A relative path starts at Root.
func (h LocalHost) ReadFile(path string) ([]byte, error) {
	home := h.Home
	if home == "" {
		home, _ = os.UserHomeDir() // without a home, ~ stays as it is written
	}
	full := expandHome(path, home)
	if home != "" && filepath.Dir(full) == filepath.Join(home, ".ssh") && strings.HasSuffix(full, ".pub") {
		return readBelow(filepath.Dir(full), filepath.Base(full))
	}
	absolute := full
	if root, err := filepath.Abs(h.Root); err == nil && h.Root != "" && !filepath.IsAbs(full) {
		absolute = filepath.Join(root, full)
	}
	for _, allowed := range h.Allow {
		allowed = filepath.Clean(expandHome(allowed, home))
		if rel, ok := below(allowed, absolute); ok {
			if rel == "." {
				return readBelow(filepath.Dir(absolute), filepath.Base(absolute))
			}
			return readBelow(allowed, rel)
		}
	}
	if h.Root == "" {
		return nil, fmt.Errorf("%s may not be read: there is no project directory", path)
	}
	rel := full
	if filepath.IsAbs(full) {
		root, err := filepath.Abs(h.Root)
		if err != nil {
			return nil, err
		}
		var ok bool
		if rel, ok = below(root, full); !ok {
			return nil, outside(path, h.Root)
		}
	}
	if !filepath.IsLocal(rel) {
		return nil, outside(path, h.Root)
	}
	return readBelow(h.Root, rel)
}

func outside(path, root string) error {
	return fmt.Errorf("%s lies outside of the project (%s): copy it there, or allow its folder (allow_files in the configuration)", path, root)
}

func expandHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok && home != "" {
		return filepath.Join(home, rest)
	}
	return filepath.Clean(path)
}

// below gives path relative to dir, if it lies in dir or is dir.
func below(dir, path string) (string, bool) {
	if !filepath.IsAbs(path) {
		return "", false
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", false
	}
	return rel, true
}

// readBelow reads a regular file below dir; links that lead out are refused by
// the kernel's own rules for os.Root.
func readBelow(dir, rel string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", rel, reason(err))
	}
	defer root.Close()
	info, err := root.Stat(rel)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", rel, reason(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read %s: it is no regular file", rel)
	}
	f, err := root.Open(rel)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", rel, reason(err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", rel, reason(err))
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB, the most that file() reads", rel, maxFile>>20)
	}
	return b, nil
}

// reason drops the operation and path that the message has already.
func reason(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

var errNoHost = errors.New("is not available here")

// hostFunctions reach outside, through the Host.
func hostFunctions() []function {
	return []function{
		{name: "env", form: "env(name)", doc: "an environment variable of nactl's process, or nothing when it is not set",
			types: []any{new(func(string) any)}, call: one("env", func(r *run, s string) (any, error) {
				if r.host == nil {
					return nil, fmt.Errorf("env %w", errNoHost)
				}
				if v, ok := r.host.Env(s); ok {
					return v, r.produce(len(v))
				}
				return nil, nil
			})},
		{name: "file", form: "file(path)", doc: "the text of a file of the project, or of ~/.ssh/*.pub, without the last line's end",
			types: []any{new(func(string) string)}, call: one("file", func(r *run, s string) (any, error) {
				if r.host == nil {
					return nil, fmt.Errorf("file %w", errNoHost)
				}
				b, err := r.host.ReadFile(s)
				if err != nil {
					return nil, err
				}
				text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
				return text, r.produce(len(text))
			})},
	}
}
