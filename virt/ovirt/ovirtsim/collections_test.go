package ovirtsim

import (
	"strings"
	"testing"
	"time"
)

// collections are those of the API, each with the element that its list is
// written as: by the path to an object, with a * for its id.
const collections = `
/ affinitylabels=affinity_labels bookmarks=bookmarks clusterlevels=cluster_levels clusters=clusters cpuprofiles=cpu_profiles
  datacenters=data_centers diskprofiles=disk_profiles disks=disks domains=domains events=events externalhostproviders=external_host_providers
  groups=groups hosts=hosts icons=icons imagetransfers=image_transfers instancetypes=instance_types jobs=jobs katelloerrata=katello_errata
  macpools=mac_pools networkfilters=network_filters networks=networks openstackimageproviders=openstack_image_providers
  openstacknetworkproviders=openstack_network_providers openstackvolumeproviders=openstack_volume_providers
  operatingsystems=operation_systems permissions=permissions roles=roles schedulingpolicies=scheduling_policies
  schedulingpolicyunits=scheduling_policy_units storageconnections=storage_connections storagedomains=storage_domains tags=tags
  templates=templates users=users vmpools=vm_pools vms=vms vnicprofiles=vnic_profiles
/vms/*/ affinitylabels=affinity_labels applications=applications backups=backups cdroms=cdroms checkpoints=checkpoints
  diskattachments=disk_attachments graphicsconsoles=graphics_consoles hostdevices=host_devices katelloerrata=katello_errata nics=nics
  numanodes=vm_numa_nodes permissions=permissions reporteddevices=reported_devices sessions=sessions snapshots=snapshots
  statistics=statistics tags=tags watchdogs=watchdogs
/vms/*/nics/*/ networkfilterparameters=network_filter_parameters reporteddevices=reported_devices statistics=statistics
/vms/*/snapshots/*/ cdroms=cdroms disks=disks nics=nics
/templates/*/ cdroms=cdroms diskattachments=disk_attachments graphicsconsoles=graphics_consoles nics=nics permissions=permissions
  tags=tags watchdogs=watchdogs
/instancetypes/*/ graphicsconsoles=graphics_consoles nics=nics watchdogs=watchdogs
/hosts/*/ affinitylabels=affinity_labels devices=host_devices
  externalnetworkproviderconfigurations=external_network_provider_configurations fenceagents=agents hooks=hooks
  katelloerrata=katello_errata networkattachments=network_attachments nics=host_nics numanodes=host_numa_nodes permissions=permissions
  statistics=statistics storage=host_storages storageconnectionextensions=storage_connection_extensions tags=tags
  unmanagednetworks=unmanaged_networks
/hosts/*/nics/*/ linklayerdiscoveryprotocolelements=link_layer_discovery_protocol_elements networkattachments=network_attachments
  networklabels=network_labels statistics=statistics virtualfunctionallowedlabels=network_labels virtualfunctionallowednetworks=networks
/clusters/*/ affinitygroups=affinity_groups cpuprofiles=cpu_profiles enabledfeatures=cluster_features
  externalnetworkproviders=external_providers glusterhooks=gluster_hooks glustervolumes=gluster_volumes networkfilters=network_filters
  networks=networks permissions=permissions
/clusters/*/affinitygroups/*/ hostlabels=affinity_labels hosts=hosts vmlabels=affinity_labels vms=vms
/datacenters/*/ clusters=clusters iscsibonds=iscsi_bonds networks=networks permissions=permissions qoss=qoss quotas=quotas
  storagedomains=storage_domains
/datacenters/*/storagedomains/*/ disks=disks
/networks/*/ networklabels=network_labels permissions=permissions vnicprofiles=vnic_profiles
/vnicprofiles/*/ permissions=permissions
/storagedomains/*/ diskprofiles=disk_profiles disks=disks disksnapshots=disk_snapshots files=files images=images permissions=permissions
  storageconnections=storage_connections templates=templates vms=vms
/disks/*/ disksnapshots=disk_snapshots permissions=permissions statistics=statistics
/affinitylabels/*/ hosts=hosts vms=vms
/jobs/*/ steps=steps
/users/*/ eventsubscriptions=event_subscriptions groups=groups options=user_options permissions=permissions roles=roles
  sshpublickeys=ssh_public_keys tags=tags
`

// Every collection of the API answers, an empty one by an empty list.
func TestCollections(t *testing.T) {
	c := start(t, Options{})
	vm := c.create("debian-12", "", "", 202)
	c.e.Advance(time.Minute)
	c.do("POST", vm+"/snapshots", "<snapshot><description>s</description></snapshot>", 202)
	c.do("POST", "/clusters/"+c.id("clusters", "Default")+"/affinitygroups", "<affinity_group><name>g</name></affinity_group>", 201)
	c.do("POST", "/affinitylabels", "<affinity_label><name>l</name></affinity_label>", 201)
	at, n := "", 0
	for word := range strings.FieldsSeq(collections) {
		rel, list, isCollection := strings.Cut(word, "=")
		if !isCollection {
			at = c.one(word)
			continue
		}
		n++
		if x := c.get(at + rel); x.name != list {
			t.Errorf("%s%s is <%s>, want <%s>", at, rel, x.name, list)
		}
	}
	if n != 139 {
		t.Errorf("%d collections", n)
	}
	for _, path := range []string{"/nothing", vm + "/nothing", vm + "/clusters", "/vms/" + blankID + "/nics", vm + "/nics/" + blankID} {
		c.do("GET", path, "", 404)
	}
}

// one puts the id of the last object of each collection in place of the *.
func (c *client) one(path string) string {
	c.t.Helper()
	at := ""
	for seg := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if seg == "*" {
			all := c.get(at).kids
			if len(all) == 0 {
				c.t.Fatalf("%s is empty", at)
			}
			seg = all[len(all)-1].id
		}
		at += "/" + seg
	}
	return at
}
