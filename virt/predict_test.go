package virt

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// stoppedVM and runningVM are what the predictions below begin from.
func stoppedVM() *VM {
	return &VM{
		Name: "a", ID: Some("1"), State: Stopped, Host: Some("n1"), CPU: CPU{Count: 2, Max: 4}, Memory: Memory{Current: GiB, Max: 2 * GiB},
		Disks: []Disk{{Name: "root", Target: "vda", Size: GiB, Boot: true, Storage: "pool", Volume: "a-root", In: Presence{Config: true}}},
		NICs:  []NIC{{Name: "nic1", Network: "lan", MAC: Some("52:54:00:00:00:01"), LinkUp: true, In: Presence{Config: true}}},
	}
}

func runningVM() *VM {
	vm := stoppedVM()
	vm.State, vm.Live = Running, &Live{CPU: vm.CPU, Memory: vm.Memory}
	vm.Disks[0].In.Live, vm.NICs[0].In.Live = true, true
	return vm
}

// with gives a VM after an edit.
func with(vm *VM, edit func(*VM)) *VM { edit(vm); return vm }

// tell writes an outcome in one line: fields, then what is pending, then warnings.
func tell(out Outcome) string {
	var parts []string
	for _, f := range out.Fields {
		s := fmt.Sprintf("%s %v>%v", f.Path, f.Before, f.After)
		if f.Note != "" {
			s += " (" + f.Note + ")"
		}
		parts = append(parts, s)
	}
	for _, p := range out.Pending {
		parts = append(parts, fmt.Sprintf("pending %s %v>%v", p.Field, p.Live, p.Configured))
	}
	for _, w := range out.Warnings {
		parts = append(parts, "warning "+w)
	}
	return strings.Join(parts, "; ")
}

func TestPredict(t *testing.T) {
	onA := On{Ref: VMRef("a")}
	spec := DiskSpec{Name: "data", Size: GiB}
	for name, tc := range map[string]struct {
		before Object
		change Change
		want   string // "" = unchanged; "error: …" = a part of the error
	}{
		"create": {nil, CreateVM{On: onA, Run: "r1", CPU: CPU{Count: 1}, Memory: Memory{Current: GiB},
			Disks: []DiskSpec{spec, {Name: "root", Boot: true, Size: 1}}, Image: &Image{Size: 4 * GiB}, NICs: []NICSpec{{Network: "lan"}}},
			"cpu.count <nil>>1; memory.current <nil>>1073741824; disks.root.size <nil>>4294967296; disks.data.size <nil>>1073741824; nics.nic1.network <nil>>lan; host <nil>>(known afterwards)"},
		"create over another":       {stoppedVM(), CreateVM{On: onA}, "error: is there already"},
		"create over an unfinished": {with(stoppedVM(), func(v *VM) { v.Unfinished = "r0" }), CreateVM{On: onA, Run: "r1"}, "unfinished r0>r1 (finishes what an interrupted run began); cpu.count <nil>>0; memory.current <nil>>0; host <nil>>(known afterwards)"},
		"finish":                    {with(stoppedVM(), func(v *VM) { v.Unfinished = "r0" }), FinishVM{On: onA}, "unfinished r0><nil>"},
		"finish a whole one":        {stoppedVM(), FinishVM{On: onA}, ""},
		"delete":                    {stoppedVM(), DeleteVM{On: onA}, "vm a><nil>"},
		"delete what is gone":       {nil, DeleteVM{On: onA}, ""},
		"delete a nil pointer":      {(*VM)(nil), DeleteVM{On: onA}, ""},

		"cpu stopped":             {stoppedVM(), SetCPU{On: onA, Count: Some(3)}, "cpu.count 2>3"},
		"cpu equal":               {runningVM(), SetCPU{On: onA, Count: Some(2), Max: Some(4)}, ""},
		"cpu nothing asked":       {runningVM(), SetCPU{On: onA}, ""},
		"cpu live":                {runningVM(), SetCPU{On: onA, Count: Some(4)}, "cpu.count 2>4 (live and configured)"},
		"cpu over the live max":   {runningVM(), SetCPU{On: onA, Count: Some(6)}, "cpu.count 2>6 (pending: after a restart: the running VM was started for at most 4); cpu.max 4>6 (pending: after a restart); pending cpu.count 2>6; pending cpu.max 4>6"},
		"cpu pending again":       {with(runningVM(), func(v *VM) { v.CPU = CPU{Count: 6, Max: 6} }), SetCPU{On: onA, Count: Some(6)}, "pending cpu.count 2>6; pending cpu.max 4>6"},
		"cpu live only":           {with(runningVM(), func(v *VM) { v.CPU.Count = 3 }), SetCPU{On: onA, Count: Some(3)}, "cpu.count 2>3 (live)"},
		"cpu configured only":     {with(runningVM(), func(v *VM) { v.CPU.Count = 3 }), SetCPU{On: onA, Count: Some(2)}, "cpu.count 3>2 (configured)"},
		"cpu over max":            {stoppedVM(), SetCPU{On: onA, Count: Some(5), Max: Some(4)}, "error: cannot have 5 CPUs with a maximum of 4"},
		"cpu max below count":     {stoppedVM(), SetCPU{On: onA, Max: Some(1)}, "error: cannot have 2 CPUs with a maximum of 1"},
		"cpu topology":            {stoppedVM(), SetCPU{On: onA, Topology: Some(Topology{1, 2, 2})}, "cpu.topology {0 0 0}>{1 2 2}"},
		"cpu topology, no fit":    {stoppedVM(), SetCPU{On: onA, Topology: Some(Topology{1, 3, 1})}, "error: the topology makes 3 CPUs"},
		"cpu known afterwards":    {stoppedVM(), SetCPU{On: onA, Count: Unknown[int](), Max: Some(1)}, "cpu.count 2>(known afterwards)"},
		"cpu of nothing":          {nil, SetCPU{On: onA, Count: Some(2)}, "error: is not there"},
		"memory stopped":          {stoppedVM(), SetMemory{On: onA, Current: Some(2 * GiB)}, "memory.current 1073741824>2147483648"},
		"memory live":             {runningVM(), SetMemory{On: onA, Current: Some(512 * MiB)}, "memory.current 1073741824>536870912 (live and configured)"},
		"memory raises max":       {stoppedVM(), SetMemory{On: onA, Current: Some(3 * GiB)}, "memory.current 1073741824>3221225472; memory.max 2147483648>3221225472"},
		"memory max alone":        {stoppedVM(), SetMemory{On: onA, Max: Some(512 * MiB)}, "memory.current 1073741824>536870912; memory.max 2147483648>536870912"},
		"memory max pending":      {runningVM(), SetMemory{On: onA, Max: Some(4 * GiB)}, "memory.max 2147483648>4294967296 (pending: after a restart); pending memory.max 2147483648>4294967296"},
		"memory over max":         {stoppedVM(), SetMemory{On: onA, Current: Some(2 * GiB), Max: Some(GiB)}, "error: cannot have 2 GiB of memory with a maximum of 1 GiB"},
		"memory zero":             {stoppedVM(), SetMemory{On: onA, Current: Some(int64(0))}, "error: cannot have 0 B"},
		"memory known afterwards": {stoppedVM(), SetMemory{On: onA, Current: Unknown[int64]()}, "memory.current 1073741824>(known afterwards)"},

		"settings": {stoppedVM(), SetVM{On: onA, Title: Some("T"), Autostart: Some(true), Boot: Some([]string{"hd"}), Metadata: map[string]string{"k": "v"}},
			"title >T; autostart false>true; boot []>[hd]; metadata.k <nil>>v"},
		"settings equal": {with(stoppedVM(), func(v *VM) {
			v.Title, v.Boot, v.Metadata = "T", []string{"hd"}, map[string]string{"k": "v", "other": "stays"}
		}),
			SetVM{On: onA, Title: Some("T"), Boot: Some([]string{"hd"}), Metadata: map[string]string{"k": "v"}}, ""},
		"title known afterwards": {stoppedVM(), SetVM{On: onA, Title: Unknown[string]()}, "title >(known afterwards)"},
		"xml elsewhere":          {stoppedVM(), SetVM{On: onA, LibvirtXML: Some("<a/>")}, "error: its platform is not libvirt"},

		"start":             {stoppedVM(), Start{On: onA}, "state stopped>running"},
		"start again":       {runningVM(), Start{On: onA}, ""},
		"start a paused":    {with(runningVM(), func(v *VM) { v.State = Paused }), Start{On: onA}, "state paused>running"},
		"shut down":         {runningVM(), Shutdown{On: onA}, "state running>stopped"},
		"shut down again":   {stoppedVM(), Shutdown{On: onA}, ""},
		"crashed is off":    {with(stoppedVM(), func(v *VM) { v.State = Crashed }), PowerOff{On: onA}, ""},
		"discard the saved": {with(stoppedVM(), func(v *VM) { v.State = Suspended }), PowerOff{On: onA}, "state suspended>stopped"},
		"pause":             {runningVM(), Pause{On: onA}, "state running>paused"},
		"pause a stopped":   {stoppedVM(), Pause{On: onA}, "error: is not running"},
		"suspend":           {runningVM(), Suspend{On: onA}, "state running>suspended"},
		"suspend again":     {with(stoppedVM(), func(v *VM) { v.State = Suspended }), Suspend{On: onA}, ""},
		"reboot a stopped":  {stoppedVM(), Reboot{On: onA}, "error: is not running"},
		"command, stopped":  {stoppedVM(), GuestExec{On: onA}, "error: is not running"},

		"attach a disk":             {runningVM(), AttachDisk{On: onA, Disk: spec}, "disks.data <nil>>1073741824 (live and configured)"},
		"attach, stopped":           {stoppedVM(), AttachDisk{On: onA, Disk: spec}, "disks.data <nil>>1073741824 (configured)"},
		"attach again":              {runningVM(), AttachDisk{On: onA, Disk: DiskSpec{Name: "root"}}, ""},
		"attach what is not live":   {with(runningVM(), func(v *VM) { v.Disks[0].In.Live = false }), AttachDisk{On: onA, Disk: DiskSpec{Name: "root"}}, "disks.root.live false>true"},
		"attach another volume":     {stoppedVM(), AttachDisk{On: onA, Disk: DiskSpec{Name: "root", Storage: "pool", Volume: "b"}}, `error: has another disk called "root"`},
		"detach by target":          {runningVM(), DetachDisk{On: onA, Disk: "vda"}, "disks.root 1073741824><nil> (live and configured)"},
		"detach what is gone":       {runningVM(), DetachDisk{On: onA, Disk: "data"}, ""},
		"grow":                      {stoppedVM(), ResizeDisk{On: onA, Disk: "root", Size: 2 * GiB}, "disks.root.size 1073741824>2147483648 (configured)"},
		"grow to what it has":       {stoppedVM(), ResizeDisk{On: onA, Disk: "root", Size: GiB}, ""},
		"shrink":                    {stoppedVM(), ResizeDisk{On: onA, Disk: "root", Size: MiB}, `warning disk "root" has 1 GiB; disks never shrink, so 1 MiB changes nothing`},
		"grow what is not there":    {stoppedVM(), ResizeDisk{On: onA, Disk: "data", Size: GiB}, `error: has no disk "data"`},
		"attach a NIC":              {runningVM(), AttachNIC{On: onA, NIC: NICSpec{Name: "nic2", Network: "dmz"}}, "nics.nic2 <nil>>dmz (live and configured)"},
		"attach a NIC again":        {runningVM(), AttachNIC{On: onA, NIC: NICSpec{Name: "nic1", Network: "lan"}}, ""},
		"attach a NIC elsewhere":    {runningVM(), AttachNIC{On: onA, NIC: NICSpec{Name: "nic1", Network: "dmz"}}, "error: on another network"},
		"attach a MAC twice":        {runningVM(), AttachNIC{On: onA, NIC: NICSpec{Name: "nic2", Network: "dmz", MAC: "52:54:00:00:00:01"}}, "error: has that MAC address at another NIC"},
		"detach a NIC by MAC":       {stoppedVM(), DetachNIC{On: onA, NIC: "52:54:00:00:00:01"}, "nics.nic1 lan><nil> (configured)"},
		"detach no NIC":             {stoppedVM(), DetachNIC{On: onA, NIC: "nic9"}, ""},
		"change a NIC":              {stoppedVM(), ChangeNIC{On: onA, NIC: "nic1", Network: Some("dmz"), LinkUp: Some(false)}, "nics.nic1.network lan>dmz (configured); nics.nic1.link_up true>false (configured)"},
		"change a NIC afterwards":   {stoppedVM(), ChangeNIC{On: onA, NIC: "nic1", Network: Unknown[string]()}, "nics.nic1.network lan>(known afterwards)"},
		"change a NIC not there":    {stoppedVM(), ChangeNIC{On: onA, NIC: "nic9", Network: Some("dmz")}, `error: has no NIC "nic9"`},
		"migrate":                   {runningVM(), Migrate{On: onA, Host: "n2"}, "host n1>n2"},
		"migrate to where it is":    {runningVM(), Migrate{On: onA, Host: "n1"}, ""},
		"arrived by a broken move":  {with(runningVM(), func(v *VM) { v.Arrived = "n9" }), Migrate{On: onA, Host: "n1"}, "arrived_from n9><nil> (what a move that broke off has left there is cleared away)"},
		"away":                      {runningVM(), Migrate{On: onA, AwayFrom: "n1"}, "host n1>(known afterwards)"},
		"away from elsewhere":       {runningVM(), Migrate{On: onA, AwayFrom: "n2"}, ""},
		"migrate nowhere":           {runningVM(), Migrate{On: onA}, "error: give one of host, cluster and away_from"},
		"migrate to a host's own":   {runningVM(), Migrate{On: onA, Host: "n1", Cluster: "c2"}, "error: give one of host, cluster and away_from"},
		"another cluster, running":  {runningVM(), Migrate{On: onA, Cluster: "c2"}, "cluster >c2; host n1>(known afterwards)"},
		"another cluster, stopped":  {stoppedVM(), Migrate{On: onA, Cluster: "c2"}, "cluster >c2"},
		"its own cluster":           {with(runningVM(), func(v *VM) { v.Cluster = "c2" }), Migrate{On: onA, Cluster: "c2"}, ""},
		"migrate from who knows":    {with(runningVM(), func(v *VM) { v.Host = Unknown[string]() }), Migrate{On: onA, Host: "n2"}, "error: its host is known only afterwards"},
		"a change of nobody's kind": {runningVM(), odd{On: onA}, "error: odd is not supported"},
	} {
		t.Run(name, func(t *testing.T) { predicts(t, Rules{}, tc.before, tc.change, tc.want) })
	}
}

type odd struct {
	On
	converge
}

// predicts compares a prediction with what is wanted of it, and looks after what
// holds for all: nothing that went in is changed, and predicted once more from
// its own result, a converging change has nothing left to do.
func predicts(t *testing.T, r Rules, before Object, c Change, want string) {
	t.Helper()
	var copied Object
	if !isNil(before) {
		copied = before.Clone()
	}
	after, out, err := r.Predict(before, c)
	if part, ok := strings.CutPrefix(want, "error: "); ok {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Fatalf("the error is %v, want one with %q", err, part)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := tell(out); got != want {
		t.Errorf("predicted:\n%s\nwant:\n%s", got, want)
	}
	if out.Changed != (len(out.Fields) > 0) {
		t.Errorf("changed is %v with %d fields", out.Changed, len(out.Fields))
	}
	if copied != nil && !reflect.DeepEqual(copied, before) {
		t.Errorf("the prediction changed what it was given")
	}
	if strings.Contains(want, "known afterwards") {
		return
	}
	if _, again, err := r.Predict(after, c); err == nil && again.Changed {
		t.Errorf("predicted from its own result it would change again: %s", tell(again))
	} else if err != nil && !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
}

func TestPredictRules(t *testing.T) {
	onA := On{Ref: VMRef("a")}
	r := Rules{
		LiveCPU:    func(*VM, CPU) string { return "not now" },
		LiveMemory: func(*VM, Memory) string { return "never" },
		Overlay:    func(vm *VM, overlay string) (string, bool, error) { return overlay, vm.Native != overlay, nil },
	}
	predicts(t, r, runningVM(), SetCPU{On: onA, Count: Some(3)}, "cpu.count 2>3 (pending: not now); pending cpu.count 2>3")
	predicts(t, r, runningVM(), SetMemory{On: onA, Current: Some(MiB)}, "memory.current 1073741824>1048576 (pending: never); pending memory.current 1073741824>1048576")
	predicts(t, r, runningVM(), SetVM{On: onA, LibvirtXML: Some("<x/>")}, "libvirt <nil>><x/> (configured; in force after a restart)")
	r.Refuse = func(Object, Change) error { return errors.New("no") }
	predicts(t, r, runningVM(), Start{On: onA}, "error: no")
}

func TestPredictPower(t *testing.T) {
	vm := with(runningVM(), func(v *VM) {
		v.CPU.Count, v.Pending, v.Agent = 6, []Pending{{Field: "cpu.count"}}, AgentConnected
		v.Disks = append(v.Disks, Disk{Name: "hot", Target: "vdb", In: Presence{Live: true}})
		v.NICs = append(v.NICs, NIC{Name: "nic2", In: Presence{Live: true}})
	})
	o, _, err := Rules{}.Predict(vm, Shutdown{On: OnVM(vm), Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	off := o.(*VM)
	if off.Live != nil || off.Pending != nil || off.Agent != "" || len(off.Disks) != 1 || len(off.NICs) != 1 || off.Disks[0].In.Live || off.NICs[0].In.Live {
		t.Errorf("a stopped VM keeps what only a running one has: %+v", off)
	}
	if o, _, err = (Rules{}).Predict(off, Start{On: OnVM(off)}); err != nil {
		t.Fatal(err)
	}
	on := o.(*VM)
	if on.Live == nil || on.Live.CPU.Count != 6 || !on.Disks[0].In.Live || !on.NICs[0].In.Live {
		t.Errorf("a start does not bring the stored values into force: %+v", on)
	}
}

func TestPredictDetachAmongNamesakes(t *testing.T) {
	vm := with(stoppedVM(), func(v *VM) { v.Disks = []Disk{{Name: "a"}, {Name: "b"}, {Name: "c"}} })
	o, _, err := Rules{}.Predict(vm, DetachDisk{On: OnVM(vm), Disk: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if got := diskNames(o.(*VM)); strings.Contains(got, "b") || len(o.(*VM).Disks) != 2 {
		t.Errorf("without b the disks are %s", got)
	}
}

func TestPredictNetwork(t *testing.T) {
	on := On{Ref: NetworkRef("web")}
	n := &Network{Name: "web", VLAN: 5, MTU: 1500, Type: "openvswitch", Bridge: "br", Active: true, Autostart: true, Hosts: []string{"n1"}}
	edit := func(f func(*Network)) *Network { c := n.Clone().(*Network); f(c); return c }
	ofEngine := edit(func(n *Network) {
		n.Type, n.Bridge, n.Attachments = "engine", "", []Attachment{{Host: "n1", NIC: "eth1", InSync: true}}
	})
	down := []HostState{{"n3", "down"}}
	make5 := CreateNetwork{On: on, VLAN: 5, Type: "openvswitch", Hosts: []string{"n2", "n1"}}
	for name, tc := range map[string]struct {
		before Object
		change Change
		want   string
	}{
		"create":               {nil, make5, "network <nil>>web; vlan <nil>>5; hosts <nil>>[n1 n2]"},
		"create on a host":     {n, make5, "hosts [n1]>[n1 n2]"},
		"create again":         {edit(func(n *Network) { n.Hosts = []string{"n1", "n2"} }), make5, ""},
		"activate":             {edit(func(n *Network) { n.Active, n.Autostart = false, false }), CreateNetwork{On: on, VLAN: 5, Type: "openvswitch"}, "active false>true; autostart false>true"},
		"another VLAN":         {n, CreateNetwork{On: on, VLAN: 6, Type: "openvswitch"}, "error: is another network"},
		"another bridge":       {n, CreateNetwork{On: on, VLAN: 5, Type: "openvswitch", Bridge: "br2"}, "error: is another network"},
		"MTU":                  {n, CreateNetwork{On: on, VLAN: 5, Type: "openvswitch", MTU: 9000}, "mtu 1500>9000"},
		"delete":               {n, DeleteNetwork{On: on}, "network web><nil>"},
		"delete what is gone":  {nil, DeleteNetwork{On: on}, ""},
		"delete from one host": {edit(func(n *Network) { n.Hosts = []string{"n1", "n2"} }), DeleteNetwork{On: on, Hosts: []string{"n1"}}, "hosts [n1 n2]>[n2]"},
		"delete from the last": {n, DeleteNetwork{On: on, Hosts: []string{"n1"}}, "network web><nil>"},
		"delete from another":  {n, DeleteNetwork{On: on, Hosts: []string{"n2"}}, ""},

		"a host is down":             {n, CreateNetwork{On: on, VLAN: 5, Type: "openvswitch", Hosts: []string{"n2"}, Unready: down}, "hosts [n1]>[n1 n2]; pending hosts.n3 <nil>>true"},
		"a host is down, all needed": {n, CreateNetwork{On: on, VLAN: 5, Type: "openvswitch", Unready: down, AllHosts: true}, "error: cannot have its networks set up now, as network web needs"},
		"it has it and is down":      {n, CreateNetwork{On: on, VLAN: 5, Type: "openvswitch", Unready: []HostState{{"n1", "down"}}, AllHosts: true}, ""},
		"nobody asked for hosts":     {ofEngine, CreateNetwork{On: on, VLAN: 5, Type: "engine", Unready: down, AllHosts: true}, ""},
		"delete, a host is down":     {ofEngine, DeleteNetwork{On: on, Unready: []HostState{{"n1", "down"}, {"n3", "down"}}}, "network web><nil>; pending hosts.n1 eth1><nil>"},
		"delete, all needed":         {ofEngine, DeleteNetwork{On: on, Unready: []HostState{{"n1", "down"}}, AllHosts: true}, "error: cannot have its networks set up now, as network web needs"},
		"an engine keeps it":         {ofEngine, DeleteNetwork{On: on, Hosts: []string{"n1"}}, "hosts [n1]>[]"},
	} {
		t.Run(name, func(t *testing.T) { predicts(t, Rules{}, tc.before, tc.change, tc.want) })
	}
}

func TestPredictHost(t *testing.T) {
	on := On{Ref: Ref{Kind: KindHost, Name: "h1"}}
	host := func(state string, vms int) *Host {
		return &Host{Name: "h1", State: state, VMs: vms, Maintenance: state == "maintenance"}
	}
	for name, tc := range map[string]struct {
		before Object
		change Change
		want   string
	}{
		"empty":               {host("up", 0), HostMaintenance{On: on}, "state up>maintenance"},
		"one VM":              {host("up", 1), HostMaintenance{On: on}, "state up>maintenance (the VM on it moves to another host)"},
		"several VMs":         {host("preparing_for_maintenance", 3), HostMaintenance{On: on}, "state preparing_for_maintenance>maintenance (the 3 VMs on it move to other hosts)"},
		"out of service":      {host("maintenance", 0), HostMaintenance{On: on}, ""},
		"back":                {host("maintenance", 0), HostActivate{On: on}, "state maintenance>up"},
		"from another state":  {host("non_operational", 0), HostActivate{On: on}, "state non_operational>up"},
		"in service":          {host("up", 3), HostActivate{On: on}, ""},
		"no such host":        {nil, HostMaintenance{On: on}, "error: is not there"},
		"no such host to use": {nil, HostActivate{On: on}, "error: is not there"},
	} {
		t.Run(name, func(t *testing.T) { predicts(t, Rules{}, tc.before, tc.change, tc.want) })
	}
}

func TestPredictGuestWrite(t *testing.T) {
	on := On{Ref: Ref{Kind: KindGuestFile, Scope: "a", Name: "/f"}}
	f := &GuestFile{VM: "a", Path: "/f", Size: 1, SHA256: "aaaaaaaaaaaaaaaa", Mode: "0644", Owner: "root"}
	for name, tc := range map[string]struct {
		before Object
		change GuestWrite
		want   string
	}{
		"new":             {nil, GuestWrite{On: on, SHA256: "b", Size: 3}, "content <nil>>3"},
		"new, empty":      {nil, GuestWrite{On: on, SHA256: "b"}, "content <nil>>0"},
		"equal":           {f, GuestWrite{On: on, SHA256: f.SHA256, Size: 1, Mode: Some("0644")}, ""},
		"other":           {f, GuestWrite{On: on, SHA256: "bbbbbbbbbbbbbbbb", Size: 1}, "content sha256:aaaaaaaaaaaa>sha256:bbbbbbbbbbbb"},
		"mode":            {f, GuestWrite{On: on, SHA256: f.SHA256, Mode: Some("0600"), Group: Some("adm")}, "mode 0644>0600; group >adm"},
		"mode afterwards": {f, GuestWrite{On: on, SHA256: f.SHA256, Mode: Unknown[string]()}, "mode 0644>(known afterwards)"},
	} {
		t.Run(name, func(t *testing.T) { predicts(t, Rules{}, tc.before, tc.change, tc.want) })
	}
}

func TestNextTarget(t *testing.T) {
	var many []Disk
	for i := range 26 {
		many = append(many, Disk{Target: "vd" + letters(i)})
	}
	for name, tc := range map[string]struct {
		disks []Disk
		bus   string
		want  string
	}{
		"first": {nil, "virtio", "vda"}, "gap": {[]Disk{{Target: "vda"}, {Target: "vdc"}}, "virtio", "vdb"}, "after z": {many, "virtio", "vdaa"},
		"scsi": {nil, "scsi", "sda"}, "sata and usb share names": {[]Disk{{Target: "sda"}}, "usb", "sdb"}, "ide": {nil, "ide", "hda"},
	} {
		if got := NextTarget(tc.disks, tc.bus); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
	for i, want := range map[int]string{0: "a", 25: "z", 26: "aa", 51: "az", 52: "ba", 701: "zz", 702: "aaa"} {
		if got := letters(i); got != want {
			t.Errorf("disk %d is called %s, want %s", i, got, want)
		}
	}
}

// applier predicts by Rules alone, for Decide.
type applier struct {
	Applier
	Rules
}

func (a applier) Predict(before Object, c Change) (Object, Outcome, error) {
	return a.Rules.Predict(before, c)
}

func TestDecide(t *testing.T) {
	seen := runningVM()
	for name, tc := range map[string]struct {
		now     Object
		change  Change
		err     error
		changed bool
	}{
		"as it was seen":              {runningVM(), SetCPU{On: OnVM(seen), Count: Some(3)}, nil, true},
		"already done by another":     {with(runningVM(), func(v *VM) { v.CPU.Count, v.Live.CPU.Count = 3, 3 }), SetCPU{On: OnVM(seen), Count: Some(3)}, nil, false},
		"something else changed":      {with(runningVM(), func(v *VM) { v.Title = "new" }), SetCPU{On: OnVM(seen), Count: Some(3)}, nil, true},
		"the same field changed":      {with(runningVM(), func(v *VM) { v.CPU.Count = 1 }), SetCPU{On: OnVM(seen), Count: Some(3)}, ErrDiverged, false},
		"it was stopped":              {stoppedVM(), SetCPU{On: OnVM(seen), Count: Some(3)}, nil, true},
		"it is gone":                  {nil, SetCPU{On: OnVM(seen), Count: Some(3)}, ErrNotFound, false},
		"it was made meanwhile":       {stoppedVM(), CreateVM{On: On{Ref: VMRef("a")}}, ErrConflict, false},
		"another run began it":        {with(stoppedVM(), func(v *VM) { v.Unfinished = "r0" }), CreateVM{On: On{Ref: VMRef("a")}, Run: "r1"}, ErrDiverged, false},
		"an action asks for no state": {with(runningVM(), func(v *VM) { v.CPU.Count = 1 }), Reboot{On: OnVM(seen)}, nil, true},
	} {
		_, out, err := Decide(applier{}, tc.now, tc.change)
		if !errors.Is(err, tc.err) || out.Changed != tc.changed {
			t.Errorf("%s: changed %v, %v; want changed %v, %v", name, out.Changed, err, tc.changed, tc.err)
		}
	}
}
