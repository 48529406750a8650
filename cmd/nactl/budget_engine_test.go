package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// budget demands that a play had nothing to do, and fails when it sent the engine
// more requests than allowed: the login and the logout count.
func (b *bed) budget(t *testing.T, o *observed, most int) {
	t.Helper()
	if r := o.must(t).recap(t).Targets[0]; r.Changed != 0 || r.Failed != 0 {
		t.Errorf("%+v", r)
	}
	n := b.sim.Count(nil)
	t.Logf("%d requests: %v", n, b.engine.Stats().Procedures)
	if n > most {
		t.Errorf("%d requests, at most %d are allowed", n, most)
	}
}

// fiveSettings has five things to say of each of many VMs, and all are so.
const fiveSettings = `
    - create_vm:
        name: "{{ item }}"
        cpu: 1
        memory: 1GiB
        description: ""
        disks: [{name: "{{ item }}_Disk1", size: 10GiB}]
        nics: [{name: nic1, network: ovirtmgmt}]
      loop: "{{ names }}"
      parallel: PARALLEL
`

// fiveSteps says them by five steps.
const fiveSteps = `
    - set_cpu: {vm: "{{ item }}", count: 1}
      loop: "{{ names }}"
      parallel: PARALLEL
    - set_memory: {vm: "{{ item }}", current: 1GiB}
      loop: "{{ names }}"
      parallel: PARALLEL
    - create_vm: {name: "{{ item }}", description: ""}
      loop: "{{ names }}"
      parallel: PARALLEL
    - resize_disk: {vm: "{{ item }}", disk: "{{ item }}_Disk1", size: 10GiB}
      loop: "{{ names }}"
      parallel: PARALLEL
    - attach_nic: {vm: "{{ item }}", name: nic1, network: ovirtmgmt}
      loop: "{{ names }}"
      parallel: PARALLEL
`

// TestUnchangedPlayOfAHundredVMs plays what is so already on a hundred of a
// thousand VMs.
func TestUnchangedPlayOfAHundredVMs(t *testing.T) {
	var names []string
	for i := range 100 {
		names = append(names, fmt.Sprintf("vm%05d", 10*i+1))
	}
	for name, steps := range map[string]string{"one step": fiveSettings, "five steps": fiveSteps} {
		for _, parallel := range []string{"1", "16"} {
			t.Run(name+", "+parallel+" at a time", func(t *testing.T) {
				b := newBed(t, ovirtsim.Load(1000, 4))
				book := "- targets: e1\n  vars: {names: [" + strings.Join(names, ", ") + "]}\n  steps:" + strings.ReplaceAll(steps, "PARALLEL", parallel)
				b.budget(t, b.play(t, "play", book), 12)
				b.sim.Forget()
				b.budget(t, b.play(t, "plan", book), 12)
			})
		}
	}
}

// TestPlayOfOneVMAmongTenThousand reads that VM, and no page of the rest.
func TestPlayOfOneVMAmongTenThousand(t *testing.T) {
	b := newBed(t, ovirtsim.Load(10_000, 20))
	book := "- targets: e1\n  vars: {names: [vm05001]}\n  steps:" + strings.ReplaceAll(fiveSettings+fiveSteps, "PARALLEL", "1")
	for _, command := range []string{"play", "plan"} {
		b.sim.Forget()
		b.budget(t, b.play(t, command, book), 8)
		for _, r := range b.sim.Requests() {
			if strings.HasSuffix(r.Path, "/vms") && !strings.Contains(r.Query, "vm05001") {
				t.Errorf("the others were read: %s?%s", r.Path, r.Query)
			}
		}
	}
}

// TestVMsThatAPlayNamesAreReadTogether has a step for each of several VMs.
func TestVMsThatAPlayNamesAreReadTogether(t *testing.T) {
	b := newBed(t, ovirtsim.Load(100, 4))
	book := "- targets: e1\n  steps:\n"
	for i := range 20 {
		book += fmt.Sprintf("    - set_cpu: {vm: vm%05d, count: 1}\n", i+1)
	}
	b.budget(t, b.play(t, "play", book), 7)
}

// TestOnePollerForAHundredVMs starts a hundred VMs side by side: the engine is
// asked of all of them at once, however many wait.
func TestOnePollerForAHundredVMs(t *testing.T) {
	o := ovirtsim.Load(100, 4)
	for i := range o.VMs {
		o.VMs[i].Running = false
	}
	o.Speed = 20 // a boot takes twelve seconds of the engine's: 600 ms
	b := newBed(t, o)
	book := `- targets: e1
  steps:
    - power: {vm: "{{ 'vm' + (item < 10 ? '0000' : item < 100 ? '000' : '00') + string(item) }}", state: running}
      loop: "{{ 1..100 }}"
      parallel: 100
    - wait_for: {vm: "{{ 'vm' + (item < 10 ? '0000' : item < 100 ? '000' : '00') + string(item) }}", for: agent}
      loop: "{{ 1..100 }}"
      parallel: 100
`
	b.play(t, "play", book).must(t)
	looks := b.sim.Count(func(r ovirtsim.Request) bool { return r.Method == "GET" && strings.Contains(r.Path, "/vms") })
	t.Logf("%d requests, %d of them looks at VMs: %v", b.sim.Count(nil), looks, b.engine.Stats().Procedures)
	if looks > 45 {
		t.Errorf("%d looks at VMs while 100 were waited for", looks)
	}
}
