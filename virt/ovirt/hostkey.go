package ovirt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
	"github.com/nactl/nactl/virt/cloudinit"
	"github.com/nactl/nactl/virt/ssh"
)

// A VM that nactl makes with cloud-init gets its SSH host key from nactl, so that
// nobody has to trust whoever answers first at its address. The key pair is made
// when nactl starts the VM for the first time. Its public half is stored with the
// VM before that, as a comment in the user data, where every runner that may read
// the VM finds it. The private half travels only in the body of that start, as
// settings for that run: an engine stores those nowhere that its API shows
// (RunVmOnceCommand hands them to the host, and a VM is shown from vm_init).

// hostKeyMark begins the comment.
const hostKeyMark = "# nactl: SSH host key of VM"

// hostKeyPattern reads the comment: the VM's id, either the word that the key will
// be made or the public key, and when the VM was last stopped before that was
// written.
var hostKeyPattern = regexp.MustCompile(`(?m)^` + hostKeyMark + ` (\S+): (?:made at its first start|(ssh-ed25519 [A-Za-z0-9+/=]+)) \(last stopped (\d+)\)\r?$\n?`)

// hostKey is what an engine has stored about a guest's host key.
type hostKey struct {
	noted   bool   // that something is stored
	public  string // "ssh-ed25519 AAAA…"; empty: it is to be made at the first start
	stopped int64  // machine.stopped when this was stored
}

// readHostKey finds a VM's host key in its user data. That of another VM, of which
// this one is a copy, is not its own.
func readHostKey(script, id string) hostKey {
	for _, found := range hostKeyPattern.FindAllStringSubmatch(script, -1) {
		if found[1] != id {
			continue
		}
		if stopped, err := strconv.ParseInt(found[3], 10, 64); err == nil {
			return hostKey{noted: true, public: found[2], stopped: stopped}
		}
	}
	return hostKey{}
}

// withHostKey puts a host key's comment at the end of user data, in the place of
// any that are there.
func withHostKey(script, id string, k hostKey) string {
	script = hostKeyPattern.ReplaceAllString(script, "")
	if script != "" && !strings.HasSuffix(script, "\n") {
		script += "\n"
	}
	return fmt.Sprintf("%s%s %s: %s (last stopped %d)\n", script, hostKeyMark, id, cmp.Or(k.public, "made at its first start"), k.stopped)
}

// told takes what the guest is told at its first boot, as far as it is stored.
func (m *machine) told(v *ovirtsdk.Vm) {
	if os, ok := v.Os(); ok && os != nil {
		m.os = value(os.Type())
	}
	m.stopped = lastStopped(v)
	i, ok := v.Initialization()
	if !ok || i == nil {
		return
	}
	script := value(i.CustomScript())
	m.hostKey = readHostKey(script, m.id)
	if m.status == ovirtsdk.VMSTATUS_DOWN || m.status == ovirtsdk.VMSTATUS_IMAGE_LOCKED {
		m.script = script
	}
	if m.neverStarted() {
		m.stored = storedInitialization(i)
	}
}

// neverStarted tells whether the next start is the first of a VM that is to get a
// host key. One that ran was also stopped since that was stored; one whose start
// no host took was not.
func (m *machine) neverStarted() bool {
	return (m.status == ovirtsdk.VMSTATUS_DOWN || m.status == ovirtsdk.VMSTATUS_IMAGE_LOCKED) && m.hostKey.noted && m.hostKey.stopped == m.stopped
}

// lastStopped is when a VM was last stopped, in milliseconds; 0 = never.
func lastStopped(v *ovirtsdk.Vm) int64 {
	if t, ok := v.StopTime(); ok {
		return t.UnixMilli()
	}
	return 0
}

// storedInitialization takes over what is stored, to be sent back.
func storedInitialization(i *ovirtsdk.Initialization) *initializationXML {
	text := func(s string, ok bool) *Text {
		if !ok || s == "" {
			return nil
		}
		return textOf(s)
	}
	x := &initializationXML{HostName: text(i.HostName()), UserName: text(i.UserName()), AuthorizedSSHKeys: text(i.AuthorizedSshKeys()),
		Timezone: text(i.Timezone()), DNSServers: text(i.DnsServers()), DNSSearch: text(i.DnsSearch()), CustomScript: text(i.CustomScript())}
	if b, ok := i.RegenerateSshKeys(); ok {
		x.RegenerateSSHKeys = &b
	}
	if p, ok := i.CloudInitNetworkProtocol(); ok {
		x.NetworkProtocol = text(string(p), true)
	}
	ip := func(p *ovirtsdk.Ip, ok bool) *ipXML {
		if !ok || p == nil || value(p.Address()) == "" {
			return nil
		}
		return &ipXML{Address: Text(value(p.Address())), Netmask: text(p.Netmask()), Gateway: text(p.Gateway()), Version: versionOf(p.Version())}
	}
	var nics []nicConfigurationXML
	if list, ok := i.NicConfigurations(); ok && list != nil {
		for _, n := range list.Slice() {
			k := nicConfigurationXML{Name: Text(value(n.Name())), OnBoot: value(n.OnBoot()), IP: ip(n.Ip()), IPv6: ip(n.Ipv6())}
			if p, ok := n.BootProtocol(); ok {
				k.BootProtocol = text(string(p), true)
			}
			if p, ok := n.Ipv6BootProtocol(); ok {
				k.IPv6Protocol = text(string(p), true)
			}
			nics = append(nics, k)
		}
	}
	if nics != nil {
		x.NICs = &nics
	}
	return x
}

func versionOf(v ovirtsdk.IpVersion, ok bool) *Text {
	if !ok || v == "" {
		return nil
	}
	return textOf(string(v))
}

// promiseHostKey notes in what a new VM's guest is to be told that its first start
// brings it a host key. Windows and CoreOS read no cloud-init.
func promiseHostKey(init *initializationXML, m *machine) {
	if strings.HasPrefix(m.os, "windows") || strings.HasPrefix(m.os, "rhcos") {
		return
	}
	script := m.script // its template's
	if init.CustomScript != nil {
		script = string(*init.CustomScript)
	}
	init.CustomScript = textOf(withHostKey(script, m.id, hostKey{stopped: m.stopped}))
}

// firstStart makes the host key of a VM that was never started, stores its public
// half, and gives the body of a start that brings the private one. It is nil for
// every other VM.
func (e *Engine) firstStart(ctx context.Context, m *machine) (*actionXML, error) {
	if !m.neverStarted() || m.stored == nil {
		return nil, nil
	}
	pair, err := ssh.NewHostKey()
	if err != nil {
		return nil, err
	}
	keys, err := cloudinit.WriteYAML("", []cloudinit.Section{
		// Those of the image are gone, and only this one is there.
		{Key: "ssh_deletekeys", Value: true},
		{Key: "ssh_keys", Value: map[string]string{"ed25519_private": pair.Private, "ed25519_public": pair.Public}},
	})
	if err != nil {
		return nil, err
	}
	keep := *m.stored
	keep.CustomScript = textOf(withHostKey(m.script, m.id, hostKey{public: pair.Public, stopped: m.stopped}))
	if err := e.put(ctx, m.id, nil, vmXML{Initialization: &keep}); err != nil {
		return nil, err
	}
	once := *m.stored
	once.CustomScript = textOf(string(*keep.CustomScript) + string(keys))
	yes := true
	return &actionXML{UseCloudInit: &yes, VM: &vmXML{Initialization: &once}}, nil
}

// notStarted takes a host key back when the start that brought it failed: the next
// start is the first again. It does what it can, for there is an error to report
// already.
func (e *Engine) notStarted(ctx context.Context, m *machine, err error) {
	var state *stateError
	if !errors.As(err, &state) || state.status != string(ovirtsdk.VMSTATUS_DOWN) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	stopped, err := get(ctx, e.Client, kindVM, path("vms", m.id), query{}, func(v *ovirtsdk.Vm) (int64, error) { return lastStopped(v), nil })
	if err == nil {
		keep := *m.stored
		keep.CustomScript = textOf(withHostKey(m.script, m.id, hostKey{stopped: stopped}))
		err = e.put(ctx, m.id, nil, vmXML{Initialization: &keep})
	}
	if err != nil {
		e.cfg.Warn(fmt.Sprintf("%s: it did not start, and its engine could not be told that the host key stored with it is none: %v", virt.VMRef(m.vm.Name), err))
	}
}
