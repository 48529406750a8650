//go:build cgo

package libvirt

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// The programs of libvirt's wire protocol.
const (
	ProgramRemote    uint32 = 0x20008086
	ProgramQEMU      uint32 = 0x20008087
	programKeepAlive uint32 = 0x6b656570
)

//go:embed procedures.txt
var procedureList string

type procedure struct{ program, number uint32 }

var procedureNames = sync.OnceValue(func() map[procedure]string {
	programs := map[string]uint32{"remote": ProgramRemote, "qemu": ProgramQEMU}
	names := map[procedure]string{}
	for line := range strings.Lines(procedureList) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "#" {
			continue
		}
		n, err := strconv.ParseUint(f[1], 10, 32)
		if err != nil || programs[f[0]] == 0 {
			continue
		}
		names[procedure{programs[f[0]], uint32(n)}] = f[2]
	}
	return names
})

// ProcedureName gives the name of a call on the wire, as domain_get_xml_desc; a
// number that is not known gives its digits.
func ProcedureName(program, number uint32) string {
	if name, ok := procedureNames()[procedure{program, number}]; ok {
		return name
	}
	return fmt.Sprintf("%#x/%d", program, number)
}

// readProcedures are the calls that leave everything on the node as it is.
// Registering for events and opening a connection are among them.
var readProcedures = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range strings.Fields(`
		connect_open connect_close connect_get_type connect_get_version connect_get_lib_version
		connect_get_hostname connect_get_uri connect_get_capabilities connect_get_domain_capabilities
		connect_supports_feature connect_is_secure connect_get_max_vcpus connect_get_sysinfo
		connect_register_close_callback connect_unregister_close_callback
		connect_list_all_domains connect_list_all_networks connect_list_all_storage_pools
		connect_list_all_interfaces connect_list_all_node_devices connect_get_all_domain_stats
		connect_num_of_domains connect_num_of_defined_domains
		connect_domain_event_register connect_domain_event_deregister
		connect_domain_event_callback_register_any connect_domain_event_callback_deregister_any
		connect_network_event_register_any connect_network_event_deregister_any
		auth_list auth_polkit auth_sasl_init auth_sasl_start auth_sasl_step
		node_get_info node_get_free_memory node_get_memory_stats node_get_cpu_map
		domain_lookup_by_name domain_lookup_by_uuid domain_lookup_by_id
		domain_get_xml_desc domain_get_state domain_get_info domain_get_autostart domain_get_metadata
		domain_get_vcpus_flags domain_get_max_memory domain_get_block_info domain_get_block_job_info
		domain_get_job_info domain_get_job_stats domain_get_guest_info domain_get_hostname
		domain_has_managed_save_image domain_is_active domain_is_persistent domain_is_updated
		domain_interface_addresses domain_list_all_snapshots domain_snapshot_num domain_snapshot_get_xml_desc domain_snapshot_is_current
		domain_snapshot_lookup_by_name
		network_lookup_by_name network_lookup_by_uuid network_get_xml_desc network_get_autostart
		network_get_bridge_name network_is_active network_is_persistent network_get_dhcp_leases
		storage_pool_lookup_by_name storage_pool_lookup_by_uuid storage_pool_get_xml_desc
		storage_pool_lookup_by_volume storage_pool_get_info storage_pool_get_autostart
		storage_pool_is_active storage_pool_is_persistent storage_pool_list_all_volumes
		storage_vol_lookup_by_name storage_vol_lookup_by_path storage_vol_lookup_by_key
		storage_vol_get_xml_desc storage_vol_get_info storage_vol_get_info_flags storage_vol_get_path
		storage_vol_download`) {
		m[name] = true
	}
	return m
}()

// ReadsOnly tells whether a call on the wire leaves everything on the node as it
// is. A call to a guest's agent does not count as one, though a plan may make
// those that look.
func ReadsOnly(program, number uint32) bool {
	return program == ProgramRemote && readProcedures[ProcedureName(program, number)]
}
