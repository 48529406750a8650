package source

import (
	"io/fs"
	"os"
	"path/filepath"
)

// Exposed gives what lets everybody change what a file says: the file itself, the
// folder in which it could be replaced, or those that a link leads to; "" where there
// is nothing of the kind. shared says that a folder in which everybody can make files,
// and nobody can replace another's (as /tmp), counts, too: it does for files that are
// used because they lie there.
func Exposed(path string, shared bool) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "" // reading it tells why
	}
	if info, err := os.Stat(real); err != nil || !info.Mode().IsRegular() {
		return "" // so it does here
	}
	for _, p := range []string{real, filepath.Dir(real), filepath.Dir(path)} {
		info, err := os.Stat(p)
		if err != nil || info.Mode().Perm()&0o002 == 0 {
			continue
		}
		if info.IsDir() && info.Mode()&fs.ModeSticky != 0 && !shared {
			continue
		}
		return p
	}
	return ""
}
