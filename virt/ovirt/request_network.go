package ovirt

// networkXML is a network of a data centre, or of a cluster.
type networkXML struct {
	ID          Text     `xml:"id,attr,omitempty"`
	Name        *Text    `xml:"name,omitempty"`
	Description *Text    `xml:"description,omitempty"`
	Comment     *Text    `xml:"comment,omitempty"`
	DataCenter  *refXML  `xml:"data_center,omitempty"`
	MTU         *int     `xml:"mtu,omitempty"` // 0 = the engine's
	VLAN        *vlanXML `xml:"vlan,omitempty"`
	// Usages holds vm for a network that VMs can use; left out, it is one. Of a
	// cluster's network it is the whole set of roles.
	Usages *[]Text `xml:"usages>usage,omitempty"`
	// Required belongs to a cluster's network. Left out it is true, and a host
	// without the network becomes non_operational.
	Required *bool `xml:"required,omitempty"`
}

type vlanXML struct {
	ID int `xml:"id,attr"`
}

type vnicProfileXML struct {
	Name        Text    `xml:"name"`
	Description *Text   `xml:"description,omitempty"`
	Network     *refXML `xml:"network,omitempty"` // by id only
}

// bondXML is a bond of a host.
type bondXML struct {
	ID      Text        `xml:"id,attr,omitempty"`
	Name    *Text       `xml:"name,omitempty"`
	Bonding *bondingXML `xml:"bonding,omitempty"`
}

type bondingXML struct {
	Options *[]optionXML `xml:"options>option,omitempty"`
	Slaves  []hostNICXML `xml:"slaves>host_nic"` // all that are wanted, two at least
}

type optionXML struct {
	Name  Text `xml:"name"`
	Value Text `xml:"value"`
}

type hostNICXML struct {
	ID   Text  `xml:"id,attr,omitempty"`
	Name *Text `xml:"name,omitempty"`
}

// networkAttachmentXML puts a network on a NIC or bond of a host. With ID, or the
// network of an attachment that is there, it is changed or moved.
type networkAttachmentXML struct {
	ID       Text             `xml:"id,attr,omitempty"`
	HostNIC  *hostNICXML      `xml:"host_nic,omitempty"`
	Network  *refXML          `xml:"network,omitempty"`
	Settings *[]assignmentXML `xml:"ip_address_assignments>ip_address_assignment,omitempty"`
}

type assignmentXML struct {
	Method Text   `xml:"assignment_method"` // none, dhcp, static, autoconf, poly_dhcp_autoconf
	IP     *ipXML `xml:"ip,omitempty"`
}

type networkLabelXML struct {
	ID      Text        `xml:"id,attr"`
	HostNIC *hostNICXML `xml:"host_nic,omitempty"`
}
