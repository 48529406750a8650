package ovirt

import (
	"context"

	"github.com/nactl/nactl/virt"
)

// VolumeSum implements virt.Reader: an engine tells of no disk what it holds.
func (e *Engine) VolumeSum(context.Context, *virt.Volume, int64) error { return nil }

// ReadVolume implements virt.Reader.
func (e *Engine) ReadVolume(_ context.Context, storage, name string, _ virt.Sink) error {
	return &virt.Error{Kind: virt.ErrUnsupported, Object: virt.VolumeRef(storage, name), Summary: "cannot be read from an engine"}
}
