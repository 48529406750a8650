package expr

import (
	"encoding/binary"
	"fmt"
	"math/big"
	"math/bits"
	"net/netip"
	"strings"
)

// networkFunctions work on addresses with a prefix length, of IPv4 and IPv6.
func networkFunctions() []function {
	str := []any{new(func(string) string)}
	return []function{
		{name: "network", form: "network(cidr)", doc: `the network's address: "10.0.0.0" of "10.0.0.7/24"`, types: str,
			call: onPrefix("network", func(p netip.Prefix) (any, error) { return p.Masked().Addr().String(), nil })},
		{name: "address", form: "address(cidr)", doc: `the address alone: "10.0.0.7" of "10.0.0.7/24"`, types: str,
			call: onPrefix("address", func(p netip.Prefix) (any, error) { return p.Addr().String(), nil })},
		{name: "prefix", form: "prefix(cidr)", doc: "the prefix length: 24", types: []any{new(func(string) int)},
			call: onPrefix("prefix", func(p netip.Prefix) (any, error) { return p.Bits(), nil })},
		{name: "netmask", form: "netmask(cidr)", doc: `the mask in dots: "255.255.255.0"; IPv4 alone`, types: str,
			call: onPrefix("netmask", netmask)},
		{name: "broadcast", form: "broadcast(cidr)", doc: `the last address of an IPv4 network: "10.0.0.255"`, types: str,
			call: onPrefix("broadcast", func(p netip.Prefix) (any, error) {
				if !p.Addr().Is4() {
					return nil, fmt.Errorf("%s is IPv6, which has no broadcast address", p)
				}
				return nth(p, -1)
			})},
		{name: "nth_host", form: "nth_host(cidr, n)", doc: `the n-th address of the network: 1 is the first behind the network's own, -1 the last of all`,
			types: []any{new(func(string, int) string)}, call: func(_ *run, args []any) (any, error) {
				p, err := prefixArg(args, "nth_host")
				if err != nil {
					return nil, err
				}
				n, err := number(args, 1, "nth_host")
				if err != nil {
					return nil, err
				}
				return nth(p, n)
			}},
		{name: "in_network", form: "in_network(address, cidr)", doc: "whether the address lies in the network",
			types: []any{new(func(string, string) bool)}, call: func(_ *run, args []any) (any, error) {
				s, err := text(args, 0, "in_network")
				if err != nil {
					return nil, err
				}
				s, _, _ = strings.Cut(s, "/")
				addr, err := netip.ParseAddr(s)
				if err != nil {
					return nil, fmt.Errorf("in_network: %q is no IP address", s)
				}
				p, err := prefixArg(args[1:], "in_network")
				if err != nil {
					return nil, err
				}
				return p.Masked().Contains(addr), nil
			}},
	}
}

func onPrefix(name string, f func(netip.Prefix) (any, error)) func(*run, []any) (any, error) {
	return func(_ *run, args []any) (any, error) {
		p, err := prefixArg(args, name)
		if err != nil {
			return nil, err
		}
		return f(p)
	}
}

// withBits turns a mask in dots behind the slash into the length that it stands
// for; what is no such mask stays as it is.
func withBits(s string) string {
	address, mask, _ := strings.Cut(s, "/")
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() {
		return s
	}
	b := m.As4()
	ones := bits.LeadingZeros32(^binary.BigEndian.Uint32(b[:]))
	if binary.BigEndian.Uint32(b[:])<<ones != 0 {
		return s // its ones are not all in front
	}
	return fmt.Sprintf("%s/%d", address, ones)
}

func prefixArg(args []any, name string) (netip.Prefix, error) {
	s, err := text(args, 0, name)
	if err != nil {
		return netip.Prefix{}, err
	}
	p, err := netip.ParsePrefix(withBits(strings.TrimSpace(s)))
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%s wants an address with a prefix length, as 10.0.0.7/24, not %q", name, s)
	}
	return p, nil
}

func netmask(p netip.Prefix) (any, error) {
	if !p.Addr().Is4() {
		return nil, fmt.Errorf("%s is IPv6, which has no mask in dots: use prefix()", p)
	}
	bits := ^uint32(0) << (32 - p.Bits())
	if p.Bits() == 0 {
		bits = 0
	}
	return netip.AddrFrom4([4]byte{byte(bits >> 24), byte(bits >> 16), byte(bits >> 8), byte(bits)}).String(), nil
}

// nth counts from the network's address up, or for negative n from the last
// address down.
func nth(p netip.Prefix, n int) (any, error) {
	first := new(big.Int).SetBytes(p.Masked().Addr().AsSlice())
	size := new(big.Int).Lsh(big.NewInt(1), uint(p.Addr().BitLen()-p.Bits()))
	at := big.NewInt(int64(n))
	if n < 0 {
		at.Add(at, size)
	}
	if at.Sign() < 0 || at.Cmp(size) >= 0 {
		return nil, fmt.Errorf("%s has %s addresses and none of number %d", p.Masked(), size, n)
	}
	raw := first.Add(first, at).FillBytes(make([]byte, p.Addr().BitLen()/8))
	addr, _ := netip.AddrFromSlice(raw)
	return addr.String(), nil
}
