package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nactl/nactl/virt/ovirt/ovirtsim"
)

// theEngine looks at the script's engine, or does something to it:
//
//	engine begin            from here on
//	engine untouched        since begin nothing was sent that writes, and nothing has changed
//	engine logins N         since begin so many logins were tried
//	engine forget           what was sent so far, for a script that cannot log in
//	engine expire-password
//	engine other-ca FILE    the certificate authority of another engine
//	engine lock VM N        somebody else works on it, until N commands were refused; 0 is for ever
func theEngine(ts *testscript.TestScript, neg bool, args []string) {
	b := ts.Value("engine").(*bed)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: engine COMMAND ...")
	}
	switch args[0] {
	case "begin":
		b.begun = b.state(ts)
		b.sim.Forget()
	case "forget":
		b.sim.Forget()
	case "other-ca":
		other, err := ovirtsim.New(ovirtsim.Options{Name: "other"})
		ts.Check(err)
		ts.Check(other.Start())
		defer other.Close()
		ts.Check(os.WriteFile(ts.MkAbs(args[1]), other.CA(), 0o600))
	case "untouched":
		for _, r := range b.sim.Requests() {
			if isWrite(r) {
				ts.Fatalf("%s %s was sent", r.Method, r.Path)
			}
		}
		if d := gocmp.Diff(b.begun, b.state(ts)); d != "" {
			ts.Fatalf("the engine has changed (-before +after):\n%s", d)
		}
	case "logins":
		n := b.sim.Count(func(r ovirtsim.Request) bool { return strings.HasSuffix(r.Path, "/sso/oauth/token") })
		if len(args) != 2 || fmt.Sprint(n) != args[1] {
			ts.Fatalf("%d logins", n)
		}
	case "expire-password":
		b.sim.ExpirePassword()
	case "lock":
		if len(args) != 3 {
			ts.Fatalf("usage: engine lock VM N")
		}
		times, err := strconv.Atoi(args[2])
		ts.Check(err)
		free := b.sim.LockVM(args[1])
		if times == 0 {
			return
		}
		// It is free once so many were refused: the one behind them is let through.
		b.sim.Inject(ovirtsim.Injection{Match: func(r ovirtsim.Request) bool {
			if isWrite(r) {
				times--
			}
			if times == -1 {
				go free() // Match must not call the engine
			}
			return false
		}})
	default:
		ts.Fatalf("engine %s?", args[0])
	}
}
