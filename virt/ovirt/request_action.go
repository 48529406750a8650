package ovirt

// actionXML is the body of an action. Each action takes some of the elements:
//
//	start          Pause, Volatile, UseCloudInit, UseInitialization, VM
//	stop, shutdown Reason, Force
//	reboot         Force
//	migrate        Host, Cluster, Force
//	restore        RestoreMemory, Disks
//	deactivate     Reason
//	setupnetworks  the elements from CheckConnectivity on
//	clone          VM, StorageDomain
//	copy           Disk, StorageDomain
type actionXML struct {
	Async             *bool      `xml:"async,omitempty"` // false: wait until storage tasks have ended
	Reason            *Text      `xml:"reason,omitempty"`
	Force             *bool      `xml:"force,omitempty"`
	Pause             *bool      `xml:"pause,omitempty"`
	Volatile          *bool      `xml:"volatile,omitempty"`
	UseCloudInit      *bool      `xml:"use_cloud_init,omitempty"`
	UseInitialization *bool      `xml:"use_initialization,omitempty"`
	VM                *vmXML     `xml:"vm,omitempty"`
	Host              *refXML    `xml:"host,omitempty"`
	Cluster           *refXML    `xml:"cluster,omitempty"`
	StorageDomain     *refXML    `xml:"storage_domain,omitempty"`
	Disk              *diskXML   `xml:"disk,omitempty"`
	RestoreMemory     *bool      `xml:"restore_memory,omitempty"`
	Disks             *[]diskXML `xml:"disks>disk,omitempty"`

	// CheckConnectivity takes the change back when the host does not hear from the
	// engine within ConnectivityTimeout seconds. Without CommitOnSuccess it is lost
	// at the host's next boot.
	CheckConnectivity   *bool                   `xml:"check_connectivity,omitempty"`
	ConnectivityTimeout *int                    `xml:"connectivity_timeout,omitempty"`
	CommitOnSuccess     *bool                   `xml:"commit_on_success,omitempty"`
	ModifiedBonds       *[]bondXML              `xml:"modified_bonds>host_nic,omitempty"`
	RemovedBonds        *[]bondXML              `xml:"removed_bonds>host_nic,omitempty"`
	Modified            *[]networkAttachmentXML `xml:"modified_network_attachments>network_attachment,omitempty"`
	Removed             *[]networkAttachmentXML `xml:"removed_network_attachments>network_attachment,omitempty"`
	Synchronized        *[]networkAttachmentXML `xml:"synchronized_network_attachments>network_attachment,omitempty"`
	ModifiedLabels      *[]networkLabelXML      `xml:"modified_labels>network_label,omitempty"`
	RemovedLabels       *[]networkLabelXML      `xml:"removed_labels>network_label,omitempty"`
}
