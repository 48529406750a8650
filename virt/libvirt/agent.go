//go:build cgo

package libvirt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	lv "libvirt.org/go/libvirt"

	"github.com/nactl/nactl/virt"
)

// agentTimeout is how long the agent may take for one reply. Commands in the
// guest do not count: they are started, and asked about.
const agentTimeout = 10 * time.Second

// maxRequest is how long a request may be, in bytes. One that does not fit into
// the socket between libvirt and QEMU (212,992 bytes by Linux' default) is never
// answered, and takes the agent's channel down with it.
const maxRequest = 160 << 10

// agentCall sends one request to the agent of one VM and returns its reply
// (virDomainQemuAgentCommand). libvirt takes whole seconds.
type agentCall func(ctx context.Context, request string, timeout time.Duration) (string, error)

// agent speaks the QEMU guest agent's protocol with one VM. It keeps no state:
// each request is answered by whatever agent runs in the guest at that moment.
type agent struct {
	vm   virt.Ref
	call agentCall
}

// run has the agent execute one command. into gets what it returned; nil drops
// that. Errors are *virt.Error of these kinds: ErrAgent (no agent answers),
// ErrUnsupported (this agent does not do it), ErrNotFound (no such VM),
// ErrConflict (it does not run), or *agentError.
func (a *agent) run(ctx context.Context, command string, arguments, into any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	request, err := json.Marshal(struct {
		Execute   string `json:"execute"`
		Arguments any    `json:"arguments,omitempty"`
	}{command, arguments})
	if err != nil {
		return fmt.Errorf("%s: %s: %w", a.vm, command, err)
	}
	if len(request) > maxRequest {
		return &virt.Error{Kind: virt.ErrInvalid, Object: a.vm, Summary: "a request to its guest agent is too long (" + command + ")",
			Wanted: "at most " + virt.FormatSize(maxRequest), Found: virt.FormatSize(int64(len(request))),
			Hint: "give the command its data on standard input, or as a file by guest_file"}
	}
	reply, err := a.call(ctx, string(request), agentTimeout)
	if err == nil {
		err = parseReply(reply, into)
	}
	return a.explain(command, err)
}

// agentError is an error that the agent itself gave: it is there, and refuses.
type agentError struct {
	Command string
	Desc    string
}

func (e *agentError) Error() string { return fmt.Sprintf("guest agent: %s: %s", e.Command, e.Desc) }

// says tells whether the agent's words contain one of these.
func (e *agentError) says(words ...string) bool {
	for _, w := range words {
		if strings.Contains(e.Desc, w) {
			return true
		}
	}
	return false
}

// parseReply reads the agent's answer to one request. The whole of it comes from
// inside the guest, which nobody here has to trust.
func parseReply(reply string, into any) error {
	var r struct {
		Return json.RawMessage `json:"return"`
		Error  *struct {
			Class string `json:"class"`
			Desc  string `json:"desc"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(reply), &r); err != nil {
		return fmt.Errorf("the agent's reply is not JSON: %w", err)
	}
	switch {
	case r.Error != nil:
		return &agentError{Desc: r.Error.Desc}
	case r.Return == nil:
		return errors.New("the agent's reply has neither a result nor an error")
	case into == nil:
		return nil
	}
	if err := json.Unmarshal(r.Return, into); err != nil {
		return fmt.Errorf("the agent's reply is not what was asked for: %w", err)
	}
	return nil
}

// The words by which libvirt introduces an error that the agent gave.
const agentSaid = "unable to execute QEMU agent command"

// explain turns what became of a request into an error for people.
func (a *agent) explain(command string, err error) error {
	var own *agentError
	var le lv.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		own.Command = command
	case !errors.As(err, &le):
		return fmt.Errorf("%s: %s: %w", a.vm, command, err)
	case strings.Contains(le.Message, agentSaid):
		_, desc, _ := strings.Cut(le.Message, "': ")
		own = &agentError{Command: command, Desc: desc}
	case le.Code == lv.ERR_ARGUMENT_UNSUPPORTED:
		return &virt.Error{Kind: virt.ErrAgent, Object: a.vm, Summary: "has no guest agent channel",
			Wanted: "a channel named org.qemu.guest_agent.0", Hint: "add the channel to the VM's definition and restart it", Err: message(err)}
	case isNoAgent(le):
		return &virt.Error{Kind: virt.ErrAgent, Object: a.vm, Summary: "its guest agent does not answer",
			Hint: "install and start qemu-guest-agent in the guest, or wait for it with wait_for: {vm: " + a.vm.Name + ", for: agent}", Err: message(err)}
	default:
		return mapError("ask the guest agent for "+command, a.vm, err)
	}
	if own.says("has been disabled", "has not been found", "is not allowed", "CommandNotFound") {
		return &virt.Error{Kind: virt.ErrUnsupported, Object: a.vm,
			Summary: "its guest agent does not do " + command, Wanted: command, Found: own.Desc,
			Hint: "allow it in the guest (block-rpcs, allow-rpcs or blacklist in /etc/qemu/qemu-ga.conf or /etc/sysconfig/qemu-ga) and restart qemu-guest-agent",
			Err:  own}
	}
	return own
}

// isNoAgent tells whether nobody in the guest answered.
func isNoAgent(le lv.Error) bool {
	switch le.Code {
	case lv.ERR_AGENT_UNRESPONSIVE, lv.ERR_AGENT_UNSYNCED, lv.ERR_AGENT_COMMAND_TIMEOUT:
		return true
	default:
		return false
	}
}

// info asks the agent what the guest is. What one agent or guest cannot tell
// stays empty; only an agent that does not answer at all is an error.
func (a *agent) info(ctx context.Context) (*virt.GuestInfo, error) {
	var version struct {
		Version string `json:"version"`
	}
	if err := a.run(ctx, "guest-info", nil, &version); err != nil {
		return nil, err
	}
	info := &virt.GuestInfo{Agent: virt.AgentConnected, Version: version.Version}
	var name struct {
		HostName string `json:"host-name"`
	}
	var system struct {
		PrettyName string `json:"pretty-name"`
		Name       string `json:"name"`
		ID         string `json:"id"`
	}
	var nics []agentInterface
	for _, q := range []struct {
		command string
		into    any
	}{
		{"guest-get-host-name", &name},
		{"guest-get-osinfo", &system},
		{"guest-network-get-interfaces", &nics},
	} {
		if err := a.run(ctx, q.command, nil, q.into); err != nil && !isRefusal(err) {
			return nil, err
		}
	}
	info.Hostname = name.HostName
	for _, s := range []string{system.PrettyName, system.Name, system.ID} {
		if info.OS == "" {
			info.OS = s
		}
	}
	for _, n := range nics {
		info.Addresses = append(info.Addresses, n.iface())
	}
	return info, nil
}

// isRefusal tells an agent that is there and cannot do one thing from one that
// does not answer.
func isRefusal(err error) bool {
	var own *agentError
	return errors.As(err, &own)
}

// agentInterface is an entry of guest-network-get-interfaces.
type agentInterface struct {
	Name      string `json:"name"`
	MAC       string `json:"hardware-address"`
	Addresses []struct {
		Address string `json:"ip-address"`
		Prefix  int    `json:"prefix"`
	} `json:"ip-addresses"`
}

func (n agentInterface) iface() virt.GuestInterface {
	g := virt.GuestInterface{Name: n.Name, MAC: n.MAC}
	for _, a := range n.Addresses {
		g.Addresses = append(g.Addresses, fmt.Sprintf("%s/%d", a.Address, a.Prefix))
	}
	return g
}
