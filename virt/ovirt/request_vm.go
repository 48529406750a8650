package ovirt

// The bodies of requests. Only what is set goes out; a pointer tells "make it
// empty" from "leave it". Lists are pointers because encoding/xml writes the
// wrapper of a nil slice, and to the engine an empty list is not a missing one.

// refXML names an object by its id, else by its name.
type refXML struct {
	ID   Text  `xml:"id,attr,omitempty"`
	Name *Text `xml:"name,omitempty"`
}

func byID(id string) *refXML       { return &refXML{ID: Text(id)} }
func withName(name string) *refXML { return &refXML{Name: textOf(name)} }

// vmXML is a VM to be made or changed.
type vmXML struct {
	ID               Text                 `xml:"id,attr,omitempty"`
	Name             *Text                `xml:"name,omitempty"`
	Description      *Text                `xml:"description,omitempty"`
	Comment          *Text                `xml:"comment,omitempty"`
	Cluster          *refXML              `xml:"cluster,omitempty"`
	Template         *refXML              `xml:"template,omitempty"`
	InstanceType     *refXML              `xml:"instance_type,omitempty"`
	Type             *Text                `xml:"type,omitempty"` // server, desktop, high_performance
	Memory           *int64               `xml:"memory,omitempty"`
	MemoryPolicy     *memoryPolicyXML     `xml:"memory_policy,omitempty"`
	CPU              *cpuXML              `xml:"cpu,omitempty"`
	BIOS             *biosXML             `xml:"bios,omitempty"`
	OS               *osXML               `xml:"os,omitempty"`
	HighAvailability *haXML               `xml:"high_availability,omitempty"`
	PlacementPolicy  *placementXML        `xml:"placement_policy,omitempty"`
	CustomProperties *[]customPropertyXML `xml:"custom_properties>custom_property,omitempty"`
	DeleteProtected  *bool                `xml:"delete_protected,omitempty"`
	Stateless        *bool                `xml:"stateless,omitempty"`
	TimeZone         *nameXML             `xml:"time_zone,omitempty"`
	// DiskAttachments say how the template's disks are copied; each names one by
	// its id. Others are left out by the engine without a word.
	DiskAttachments *[]diskAttachmentXML `xml:"disk_attachments>disk_attachment,omitempty"`
	Initialization  *initializationXML   `xml:"initialization,omitempty"`
}

type nameXML struct {
	Name Text `xml:"name"`
}

type memoryPolicyXML struct {
	Guaranteed *int64 `xml:"guaranteed,omitempty"` // bytes
	Max        *int64 `xml:"max,omitempty"`
	Ballooning *bool  `xml:"ballooning,omitempty"`
}

type cpuXML struct {
	Topology *topologyXML `xml:"topology,omitempty"`
}

type topologyXML struct {
	Cores   int `xml:"cores"`
	Sockets int `xml:"sockets"`
	Threads int `xml:"threads"`
}

type biosXML struct {
	Type Text `xml:"type"` // cluster_default, i440fx_sea_bios, q35_sea_bios, q35_ovmf, q35_secure_boot
}

type osXML struct {
	Type *Text    `xml:"type,omitempty"` // as rhel_8x64
	Boot *bootXML `xml:"boot,omitempty"`
}

type bootXML struct {
	Devices []Text `xml:"devices>device"` // hd, network, cdrom
}

type haXML struct {
	Enabled  bool `xml:"enabled"`
	Priority *int `xml:"priority,omitempty"`
}

type placementXML struct {
	Affinity *Text     `xml:"affinity,omitempty"` // migratable, user_migratable, pinned
	Hosts    *[]refXML `xml:"hosts>host,omitempty"`
}

type customPropertyXML struct {
	Name  Text `xml:"name"`
	Value Text `xml:"value"`
}

// initializationXML is what the guest sets up for itself at its first boot, or,
// with an action start, at this one.
type initializationXML struct {
	HostName          *Text                  `xml:"host_name,omitempty"`
	UserName          *Text                  `xml:"user_name,omitempty"`
	RootPassword      *Text                  `xml:"root_password,omitempty"`
	AuthorizedSSHKeys *Text                  `xml:"authorized_ssh_keys,omitempty"` // a line each
	RegenerateSSHKeys *bool                  `xml:"regenerate_ssh_keys,omitempty"`
	Timezone          *Text                  `xml:"timezone,omitempty"`
	DNSServers        *Text                  `xml:"dns_servers,omitempty"`   // separated by spaces
	DNSSearch         *Text                  `xml:"dns_search,omitempty"`    // likewise
	CustomScript      *Text                  `xml:"custom_script,omitempty"` // user data in YAML, merged behind the engine's own
	NetworkProtocol   *Text                  `xml:"cloud_init_network_protocol,omitempty"`
	NICs              *[]nicConfigurationXML `xml:"nic_configurations>nic_configuration,omitempty"`
}

// nicConfigurationXML is one interface inside the guest, by the name that it has
// there.
type nicConfigurationXML struct {
	Name         Text   `xml:"name"`
	OnBoot       bool   `xml:"on_boot"`
	BootProtocol *Text  `xml:"boot_protocol,omitempty"` // none, dhcp, static
	IP           *ipXML `xml:"ip,omitempty"`
	IPv6Protocol *Text  `xml:"ipv6_boot_protocol,omitempty"`
	IPv6         *ipXML `xml:"ipv6,omitempty"`
}

type ipXML struct {
	Address Text  `xml:"address"`
	Netmask *Text `xml:"netmask,omitempty"` // as 255.255.255.0, or a prefix length for v6
	Gateway *Text `xml:"gateway,omitempty"`
	Version *Text `xml:"version,omitempty"` // v4, v6
}

// diskAttachmentXML is a disk of a VM. With Disk.ID an existing disk is attached,
// else one is made.
type diskAttachmentXML struct {
	ID        Text     `xml:"id,attr,omitempty"`
	Active    *bool    `xml:"active,omitempty"` // plugged; left out, only when the VM is down
	Bootable  *bool    `xml:"bootable,omitempty"`
	Interface *Text    `xml:"interface,omitempty"` // virtio, virtio_scsi, sata, ide
	ReadOnly  *bool    `xml:"read_only,omitempty"`
	Discard   *bool    `xml:"pass_discard,omitempty"`
	Disk      *diskXML `xml:"disk,omitempty"`
}

type diskXML struct {
	ID              Text      `xml:"id,attr,omitempty"`
	Name            *Text     `xml:"name,omitempty"`
	Alias           *Text     `xml:"alias,omitempty"`
	Description     *Text     `xml:"description,omitempty"`
	Format          *Text     `xml:"format,omitempty"`       // cow, raw
	InitialSize     *int64    `xml:"initial_size,omitempty"` // bytes of storage to begin with, of a cow disk on block storage
	ContentType     *Text     `xml:"content_type,omitempty"` // data, iso
	ProvisionedSize *int64    `xml:"provisioned_size,omitempty"`
	Sparse          *bool     `xml:"sparse,omitempty"`
	Shareable       *bool     `xml:"shareable,omitempty"`
	WipeAfterDelete *bool     `xml:"wipe_after_delete,omitempty"`
	StorageDomains  *[]refXML `xml:"storage_domains>storage_domain,omitempty"`
}

// nicXML is a network interface of a VM. An empty VNICProfile unplugs it from any
// network.
type nicXML struct {
	ID          Text    `xml:"id,attr,omitempty"`
	Name        *Text   `xml:"name,omitempty"`
	Interface   *Text   `xml:"interface,omitempty"` // virtio, e1000, e1000e, rtl8139
	Linked      *bool   `xml:"linked,omitempty"`
	Plugged     *bool   `xml:"plugged,omitempty"`
	MAC         *macXML `xml:"mac,omitempty"`
	VNICProfile *refXML `xml:"vnic_profile,omitempty"`
}

type macXML struct {
	Address Text `xml:"address"`
}

// cdromXML changes the CD of a VM; a file with an empty id ejects it.
type cdromXML struct {
	File fileXML `xml:"file"`
}

type fileXML struct {
	ID Text `xml:"id,attr"`
}

type snapshotXML struct {
	Description     Text                 `xml:"description"`
	PersistMemory   *bool                `xml:"persist_memorystate,omitempty"`
	DiskAttachments *[]diskAttachmentXML `xml:"disk_attachments>disk_attachment,omitempty"`
}

type tagXML struct {
	ID          Text    `xml:"id,attr,omitempty"`
	Name        *Text   `xml:"name,omitempty"`
	Description *Text   `xml:"description,omitempty"`
	Parent      *refXML `xml:"parent,omitempty"`
}

// affinityGroupXML keeps VMs together or apart.
type affinityGroupXML struct {
	Name        *Text            `xml:"name,omitempty"`
	Description *Text            `xml:"description,omitempty"`
	VMsRule     *affinityRuleXML `xml:"vms_rule,omitempty"`
	HostsRule   *affinityRuleXML `xml:"hosts_rule,omitempty"`
	VMs         *[]refXML        `xml:"vms>vm,omitempty"`
	Hosts       *[]refXML        `xml:"hosts>host,omitempty"`
}

type affinityRuleXML struct {
	Enabled   bool  `xml:"enabled"`
	Enforcing *bool `xml:"enforcing,omitempty"`
	Positive  *bool `xml:"positive,omitempty"`
}
