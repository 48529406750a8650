package ovirtsim_test

import (
	"fmt"
	"time"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

func Example() {
	o := ovirtsim.Small()
	o.VMs = []ovirtsim.VM{{Name: "web1", Cluster: "Default", Running: true}}
	e, err := ovirtsim.New(o) // its clock stands still until Advance
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := e.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer e.Close()
	// A client gets e.URL(), e.CA(), e.User() and e.Password(). Then, for
	// example: the next create is executed, and its reply is lost.
	e.Inject(ovirtsim.Injection{Match: ovirtsim.On("POST", "/vms"), Times: 1, LoseReply: true})
	e.Advance(time.Minute)
	fmt.Println(e.Count(ovirtsim.On("POST", "/vms")), e.Now().Format(time.TimeOnly))
	// Output: 0 00:01:00
}
