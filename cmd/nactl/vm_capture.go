package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/urfave/cli/v2"

	"github.com/nactl/nactl/engine"
	"github.com/nactl/nactl/engine/event"
	"github.com/nactl/nactl/virt"
)

// captureCommand writes a playbook for a VM that is there.
func (a *application) captureCommand() *cli.Command {
	return &cli.Command{
		Name: "capture", Usage: "write a playbook for a VM that is there", ArgsUsage: "VM", OnUsageError: usageError,
		Description: "The playbook says what is known of the VM by create_vm, and it is proven before it is kept: a plan of it finds nothing to do. What a playbook cannot say stands in comments.",
		Flags:       slices.Concat(targetFlags(), []cli.Flag{&cli.StringFlag{Name: "out", Usage: "write to `FILE`, which is replaced as a whole"}}),
		Action:      a.onDirect((*direct).capture),
	}
}

func (d *direct) capture() error {
	f, err := d.named()
	if err != nil {
		return err
	}
	if f.vm.Unfinished != "" {
		return exitError{engine.ExitFailed, fmt.Errorf("vm %s is unfinished: run %s was interrupted while making it; finish or delete it first", f.vm.Name, f.vm.Unfinished)}
	}
	if err := f.platform.DiskSizes(d.ctx, f.vm); err != nil {
		return d.readError(err)
	}
	text, err := (&capture{vm: f.vm, target: f.target}).playbook()
	if err != nil {
		return err
	}
	if err := d.prove(f, text); err != nil {
		return err
	}
	return d.app.deliver(d.c.String("out"), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// prove makes a plan of the playbook, which has to find nothing to do.
func (d *direct) prove(f *found, text []byte) error {
	book, list := d.sources.Parse("captured.yml", text)
	if err := d.refuse(list); err != nil {
		return err
	}
	f.platform.Forget(f.vm.Ref())
	p := &proof{}
	end, err := d.run(book, true, p)
	if err != nil {
		return err
	}
	switch {
	case d.ctx.Err() != nil:
		return interruptedError(d.ctx, d.ctx.Err())
	case end.result.Error != nil:
		return exitError{max(end.code, engine.ExitFailed), fmt.Errorf("the playbook is not kept: a plan of it fails\n  %s", failureText(end.result.Error))}
	case len(p.open) > 0:
		return exitError{engine.ExitFailed, fmt.Errorf("the playbook is not kept: these could not be captured, for a plan of it would change them:\n  %s", strings.Join(p.open, "\n  "))}
	case end.result.Status == event.Undecided:
		return exitError{engine.ExitFailed, fmt.Errorf("the playbook is not kept: what it does is decided at run time: %s", end.result.Reason)}
	}
	return nil
}

// proof collects what a plan would change.
type proof struct{ open []string }

// String names the reader in errors.
func (*proof) String() string { return "the proof" }

// Read implements event.Reader.
func (p *proof) Read(r event.Record) error {
	o, ok := r.Event.(event.Outcome)
	if !ok || !o.Changed {
		return nil
	}
	if len(o.Fields) == 0 {
		p.open = append(p.open, o.Kind+" of "+o.Object.String())
	}
	for _, f := range o.Fields {
		p.open = append(p.open, fmt.Sprintf("%s: %v → %v", f.Path, f.Before, f.After))
	}
	return nil
}

// Close implements event.Reader.
func (*proof) Close() error { return nil }

// capture makes a playbook of a VM.
type capture struct {
	vm     *virt.VM
	target string
	left   []string // what the playbook cannot say
}

// playbook gives the text. Only what is known is said.
func (k *capture) playbook() ([]byte, error) {
	vm := k.vm
	args := yaml.MapSlice{{Key: "name", Value: escaped(vm.Name)}}
	say := func(key string, value any) { args = append(args, yaml.MapItem{Key: key, Value: value}) }
	say("cpu", k.cpu())
	say("memory", k.memory())
	if disks := k.disks(); len(disks) > 0 {
		say("disks", disks)
	}
	if nics := k.nics(); len(nics) > 0 {
		say("nics", nics)
	}
	switch vm.State {
	case virt.Running, virt.Stopped, virt.Paused, virt.Suspended:
		say("state", string(vm.State))
	default:
		k.leave("state: it is %s, which nobody can ask for", vm.State)
	}
	say("autostart", vm.Autostart)
	title := vm.Title
	if vm.Ovirt != nil { // where the title is the comment
		title = vm.Comment
	}
	for _, f := range []struct{ key, text string }{{"title", title}, {"description", vm.Description}, {"firmware", vm.Firmware}, {"machine", vm.Machine}} {
		switch {
		case f.text == "" || f.key == "firmware" && f.text != "bios" && f.text != "efi":
		case f.key == "machine" && vm.Ovirt != nil: // the engine's affair
		default:
			say(f.key, escaped(f.text))
		}
	}
	if len(vm.Boot) > 0 && vm.Ovirt == nil {
		say("boot", vm.Boot)
	}
	if len(vm.Metadata) > 0 && vm.Ovirt == nil {
		m := yaml.MapSlice{}
		for _, key := range sortedKeys(vm.Metadata) {
			m = append(m, yaml.MapItem{Key: key, Value: escaped(vm.Metadata[key])})
		}
		say("metadata", m)
	}
	if ovirt := k.ovirt(); len(ovirt) > 0 {
		say("ovirt", ovirt)
	}
	step := yaml.MapSlice{{Key: "name", Value: escaped(vm.Name + " as it was captured")}, {Key: "create_vm", Value: args}}
	book := []yaml.MapSlice{{{Key: "name", Value: escaped(vm.Name)}, {Key: "targets", Value: k.target}, {Key: "steps", Value: []yaml.MapSlice{step}}}}
	text, err := yaml.MarshalWithOptions(book, yaml.IndentSequence(true))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "# VM %s on %s, as nactl found it. A plan of this finds nothing to do there.\n", oneWord(vm.Name), oneWord(k.target))
	for _, l := range k.left {
		fmt.Fprintf(&out, "# Left out: %s.\n", cell(l))
	}
	for line := range strings.Lines(string(text)) {
		out.WriteString(strings.TrimPrefix(line, "  ")) // the list of plays needs no indentation
	}
	return out.Bytes(), nil
}

// leave notes what the playbook cannot say.
func (k *capture) leave(format string, args ...any) {
	k.left = append(k.left, fmt.Sprintf(format, args...))
}

func (k *capture) cpu() any {
	c := k.vm.CPU
	out := yaml.MapSlice{{Key: "count", Value: c.Count}}
	if k.vm.Ovirt != nil || c.Max == 0 { // an engine's maximum is its own
		return out
	}
	out = append(out, yaml.MapItem{Key: "max", Value: c.Max})
	if t := c.Topology; t != (virt.Topology{}) {
		out = append(out, yaml.MapItem{Key: "topology", Value: yaml.MapSlice{{Key: "sockets", Value: t.Sockets}, {Key: "cores", Value: t.Cores}, {Key: "threads", Value: t.Threads}}})
	}
	return out
}

func (k *capture) memory() any {
	m := k.vm.Memory
	out := yaml.MapSlice{{Key: "current", Value: exactSize(m.Current)}}
	if m.Max > 0 {
		out = append(out, yaml.MapItem{Key: "max", Value: exactSize(m.Max)})
	}
	if m.Guaranteed > 0 {
		out = append(out, yaml.MapItem{Key: "guaranteed", Value: exactSize(m.Guaranteed)})
	}
	return out
}

func (k *capture) disks() []yaml.MapSlice {
	var out []yaml.MapSlice
	for _, d := range k.vm.Disks {
		switch {
		case d.Device != "disk" && d.Device != "":
			k.leave("%s %s", d.Device, d.Name)
			continue
		case !d.In.Config:
			k.leave("disk %s, which is there only until the VM stops", d.Name)
			continue
		case d.Volume == "" || d.Storage == "":
			k.leave("disk %s, which lies in no storage pool (%s)", d.Name, d.Path.Or("where is not known"))
			continue
		}
		item := yaml.MapSlice{{Key: "name", Value: escaped(d.Name)}, {Key: "storage", Value: escaped(d.Storage)}, {Key: "volume", Value: escaped(d.Volume)}}
		if d.Size > 0 {
			item = append(item, yaml.MapItem{Key: "size", Value: exactSize(d.Size)})
		}
		for _, f := range []struct{ key, text string }{{"format", oneOf(d.Format, "qcow2", "raw")}, {"bus", oneOf(d.Bus, "virtio", "scsi", "sata", "usb", "ide")}, {"serial", d.Serial}} {
			if f.text != "" && (f.key != "serial" || k.vm.Ovirt == nil) {
				item = append(item, yaml.MapItem{Key: f.key, Value: escaped(f.text)})
			}
		}
		if d.ReadOnly {
			item = append(item, yaml.MapItem{Key: "read_only", Value: true})
		}
		if d.Boot {
			item = append(item, yaml.MapItem{Key: "boot", Value: true})
		}
		out = append(out, item)
	}
	return out
}

func (k *capture) nics() []yaml.MapSlice {
	var out []yaml.MapSlice
	for _, n := range k.vm.NICs {
		switch {
		case !n.In.Config:
			k.leave("NIC %s, which is there only until the VM stops", n.Name)
			continue
		case n.Network == "":
			k.leave("NIC %s, which is on no network but %s", n.Name, n.Bridge)
			continue
		}
		item := yaml.MapSlice{{Key: "name", Value: escaped(n.Name)}, {Key: "network", Value: escaped(n.Network)}}
		if mac, ok := n.MAC.Get(); ok {
			item = append(item, yaml.MapItem{Key: "mac", Value: mac})
		}
		if n.Model != "" {
			item = append(item, yaml.MapItem{Key: "model", Value: n.Model})
		}
		out = append(out, item)
	}
	return out
}

// ovirt gives what only an engine has.
func (k *capture) ovirt() yaml.MapSlice {
	o := k.vm.Ovirt
	if o == nil {
		return nil
	}
	var out yaml.MapSlice
	say := func(key string, value any) { out = append(out, yaml.MapItem{Key: key, Value: value}) }
	if k.vm.Cluster != "" {
		say("cluster", escaped(k.vm.Cluster))
	}
	if k.vm.DataCentre != "" {
		say("data_center", escaped(k.vm.DataCentre))
	}
	if len(k.vm.Tags) > 0 {
		say("tags", k.vm.Tags)
	}
	if n, ok := o.HAPriority.Get(); ok {
		say("ha_priority", n)
	}
	if on, ok := o.DeleteProtected.Get(); ok {
		say("delete_protected", on)
	}
	if len(o.CustomProperties) > 0 {
		m := yaml.MapSlice{}
		for _, key := range sortedKeys(o.CustomProperties) {
			m = append(m, yaml.MapItem{Key: key, Value: escaped(o.CustomProperties[key])})
		}
		say("custom_properties", m)
	}
	return out
}

// escaped gives a text in which no expression stands.
func escaped(text string) string { return strings.ReplaceAll(text, "{{", `{{ "{{" }}`) }

// oneWord gives a text that ends no comment.
func oneWord(text string) string { return cell(text) }

// oneOf gives a text if it is one of these.
func oneOf(text string, words ...string) string {
	if slices.Contains(words, text) {
		return text
	}
	return ""
}

// exactSize writes bytes with the largest unit that divides them.
func exactSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"TiB", virt.TiB}, {"GiB", virt.GiB}, {"MiB", virt.MiB}, {"KiB", virt.KiB}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d%s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dB", n)
}
