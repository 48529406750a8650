package ovirtsim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// A schema says which elements a document that clients send may have.
// Elements outside it are refused: a real engine may ignore some of them in
// silence, which would hide a client's mistake.
type schema struct {
	kids   map[string]*schema
	scalar string   // int, bool, uuid of an enum's name; "" is any text
	values []string // of an enum
}

// inputs are the schemas of what clients send: name{children}, name:type (int,
// bool, or the name of another entry), name:type=a|b an enum.
const inputs = `
vm{ name description comment memory:int:
  memory_policy{guaranteed:int max:int ballooning:bool over_commit{percent:int}}
  cluster:ref template:ref instance_type:ref cpu_profile:ref quota:ref large_icon:ref small_icon:ref
  original_template:ref data_center:ref storage_domain:ref
  cpu{architecture type mode=custom|host_model|host_passthrough level:int name
    topology{cores:int sockets:int threads:int} cpu_tune{vcpu_pins{vcpu_pin{cpu_set vcpu:int}}}}
  cpu_shares:int cpu_pinning_policy=none|manual|resize_and_pin_numa|dedicated|isolate_threads
  bios{boot_menu{enabled:bool} type=cluster_default|i440fx_sea_bios|q35_ovmf|q35_sea_bios|q35_secure_boot}
  os{type cmdline kernel initrd custom_kernel_cmdline version{full_version major:int minor:int}
    boot{devices{device=hd|cdrom|network}}}
  custom_properties{custom_property{name value regexp}}
  custom_compatibility_version{major:int minor:int} custom_cpu_model custom_emulated_machine
  delete_protected:bool start_paused:bool stateless:bool run_once:bool multi_queues_enabled:bool
  virtio_scsi_multi_queues_enabled:bool virtio_scsi_multi_queues:int tpm_enabled:bool
  auto_pinning_policy=disabled|existing|adjust soundcard_enabled:bool
  display{type=spice|vnc monitors:int allow_override:bool copy_paste_enabled:bool disconnect_action
    disconnect_action_delay:int file_transfer_enabled:bool smartcard_enabled:bool single_qxl_pci:bool
    keyboard_layout address port:int secure_port:int proxy}
  console{enabled:bool} soundcard{enabled:bool} virtio_scsi{enabled:bool}
  rng_device{source=hwrng|random|urandom rate{bytes:int period:int}}
  high_availability{enabled:bool priority:int} io{threads:int}
  initialization:initialization
  lease{storage_domain:ref}
  migration{auto_converge=true|false|inherit compressed=true|false|inherit encrypted=true|false|inherit
    policy:ref parallel_migrations_policy custom_parallel_migrations:int}
  migration_downtime:int numa_tune_mode=interleave|preferred|strict
  placement_policy{affinity=migratable|pinned|user_migratable hosts{host:ref}}
  serial_number{policy=custom|host|vm|none value} storage_error_resume_behaviour=auto_resume|kill|leave_paused
  sso{methods{method}} time_zone{name utc_offset} type=desktop|server|high_performance
  usb{enabled:bool type=legacy|native} use_latest_template_version:bool
  disk_attachments{disk_attachment:disk_attachment} nics{nic:nic} tags{tag:tag} cdroms{cdrom{file:ref}}
  vm_pool:ref payloads{payload{type=cdrom|floppy volume_id files{file{name content type}}}}
  external_host_provider:ref }
initialization{ host_name user_name root_password domain input_locale ui_language user_locale system_locale
  org_name active_directory_ou windows_license_key timezone custom_script dns_servers dns_search
  authorized_ssh_keys regenerate_ssh_keys:bool cloud_init_network_protocol=eni|openstack_metadata
  nic_configurations{nic_configuration{name on_boot:bool
    boot_protocol=dhcp|none|static|autoconf|poly_dhcp_autoconf ip:ip ipv6:ip
    ipv6_boot_protocol=dhcp|none|static|autoconf|poly_dhcp_autoconf}}
  configuration{type=ova|ovf data} }
ip{address gateway netmask version=v4|v6}
ref{name comment description}
host{name comment description}
cluster{ name description comment ballooning_enabled:bool bios_type cpu{architecture type name}
  custom_scheduling_policy_properties{property{name value}} display{proxy}
  error_handling{on_error=do_not_migrate|migrate|migrate_highly_available}
  fencing_policy{enabled:bool skip_if_connectivity_broken{enabled:bool threshold:int} skip_if_gluster_bricks_up:bool
    skip_if_gluster_quorum_not_met:bool skip_if_sd_active{enabled:bool}}
  fips_mode firewall_type=firewalld|iptables gluster_service:bool gluster_tuned_profile ha_reservation:bool
  ksm{enabled:bool merge_across_nodes:bool} log_max_memory_used_threshold:int log_max_memory_used_threshold_type
  maintenance_reason_required:bool memory_policy{ballooning:bool guaranteed:int max:int over_commit{percent:int}
    transparent_hugepages{enabled:bool}}
  migration{auto_converge=true|false|inherit bandwidth{assignment_method custom_value:int}
    compressed=true|false|inherit encrypted=true|false|inherit custom_parallel_migrations:int
    parallel_migrations_policy policy:ref}
  optional_reason:bool required_rng_sources{required_rng_source=hwrng|random|urandom}
  serial_number{policy=custom|host|vm|none value} supported_versions{version{major:int minor:int}}
  switch_type=legacy|ovs threads_as_cores:bool trusted_service:bool tunnel_migration:bool upgrade_correlation_id
  upgrade_in_progress:bool upgrade_percent_complete:int version{major:int minor:int} virt_service:bool
  vnc_encryption:bool affinity_groups{affinity_group:ref} cpu_profiles{cpu_profile:ref} data_center:ref
  enabled_features{cluster_feature:ref} external_network_providers{external_provider:ref}
  gluster_hooks{gluster_hook:ref} gluster_volumes{gluster_volume:ref} mac_pool:ref management_network:ref
  network_filters{network_filter:ref} networks{network:ref} permissions{permission:ref} scheduling_policy:ref }
nic{ name description comment linked:bool plugged:bool synced:bool boot_protocol
  interface=e1000|e1000e|pci_passthrough|rtl8139|rtl8139_virtio|spapr_vlan|virtio
  mac{address} network:ref vnic_profile:ref vm:ref on_boot:bool }
disk_attachment{ active:bool bootable:bool interface=ide|sata|spapr_vscsi|virtio|virtio_scsi
  logical_name pass_discard:bool read_only:bool uses_scsi_reservation:bool name description
  disk:disk vm:ref template:ref }
disk{ name alias description comment provisioned_size:int actual_size:int initial_size:int format=cow|raw
  backup=incremental|none content_type image_id propagate_errors:bool shareable:bool sparse:bool
  storage_type=image|lun|cinder|managed_block_storage wipe_after_delete:bool qcow_version=qcow2_v2|qcow2_v3
  disk_profile:ref quota:ref storage_domain:ref storage_domains{storage_domain:ref} read_only:bool
  bootable:bool active:bool interface logical_name }
image_transfer{ name description comment direction=download|upload disk:disk format=cow|raw host:ref image:ref
  inactivity_timeout:int shallow:bool snapshot:ref timeout_policy=cancel|legacy|pause backup:ref }
cdrom{ name description comment file:file vm:ref }
file{ name description comment content type }
snapshot{ description persist_memorystate:bool
  disk_attachments{disk_attachment:disk_attachment} disks{disk:disk} snapshot_type date vm:ref }
tag{ name description comment parent{name} }
network{ name description comment mtu:int stp:bool port_isolation:bool profile_required:bool vdsm_name
  data_center:ref cluster:ref vlan:vlan required:bool display:bool
  usages{usage=default_route|display|gluster|management|migration|vm}
  status=operational|non_operational external_provider:ref external_provider_physical_network:ref
  network_labels{network_label:network_label} qos:ref
  dns_resolver_configuration{name_servers{name_server}} }
vlan{}
network_label{ host_nic:ref network:ref name }
vnic_profile{ name description comment network:ref migratable:bool port_mirroring:bool
  pass_through{mode=disabled|enabled} network_filter:ref qos:ref failover:ref
  custom_properties{custom_property{name value regexp}} }
network_attachment{ name description comment network:ref host_nic:ref host:ref in_sync:bool
  reported_configurations{reported_configuration{name expected_value actual_value in_sync:bool}}
  ip_address_assignments{ip_address_assignment{ip:ip
    assignment_method=autoconf|dhcp|none|poly_dhcp_autoconf|static}}
  properties{property{name value}} qos:ref
  dns_resolver_configuration{name_servers{name_server}} }
host_nic{ name bonding{options{option{name value type}} slaves{host_nic:ref}} host:ref network:ref
  network_labels{network_label:network_label} }
affinity_group{ name description comment cluster:ref enforcing:bool positive:bool priority
  vms_rule{enabled:bool enforcing:bool positive:bool} hosts_rule{enabled:bool enforcing:bool positive:bool}
  vms{vm:ref} hosts{host:ref} broken:bool }
affinity_label{ name vms{vm:ref} hosts{host:ref} has_implicit_affinity_group:bool }
template{ name description comment vm:vm cluster:ref version{version_name version_number:int base_template:ref} }
action{ async:bool force:bool reason grace_period{expiry:int} vm:vm host:ref cluster:cluster storage_domain:ref
  snapshot:ref disk:disk use_cloud_init:bool use_initialization:bool use_sysprep:bool use_ignition:bool pause:bool
  volatile:bool filter:bool restore_memory:bool disks{disk:disk} discard_snapshots:bool
  migrate_vms_in_affinity_closure:bool maintenance_enabled:bool stop_gluster_service:bool activate:bool
  check_connectivity:bool commit_on_success:bool connectivity_timeout:int reboot:bool
  modified_bonds{host_nic:host_nic} removed_bonds{host_nic:host_nic}
  modified_network_attachments{network_attachment:network_attachment}
  removed_network_attachments{network_attachment:network_attachment}
  synchronized_network_attachments{network_attachment:network_attachment}
  modified_labels{network_label:network_label} removed_labels{network_label:network_label} }
`

var schemas = parseSchemas(inputs)

// parseSchemas reads the notation of inputs; it panics on a mistake in it,
// which no test can miss.
func parseSchemas(text string) map[string]*schema {
	text = strings.NewReplacer("{", " { ", "}", " } ").Replace(text)
	words := strings.Fields(text)
	root := &schema{kids: map[string]*schema{}}
	type use struct {
		in         *schema
		name, kind string
	}
	var uses []use
	var parse func(into *schema, i int) int
	parse = func(into *schema, i int) int {
		for i < len(words) && words[i] != "}" {
			name, kind, typed := strings.Cut(strings.TrimSuffix(words[i], ":"), ":")
			name, values, enum := strings.Cut(name, "=")
			s := &schema{kids: map[string]*schema{}}
			i++
			switch {
			case i < len(words) && words[i] == "{":
				i = parse(s, i+1) + 1
			case enum:
				s.scalar, s.values = strings.ReplaceAll(name, "_", ""), strings.Split(values, "|")
			case typed && (kind == "int" || kind == "bool"):
				s.scalar = kind
			case typed:
				uses = append(uses, use{into, name, kind})
			}
			into.kids[name] = s
		}
		return i
	}
	if parse(root, 0) != len(words) {
		panic("ovirtsim: unbalanced braces in the input schemas")
	}
	for _, u := range uses {
		s := root.kids[u.kind]
		if s == nil {
			panic("ovirtsim: no input schema " + u.kind)
		}
		u.in.kids[u.name] = s
	}
	return root.kids
}

// check tells what a real engine's reader would not accept in x.
func (s *schema) check(x *elem, want string) error {
	if x.name != want {
		return fmt.Errorf("<%s> instead of <%s>", x.name, want)
	}
	return s.checkIn(x)
}

func (s *schema) checkIn(x *elem) error {
	if len(s.kids) == 0 && len(x.kids) > 0 {
		return fmt.Errorf("<%s> has no children", x.name)
	}
	if len(s.kids) > 0 && strings.TrimSpace(x.text) != "" {
		return fmt.Errorf("<%s> has no text", x.name)
	}
	t := strings.TrimSpace(x.text)
	switch {
	case s.scalar == "int":
		if _, err := strconv.ParseInt(t, 10, 64); err != nil {
			return fmt.Errorf("<%s>: %q is not an integer", x.name, x.text)
		}
	case s.scalar == "bool":
		if t != "true" && t != "false" && t != "1" && t != "0" {
			return fmt.Errorf("<%s>: %q is not a boolean", x.name, x.text)
		}
	case s.values != nil && !slices.Contains(s.values, strings.ToLower(t)):
		enum := camel(x.name)
		return &fault{status: 400, reason: "Invalid value", detail: fmt.Sprintf("%s is not a member of %s", t, enum)}
	}
	for _, k := range x.kids {
		ks := s.kids[k.name]
		if ks == nil {
			return fmt.Errorf("<%s> has no child <%s>", x.name, k.name)
		}
		if err := ks.checkIn(k); err != nil {
			return err
		}
	}
	if s == schemas["ref"] && x.id != "" {
		return checkUUID(x.id)
	}
	return nil
}

func checkUUID(s string) error {
	if _, err := uuid.Parse(s); err != nil || len(s) != 36 {
		return &fault{status: 400, reason: "Operation failed", detail: "Invalid UUID string: " + s}
	}
	return nil
}

// camel turns vnic_profile into VnicProfile.
func camel(s string) string {
	var b strings.Builder
	for w := range strings.SplitSeq(s, "_") {
		if w != "" {
			b.WriteString(strings.ToUpper(w[:1]) + w[1:])
		}
	}
	return b.String()
}
