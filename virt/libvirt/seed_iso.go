//go:build cgo

package libvirt

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/iso9660"
)

// seedLabel is the volume label by which cloud-init finds a NoCloud seed.
const seedLabel = "cidata"

// iso writes the seed as an ISO 9660 image. Rock Ridge keeps the file names as
// they are. The library works in a folder, which only its owner can read: a seed
// may hold password hashes.
func (s seed) iso() (image []byte, err error) {
	dir, err := os.MkdirTemp("", "nactl-seed-")
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	defer func() { err = firstError(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "seed.iso")
	out, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	defer out.Close()
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o700); err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	fs, err := iso9660.Create(file.New(out, false), 0, 0, 2048, root)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	for name, content := range s {
		if err := os.WriteFile(filepath.Join(root, name), content, 0o600); err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
	}
	if err := fs.Finalize(iso9660.FinalizeOptions{RockRidge: true, VolumeIdentifier: seedLabel}); err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	image, err = os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	return image, nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
