package ovirtsim

import "strings"

func newKind(name, list, path, actions, links string) *kind {
	return &kind{name: name, list: list, path: path, actions: strings.Fields(actions), links: strings.Fields(links)}
}

// The kinds of objects, with the actions and links that real engines show, in
// their order.
var (
	kindVM = newKind("vm", "vms", "vms",
		"detach export ticket migrate reboot freezefilesystems previewsnapshot reordermacaddresses undosnapshot logon "+
			"commitsnapshot cancelmigration clone maintenance thawfilesystems shutdown start stop suspend",
		"nics numanodes snapshots applications hostdevices reporteddevices sessions backups watchdogs graphicsconsoles "+
			"diskattachments affinitylabels katelloerrata permissions tags cdroms statistics")
	kindTemplate = newKind("template", "templates", "templates", "export",
		"nics watchdogs graphicsconsoles diskattachments permissions tags cdroms")
	kindInstance = newKind("instance_type", "instance_types", "instancetypes", "", "nics watchdogs graphicsconsoles")
	kindHost     = newKind("host", "hosts", "hosts",
		"refresh syncallnetworks install activate deactivate upgrade upgradecheck setupnetworks approve commitnetconfig "+
			"enrollcertificate fence forceselectspm iscsidiscover iscsilogin unregisteredstoragedomainsdiscover",
		"fenceagents devices hooks nics numanodes storageconnectionextensions storage networkattachments "+
			"unmanagednetworks externalnetworkproviderconfigurations affinitylabels katelloerrata permissions tags statistics")
	kindCluster = newKind("cluster", "clusters", "clusters", "syncallnetworks upgrade resetemulatedmachine",
		"cpuprofiles affinitygroups glusterhooks glustervolumes enabledfeatures externalnetworkproviders networkfilters "+
			"networks permissions")
	kindDataCenter = newKind("data_center", "data_centers", "datacenters", "",
		"qoss clusters iscsibonds quotas networks storagedomains permissions")
	kindNetwork = newKind("network", "networks", "networks", "", "networklabels permissions vnicprofiles")
	kindProfile = newKind("vnic_profile", "vnic_profiles", "vnicprofiles", "", "permissions")
	kindStorage = newKind("storage_domain", "storage_domains", "storagedomains",
		"isattached refreshluns reduceluns updateovfstore",
		"diskprofiles disks disksnapshots storageconnections permissions templates vms")
	kindDisk     = newKind("disk", "disks", "disks", "reduce refreshlun move export sparsify copy", "permissions statistics")
	kindTransfer = newKind("image_transfer", "image_transfers", "imagetransfers", "cancel extend finalize pause resume", "")
	kindNIC      = newKind("nic", "nics", "nics", "activate deactivate", "reporteddevices networkfilterparameters statistics")
	kindAtt      = newKind("disk_attachment", "disk_attachments", "diskattachments", "", "")
	kindSnap     = newKind("snapshot", "snapshots", "snapshots", "restore", "disks nics cdroms")
	kindCdrom    = newKind("cdrom", "cdroms", "cdroms", "", "")
	kindTag      = newKind("tag", "tags", "tags", "", "")
	kindHostNIC  = newKind("host_nic", "host_nics", "nics", "",
		"linklayerdiscoveryprotocolelements networkattachments networklabels statistics")
	kindNetAtt    = newKind("network_attachment", "network_attachments", "networkattachments", "", "")
	kindReported  = newKind("reported_device", "reported_devices", "reporteddevices", "", "")
	kindStat      = newKind("statistic", "statistics", "statistics", "", "")
	kindApp       = newKind("application", "applications", "applications", "", "")
	kindFile      = newKind("file", "files", "files", "", "")
	kindLabel     = newKind("network_label", "network_labels", "networklabels", "", "")
	kindAffinity  = newKind("affinity_group", "affinity_groups", "affinitygroups", "", "vms hosts vmlabels hostlabels")
	kindAffLabel  = newKind("affinity_label", "affinity_labels", "affinitylabels", "", "vms hosts")
	kindEvent     = newKind("event", "events", "events", "", "")
	kindJob       = newKind("job", "jobs", "jobs", "clear end", "steps")
	kindStep      = newKind("step", "steps", "steps", "end", "statistics")
	kindUser      = newKind("user", "users", "users", "", "roles permissions sshpublickeys tags")
	kindDCStorage = newKind("storage_domain", "storage_domains", "storagedomains", "activate deactivate", "disks")
	kindClNetwork = newKind("network", "networks", "networks", "", "networklabels permissions vnicprofiles")
)

// roots are the top-level collections.
var roots = []*kind{
	kindVM, kindTemplate, kindHost, kindCluster, kindDataCenter, kindNetwork, kindProfile, kindStorage, kindDisk,
	kindTag, kindAffLabel, kindEvent, kindJob, kindUser, kindInstance, kindTransfer,
}

// vacant are the sub-collections that exist on a real engine and are empty
// here, with the name of their list.
var vacant = map[string]string{
	"numanodes": "host_numa_nodes", "hostdevices": "host_devices", "sessions": "sessions", "backups": "backups",
	"watchdogs": "watchdogs", "graphicsconsoles": "graphics_consoles", "affinitylabels": "affinity_labels",
	"katelloerrata": "katello_errata", "permissions": "permissions", "cdroms": "cdroms", "applications": "applications",
	"tags": "tags", "nics": "nics", "fenceagents": "agents", "devices": "host_devices", "hooks": "hooks",
	"storageconnectionextensions": "storage_connection_extensions", "storage": "host_storages",
	"unmanagednetworks": "unmanaged_networks", "statistics": "statistics", "networklabels": "network_labels",
	"externalnetworkproviderconfigurations": "external_network_provider_configurations",
	"cpuprofiles":                           "cpu_profiles", "glusterhooks": "gluster_hooks", "glustervolumes": "gluster_volumes",
	"enabledfeatures": "cluster_features", "externalnetworkproviders": "external_providers",
	"networkfilters": "network_filters", "affinitygroups": "affinity_groups", "qoss": "qoss", "iscsibonds": "iscsi_bonds",
	"quotas": "quotas", "diskprofiles": "disk_profiles", "disksnapshots": "disk_snapshots",
	"storageconnections": "storage_connections", "images": "images", "files": "files",
	"networkfilterparameters": "network_filter_parameters", "reporteddevices": "reported_devices",
	"linklayerdiscoveryprotocolelements": "link_layer_discovery_protocol_elements",
	"vmlabels":                           "affinity_labels", "hostlabels": "affinity_labels", "steps": "steps", "roles": "roles",
	"sshpublickeys": "ssh_public_keys", "networkattachments": "network_attachments", "disks": "disks", "snapshots": "snapshots",
	"diskattachments": "disk_attachments", "checkpoints": "checkpoints", "virtualfunctionallowedlabels": "network_labels",
	"virtualfunctionallowednetworks": "networks", "eventsubscriptions": "event_subscriptions", "groups": "groups", "options": "user_options",
	"vms": "vms", "hosts": "hosts", "templates": "templates",
}

// unlinked are the sub-collections that objects have and do not always link to.
var unlinked = map[string][]string{
	"vm": {"checkpoints"}, "storage_domain": {"files", "images"}, "disk": {"disksnapshots"},
	"host_nic": {"virtualfunctionallowedlabels", "virtualfunctionallowednetworks"}, "user": {"eventsubscriptions", "groups", "options"},
	"network": {"permissions"}, "affinity_group": {"vmlabels", "hostlabels"},
}

// listNames are the lists that one kind of object calls otherwise than the rest.
var listNames = map[string]string{
	"vm numanodes": "vm_numa_nodes", "host nics": "host_nics",
}

// vacantRoots are the top-level collections that are empty here.
var vacantRoots = map[string]string{
	"macpools": "mac_pools", "schedulingpolicies": "scheduling_policies",
	"networkfilters": "network_filters", "groups": "groups", "vmpools": "vm_pools", "domains": "domains", "roles": "roles",
	"bookmarks": "bookmarks", "icons": "icons", "cpuprofiles": "cpu_profiles", "diskprofiles": "disk_profiles",
	"permissions": "permissions", "storageconnections": "storage_connections",
	"openstacknetworkproviders": "openstack_network_providers", "operatingsystems": "operation_systems",
	"clusterlevels": "cluster_levels", "externalhostproviders": "external_host_providers", "katelloerrata": "katello_errata",
	"openstackimageproviders": "openstack_image_providers", "openstackvolumeproviders": "openstack_volume_providers",
	"schedulingpolicyunits": "scheduling_policy_units",
}

// linkList is the element that a followed collection is written as.
func linkList(rel string) string {
	for _, k := range []*kind{
		kindVM, kindTemplate, kindHost, kindCluster, kindNetwork, kindProfile, kindStorage, kindDisk, kindNIC,
		kindAtt, kindSnap, kindTag, kindNetAtt, kindReported, kindStat, kindApp, kindLabel, kindAffinity, kindAffLabel,
		kindStep, kindFile,
	} {
		if k.path == rel {
			return k.list
		}
	}
	return vacant[rel]
}
