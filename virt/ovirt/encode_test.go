package ovirt

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ovirtsdk "github.com/ovirt/go-ovirt"

	"github.com/nactl/nactl/virt"
)

// body is a request's body and the reader of go-ovirt that stands for the engine.
type body struct {
	element string
	empty   func() any // a new one
	// known reads the document and writes what it knows of it.
	known func(doc []byte) ([]byte, error)
}

// byOther reads a document by go-ovirt's reader and writes it by its writer, whose
// text is not escaped.
func byOther[S any](k kind[S], write func(*ovirtsdk.XMLWriter, *S, string) error) func([]byte) ([]byte, error) {
	return func(doc []byte) ([]byte, error) {
		obj, err := readOne(xml.NewDecoder(bytes.NewReader(doc)), k, nil)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		w := ovirtsdk.NewXMLWriter(&b)
		if err := write(w, obj, ""); err != nil {
			return nil, err
		}
		err = w.Flush()
		return b.Bytes(), err
	}
}

var (
	kindAction = kind[ovirtsdk.Action]{"action", "actions", ovirtsdk.XMLActionReadOne}
)

// bodies are all that are sent.
var bodies = []body{
	{"vm", func() any { return &vmXML{} }, byOther(kindVM, ovirtsdk.XMLVmWriteOne)},
	{"disk_attachment", func() any { return &diskAttachmentXML{} }, byOther(kindDiskAttachment, ovirtsdk.XMLDiskAttachmentWriteOne)},
	{"disk", func() any { return &diskXML{} }, byOther(kindDisk, ovirtsdk.XMLDiskWriteOne)},
	{"nic", func() any { return &nicXML{} }, byOther(kindNIC, ovirtsdk.XMLNicWriteOne)},
	{"cdrom", func() any { return &cdromXML{} }, byOther(kindCdrom, ovirtsdk.XMLCdromWriteOne)},
	{"snapshot", func() any { return &snapshotXML{} }, byOther(kindSnapshot, ovirtsdk.XMLSnapshotWriteOne)},
	{"tag", func() any { return &tagXML{} }, byOther(kindTag, ovirtsdk.XMLTagWriteOne)},
	{"affinity_group", func() any { return &affinityGroupXML{} }, byOther(kindAffinityGroup, ovirtsdk.XMLAffinityGroupWriteOne)},
	{"network", func() any { return &networkXML{} }, byOther(kindNetwork, ovirtsdk.XMLNetworkWriteOne)},
	{"vnic_profile", func() any { return &vnicProfileXML{} }, byOther(kindVNICProfile, ovirtsdk.XMLVnicProfileWriteOne)},
	{"network_attachment", func() any { return &networkAttachmentXML{} }, byOther(kindAttachment, ovirtsdk.XMLNetworkAttachmentWriteOne)},
	{"network_label", func() any { return &networkLabelXML{} }, byOther(kindNetworkLabel, ovirtsdk.XMLNetworkLabelWriteOne)},
	{"host_nic", func() any { return &bondXML{} }, byOther(kindHostNIC, ovirtsdk.XMLHostNicWriteOne)},
	{"vm", func() any { return &refXML{} }, byOther(kindVM, ovirtsdk.XMLVmWriteOne)},
	{"action", func() any { return &actionXML{} }, byOther(kindAction, ovirtsdk.XMLActionWriteOne)},
}

var textType = reflect.TypeFor[Text]()

// fill sets every field of a body, one member in each list, and gives each text
// to set with the path of its element.
func fill(v reflect.Value, at string, set func(at string, text reflect.Value)) {
	switch {
	case v.Type() == textType:
		set(at, v)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), at, set)
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), at, set)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("xml"), ",")
			fill(v.Field(i), at+"/"+strings.ReplaceAll(name, ">", "/"), set)
		}
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(1)
	}
}

// leaves gives the texts of a document by the paths of their elements, and of
// attributes.
func leaves(doc []byte) (map[string]string, error) {
	out := map[string]string{}
	var at []string
	dec := xml.NewDecoder(bytes.NewReader(doc))
	for {
		tok, err := dec.Token()
		if err != nil {
			if len(at) == 0 && len(out) > 0 && err.Error() == "EOF" {
				return out, nil
			}
			return out, err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			at = append(at, tok.Name.Local)
			for _, a := range tok.Attr {
				out[strings.Join(at, "/")+"/"+a.Name.Local] = a.Value
			}
			out[strings.Join(at, "/")] = ""
		case xml.EndElement:
			at = at[:len(at)-1]
		case xml.CharData:
			out[strings.Join(at, "/")] += string(tok)
		}
	}
}

var carried = []string{"plain", `<&>"'`, "&amp;", "&#65;", "</name>", "<![CDATA[x]]>", "]]>", "a\tb\nc\rd\r\ne", " blanks ", "Москва, 東京 🙂", "\u0085\u2028", "--", "%s"}

// Every text of every body arrives as it was, by two readers.
func TestTextsArrive(t *testing.T) {
	for _, b := range bodies {
		for _, text := range carried {
			v, n := b.empty(), 0
			want := map[string]string{}
			fill(reflect.ValueOf(v).Elem(), b.element, func(at string, field reflect.Value) {
				n++
				s := fmt.Sprintf("%d%s", n, text)
				field.SetString(s)
				want[at] = s
			})
			doc, err := encode(b.element, v)
			if err != nil {
				t.Fatalf("%s: %v", b.element, err)
			}
			got, err := leaves(doc)
			if err != nil {
				t.Fatalf("%s: %v in %s", b.element, err, doc)
			}
			for at, s := range want {
				if got[at] != s {
					t.Errorf("%s: %q arrives as %q", at, s, got[at])
				}
			}
			if n == 0 {
				t.Errorf("%s has no text", b.element)
			}
		}
	}
}

// The engine knows every element of each body, at its place and with its type:
// go-ovirt, which was made from the engine's model, reads and writes it.
func TestBodiesAreKnown(t *testing.T) {
	for _, b := range bodies {
		v, n := b.empty(), 0
		fill(reflect.ValueOf(v).Elem(), b.element, func(_ string, field reflect.Value) {
			n++
			field.SetString(fmt.Sprint("text", n))
		})
		doc, err := encode(b.element, v)
		if err != nil {
			t.Fatal(err)
		}
		want, err := leaves(doc)
		if err != nil {
			t.Fatal(err)
		}
		again, err := b.known(doc)
		if err != nil {
			t.Errorf("%s: %v in %s", b.element, err, doc)
			continue
		}
		got, err := leaves(again)
		if err != nil {
			t.Errorf("%s: %v", b.element, err)
		}
		for at, text := range want {
			if have, ok := got[at]; !ok || have != text {
				t.Errorf("%s: %q, known is %q", at, text, have)
			}
		}
	}
}

// What XML cannot carry is refused, whichever field it is in, by the field's name
// and without showing the text.
func TestTextsRefused(t *testing.T) {
	for _, bad := range []string{"\x00", "\x01", "\x0b", "\x1f", "\xff", "\ufffe", "\uffff", "\xed\xa0\x80"} {
		for _, b := range bodies {
			var paths []string
			fill(reflect.ValueOf(b.empty()).Elem(), b.element, func(at string, _ reflect.Value) { paths = append(paths, at) })
			for i, at := range paths {
				v, n := b.empty(), 0
				fill(reflect.ValueOf(v).Elem(), b.element, func(_ string, field reflect.Value) {
					if field.SetString("secret"); n == i {
						field.SetString("secret" + bad)
					}
					n++
				})
				doc, err := encode(b.element, v)
				if err == nil {
					t.Fatalf("%s: %q went out as %s", at, bad, doc)
				}
				wantError(t, err, virt.ErrInvalid, at+", at byte 6", "")
				if strings.Contains(err.Error(), "secret") {
					t.Fatalf("%v: shows the text", err)
				}
			}
		}
	}
	if _, err := Text("a\x01").MarshalText(); err == nil {
		t.Error("marshalling alone does not refuse it")
	}
}

// Bodies as the engine wants them, to the letter.
func TestBodies(t *testing.T) {
	size, yes, no, mtu, seconds := int64(10<<30), true, false, 1500, 60
	none := []Text{}
	for _, tt := range []struct {
		element string
		body    any
		want    string
	}{
		{"vm", vmXML{}, `<vm></vm>`},
		{"vm", vmXML{Description: textOf("")}, `<vm><description></description></vm>`},
		{"vm", vmXML{Name: textOf("web1"), Cluster: withName("Default"), Template: byID("t1"), Memory: &size,
			CPU:              &cpuXML{Topology: &topologyXML{Cores: 1, Sockets: 2, Threads: 1}},
			CustomProperties: &[]customPropertyXML{{Name: "n", Value: "v"}},
			Initialization: &initializationXML{HostName: textOf("h"), NICs: &[]nicConfigurationXML{{Name: "eth0", OnBoot: true,
				BootProtocol: textOf("static"), IP: &ipXML{Address: "10.0.0.5", Netmask: textOf("255.255.255.0"), Version: textOf("v4")}}}}},
			`<vm><name>web1</name><cluster><name>Default</name></cluster><template id="t1"></template><memory>10737418240</memory>` +
				`<cpu><topology><cores>1</cores><sockets>2</sockets><threads>1</threads></topology></cpu>` +
				`<custom_properties><custom_property><name>n</name><value>v</value></custom_property></custom_properties>` +
				`<initialization><host_name>h</host_name><nic_configurations><nic_configuration><name>eth0</name><on_boot>true</on_boot>` +
				`<boot_protocol>static</boot_protocol><ip><address>10.0.0.5</address><netmask>255.255.255.0</netmask><version>v4</version></ip>` +
				`</nic_configuration></nic_configurations></initialization></vm>`},
		{"disk_attachment", diskAttachmentXML{Active: &yes, Bootable: &no, Interface: textOf("virtio_scsi"),
			Disk: &diskXML{Name: textOf("d0"), Format: textOf("cow"), ProvisionedSize: &size, Sparse: &yes, StorageDomains: &[]refXML{{Name: textOf("data")}}}},
			`<disk_attachment><active>true</active><bootable>false</bootable><interface>virtio_scsi</interface><disk><name>d0</name><format>cow</format>` +
				`<provisioned_size>10737418240</provisioned_size><sparse>true</sparse><storage_domains><storage_domain><name>data</name></storage_domain></storage_domains></disk></disk_attachment>`},
		{"network", networkXML{Name: textOf("vlan100"), DataCenter: withName("Default"), MTU: &mtu, VLAN: &vlanXML{100}, Usages: &[]Text{"vm"}},
			`<network><name>vlan100</name><data_center><name>Default</name></data_center><mtu>1500</mtu><vlan id="100"></vlan><usages><usage>vm</usage></usages></network>`},
		{"network", networkXML{ID: "n1", Required: &no}, `<network id="n1"><required>false</required></network>`},
		{"network", networkXML{Usages: &none}, `<network><usages></usages></network>`},
		{"action", actionXML{}, `<action></action>`},
		{"action", actionXML{CheckConnectivity: &yes, ConnectivityTimeout: &seconds, CommitOnSuccess: &yes,
			ModifiedBonds: &[]bondXML{{Name: textOf("bond0"), Bonding: &bondingXML{Options: &[]optionXML{{"mode", "4"}}, Slaves: []hostNICXML{{Name: textOf("eth1")}, {Name: textOf("eth2")}}}}},
			Modified:      &[]networkAttachmentXML{{HostNIC: &hostNICXML{Name: textOf("bond0")}, Network: withName("vlan100")}}},
			`<action><check_connectivity>true</check_connectivity><connectivity_timeout>60</connectivity_timeout><commit_on_success>true</commit_on_success>` +
				`<modified_bonds><host_nic><name>bond0</name><bonding><options><option><name>mode</name><value>4</value></option></options>` +
				`<slaves><host_nic><name>eth1</name></host_nic><host_nic><name>eth2</name></host_nic></slaves></bonding></host_nic></modified_bonds>` +
				`<modified_network_attachments><network_attachment><host_nic><name>bond0</name></host_nic><network><name>vlan100</name></network></network_attachment></modified_network_attachments></action>`},
	} {
		got, err := encode(tt.element, tt.body)
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(tt.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.element, diff)
		}
	}
}

// FuzzText: each text either arrives as it was, by encoding/xml and by go-ovirt,
// or is refused.
func FuzzText(f *testing.F) {
	for _, s := range append(carried, "\x00", "\xff", "\ufffe") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		doc, err := encode("vm", vmXML{ID: Text(s), Name: textOf(s), Initialization: &initializationXML{CustomScript: textOf(s)}})
		if (err != nil) != (Text(s).valid() != nil) {
			t.Fatalf("%q: %v", s, err)
		}
		if err != nil {
			return
		}
		got, err := leaves(doc)
		if err != nil || got["vm/name"] != s || got["vm/initialization/custom_script"] != s || got["vm/id"] != s {
			t.Fatalf("%q arrives as %q (%v)", s, got, err)
		}
		vm, err := one(asReply(string(doc)), kindVM)
		if err != nil {
			t.Fatal(err)
		}
		init, _ := vm.Initialization()
		script, _ := init.CustomScript()
		if nameOf(vm) != s || idOf(vm) != s || script != s {
			t.Fatalf("%q arrives at go-ovirt as %q, %q, %q", s, nameOf(vm), idOf(vm), script)
		}
	})
}
