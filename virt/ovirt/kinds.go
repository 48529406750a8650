package ovirt

import ovirtsdk "github.com/ovirt/go-ovirt"

// What is read from engines.
var (
	kindAPI            = kind[ovirtsdk.Api]{"api", "api", ovirtsdk.XMLApiReadOne}
	kindVM             = kind[ovirtsdk.Vm]{"vm", "vms", ovirtsdk.XMLVmReadOne}
	kindTemplate       = kind[ovirtsdk.Template]{"template", "templates", ovirtsdk.XMLTemplateReadOne}
	kindDisk           = kind[ovirtsdk.Disk]{"disk", "disks", ovirtsdk.XMLDiskReadOne}
	kindDiskAttachment = kind[ovirtsdk.DiskAttachment]{"disk_attachment", "disk_attachments", ovirtsdk.XMLDiskAttachmentReadOne}
	kindNIC            = kind[ovirtsdk.Nic]{"nic", "nics", ovirtsdk.XMLNicReadOne}
	kindReportedDevice = kind[ovirtsdk.ReportedDevice]{"reported_device", "reported_devices", ovirtsdk.XMLReportedDeviceReadOne}
	kindSnapshot       = kind[ovirtsdk.Snapshot]{"snapshot", "snapshots", ovirtsdk.XMLSnapshotReadOne}
	kindApplication    = kind[ovirtsdk.Application]{"application", "applications", ovirtsdk.XMLApplicationReadOne}
	kindTag            = kind[ovirtsdk.Tag]{"tag", "tags", ovirtsdk.XMLTagReadOne}
	kindHost           = kind[ovirtsdk.Host]{"host", "hosts", ovirtsdk.XMLHostReadOne}
	kindHostNIC        = kind[ovirtsdk.HostNic]{"host_nic", "host_nics", ovirtsdk.XMLHostNicReadOne}
	kindAttachment     = kind[ovirtsdk.NetworkAttachment]{"network_attachment", "network_attachments", ovirtsdk.XMLNetworkAttachmentReadOne}
	kindStatistic      = kind[ovirtsdk.Statistic]{"statistic", "statistics", ovirtsdk.XMLStatisticReadOne}
	kindCluster        = kind[ovirtsdk.Cluster]{"cluster", "clusters", ovirtsdk.XMLClusterReadOne}
	kindAffinityGroup  = kind[ovirtsdk.AffinityGroup]{"affinity_group", "affinity_groups", ovirtsdk.XMLAffinityGroupReadOne}
	kindDataCenter     = kind[ovirtsdk.DataCenter]{"data_center", "data_centers", ovirtsdk.XMLDataCenterReadOne}
	kindNetwork        = kind[ovirtsdk.Network]{"network", "networks", ovirtsdk.XMLNetworkReadOne}
	kindNetworkLabel   = kind[ovirtsdk.NetworkLabel]{"network_label", "network_labels", ovirtsdk.XMLNetworkLabelReadOne}
	kindVNICProfile    = kind[ovirtsdk.VnicProfile]{"vnic_profile", "vnic_profiles", ovirtsdk.XMLVnicProfileReadOne}
	kindStorageDomain  = kind[ovirtsdk.StorageDomain]{"storage_domain", "storage_domains", ovirtsdk.XMLStorageDomainReadOne}
	kindImageTransfer  = kind[ovirtsdk.ImageTransfer]{"image_transfer", "image_transfers", ovirtsdk.XMLImageTransferReadOne}
	kindCdrom          = kind[ovirtsdk.Cdrom]{"cdrom", "cdroms", ovirtsdk.XMLCdromReadOne}
	kindFile           = kind[ovirtsdk.File]{"file", "files", ovirtsdk.XMLFileReadOne}
	kindJob            = kind[ovirtsdk.Job]{"job", "jobs", ovirtsdk.XMLJobReadOne}
	kindEvent          = kind[ovirtsdk.Event]{"event", "events", ovirtsdk.XMLEventReadOne}
)

// linked is what all of go-ovirt's collections and objects have.
type linked interface {
	Href() (string, bool)
}

// many is one of go-ovirt's collections.
type many[T any] interface {
	comparable
	linked
	Slice() []T
}

// items gives the members of a collection inside an object, and whether they were
// sent along. go-ovirt puts a followed collection and a mere link to one in the
// same place, with ok true for both: a VM whose NICs were not asked for does not
// have none.
func items[T any, C many[T]](c C, ok bool) (list []T, sent bool) {
	var none C
	if !ok || c == none {
		return nil, false
	}
	list = c.Slice()
	if _, link := c.Href(); link && len(list) == 0 {
		return nil, false
	}
	return list, true
}
