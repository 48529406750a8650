package hostnet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nactl/nactl/virt/ssh"
)

// Change is what is done to a host's network: as scripts for /bin/sh, of which
// every value is quoted.
type Change struct {
	// Do makes the change; when it fails, or nobody confirms it, Undo is run. Undo has
	// to cope with whatever Do had done by then.
	Do, Undo string
	// Files are the paths that Do writes or removes: they are put back before Undo
	// is run.
	Files []string
}

// script collects lines.
type script struct{ strings.Builder }

func (s *script) line(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// write adds what puts a file into its place: whole, or not at all.
func (s *script) write(f File) {
	path, tmp := ssh.Quote(f.Path), ssh.Quote(f.Path+".nactl-new")
	s.line("mkdir -p %s", ssh.Quote(f.Path[:strings.LastIndexByte(f.Path, '/')]))
	s.line("( umask 077; printf %%s %s >%s )", ssh.Quote(f.Content), tmp)
	s.line("chmod %s %s", f.Mode, tmp)
	s.line("if command -v restorecon >/dev/null; then restorecon %s || :; fi", tmp)
	s.line("sync %s 2>/dev/null || :", tmp)
	s.line("mv -f %s %s", tmp, path)
}

// Create gives what makes a VLAN, at once and for good. What is there of it is
// left as it is.
func Create(s *State, v VLAN) Change {
	files := v.Files(s.Tool, s.NICFile)
	var do script
	for _, f := range files {
		if !f.late {
			do.write(f)
		}
	}
	reload(&do, s.Tool)
	if s.Tool == NetworkManager {
		// The bridge first: its port waits for it.
		for _, name := range []string{v.Bridge, v.Interface} {
			do.line("nmcli --wait 15 connection up uuid %s >/dev/null", uuidOf(name))
		}
	}
	nic, iface, bridge := ssh.Quote(v.NIC), ssh.Quote(v.Interface), ssh.Quote(v.Bridge)
	do.line("test -d /sys/class/net/%s || ip link add link %s name %s type vlan id %d", iface, nic, iface, v.ID)
	do.line("test -d /sys/class/net/%s || ip link add name %s type bridge stp_state 0 forward_delay 0", bridge, bridge)
	if v.MTU != 0 {
		do.line("ip link set dev %s mtu %d", iface, v.MTU)
	}
	do.line("ip link set dev %s up", nic)
	do.line("ip link set dev %s master %s", iface, bridge)
	do.line("ip link set dev %s up", iface)
	do.line("ip link set dev %s up", bridge)
	for _, f := range files {
		if f.late {
			do.write(f)
		}
	}
	var undo script
	for _, name := range []string{v.Interface, v.Bridge} {
		if _, was := s.Links[name]; !was {
			undo.line("ip link delete dev %s", ssh.Quote(name))
		}
	}
	reload(&undo, s.Tool)
	return Change{Do: do.String(), Undo: undo.String(), Files: paths(files)}
}

// Delete gives what removes a VLAN, and nothing but that. Files that somebody has
// changed since nactl made them are his: they stay.
func Delete(s *State, f Found) Change {
	var files []File
	for path, content := range s.Files {
		if v, ok := parseHeader(content); ok && v.Interface == f.Interface {
			files = append(files, File{Path: path})
		}
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	var do, undo script
	if f.Tool == NetworkManager {
		for _, name := range []string{f.Interface, f.Bridge} {
			do.line("nmcli --wait 15 connection delete uuid %s >/dev/null 2>&1 || :", uuidOf(name))
		}
	}
	for _, file := range files {
		do.line("rm -f %s", ssh.Quote(file.Path))
		if dir := file.Path[:strings.LastIndexByte(file.Path, '/')]; strings.HasSuffix(dir, ".network.d") {
			do.line("rmdir %s 2>/dev/null || :", ssh.Quote(dir))
		}
	}
	for _, name := range []string{f.Interface, f.Bridge} {
		if _, is := s.Links[name]; is {
			do.line("if test -d /sys/class/net/%s; then ip link delete dev %s; fi", ssh.Quote(name), ssh.Quote(name))
		}
	}
	again := Create(s, f.VLAN)
	undo.WriteString(again.Do)
	reload(&do, f.Tool)
	return Change{Do: do.String(), Undo: undo.String(), Files: paths(files)}
}

func paths(files []File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Path)
	}
	return out
}

// reload lets the tool read its files again, without touching what it runs.
func reload(s *script, tool Tool) {
	switch tool {
	case Networkd:
		s.line("networkctl reload")
	case NetworkManager:
		s.line("nmcli connection reload")
	}
}
