//go:build !cgo

package libvirt

import (
	"context"
	"errors"

	"github.com/nactl/nactl/virt"
)

var errNoCgo = errors.New("this nactl was built without cgo (CGO_ENABLED=0) and cannot talk to libvirt; " +
	"use the packaged binary, or build with CGO_ENABLED=1 and -tags libvirt_dlopen")

// Node is one libvirt node. A build without cgo has none.
type Node struct{ virt.Platform }

// Open always fails in a build without cgo, and says why.
func Open(context.Context, Config) (*Node, error) { return nil, errNoCgo }

// Cluster is several nodes as one platform. A build without cgo has none.
type Cluster struct{ virt.Platform }

// OpenCluster always fails in a build without cgo, and says why.
func OpenCluster(string, []*Node) (*Cluster, error) { return nil, errNoCgo }

// LibraryVersion always fails in a build without cgo, and says why.
func LibraryVersion() (string, error) { return "", errNoCgo }
