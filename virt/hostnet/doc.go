// Package hostnet makes VLANs on hosts whose networks are Linux bridges: a VLAN
// interface over a NIC or bond, and a bridge with it as a port, at once and for
// good, by what configures the host's network: ifupdown, systemd-networkd or
// NetworkManager.
//
// A change to a host's network can cut the host off. So the host itself is told
// first to take the change back, unless somebody who logs in anew afterwards says
// that it may stay. The package keeps no state; one change to a host at a time is
// the caller's to see to, and the host refuses a second one.
package hostnet

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/ssh"
)

// Runner runs commands on a host: ssh.Client, or what runs them here.
type Runner interface {
	Exec(ctx context.Context, cmd ssh.Command) (ssh.Result, error)
}

// VLAN is a VLAN interface of a host and the bridge that it is a port of. Its JSON
// form stands at the head of each file that nactl makes for it.
type VLAN struct {
	Interface string `json:"interface"`
	NIC       string `json:"nic"`
	ID        int    `json:"id"`
	Bridge    string `json:"bridge"`
	MTU       int    `json:"mtu,omitempty"` // 0: the NIC's
	Network   string `json:"network"`       // the libvirt network that it was made for
}

// maxName is how long the kernel lets the name of an interface be.
const maxName = 15

// plainName is what interfaces are called in files of all tools without quoting.
var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$`)

// Check refuses what cannot be made on any host.
func (v VLAN) Check(ref virt.Ref) error {
	bad := func(summary, hint string) error {
		return &virt.Error{Kind: virt.ErrInvalid, Object: ref, Summary: summary, Hint: hint}
	}
	for _, name := range []string{v.NIC, v.Bridge, v.Interface} {
		if !plainName.MatchString(name) {
			return bad(fmt.Sprintf("no interface is called %q", name), fmt.Sprintf("use at most %d letters, digits, dots, dashes and underscores", maxName))
		}
	}
	switch {
	case v.ID < 1 || v.ID > 4094:
		return bad(fmt.Sprintf("%d is no VLAN id", v.ID), "use 1 to 4094")
	case v.Bridge == v.NIC || v.Bridge == v.Interface:
		return bad(fmt.Sprintf("its bridge cannot be %q, which is to be its port", v.Bridge), "give the bridge another name, or leave it out")
	case v.MTU != 0 && (v.MTU < 576 || v.MTU > 65535):
		return bad(fmt.Sprintf("%d is no MTU", v.MTU), "use 576 to 65535")
	}
	return nil
}

// mark begins the first line of each file that nactl makes.
const mark = "# nactl vlan "

// header is the beginning of each file.
func (v VLAN) header() string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it has only texts and numbers
	}
	return mark + string(b) + "\n# Made by nactl, which removes it again with delete_vlan. What is changed here makes it a file of somebody else.\n"
}

// parseHeader reads who a file is of; ok is false for files of others.
func parseHeader(content string) (v VLAN, ok bool) {
	line, _, _ := strings.Cut(content, "\n")
	text, ok := strings.CutPrefix(line, mark)
	if !ok || json.Unmarshal([]byte(text), &v) != nil {
		return VLAN{}, false
	}
	return v, v.Check(virt.Ref{}) == nil
}
