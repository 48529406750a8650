package expr

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFunctions(t *testing.T) {
	for text, want := range map[string]any{
		`to_json({"b": [1, 2.5, nil, true], "a": "<é>"})`:      `{"a":"<é>","b":[1,2.5,null,true]}`,
		`from_json("{\"a\": [1, 1.5, 12345678901234567890]}")`: map[string]any{"a": []any{1, 1.5, 12345678901234567890.0}},
		`toJSON({"a": 1})`: "{\n  \"a\": 1\n}",
		`fromJSON("1")`:    1,
		`to_yaml({"b": 1, "a": ["x: y", "yes", "1"]})`:                            "a:\n- \"x: y\"\n- \"yes\"\n- \"1\"\nb: 1\n",
		`from_yaml("a: [1, yes]")`:                                                map[string]any{"a": []any{1, "yes"}},
		`from_yaml(to_yaml({"a": "line\nline\n"}))`:                               map[string]any{"a": "line\nline\n"},
		`combine({"a": {"x": 1}, "l": [1]}, {"a": {"y": 2}, "l": [2]}, {"z": 3})`: map[string]any{"a": map[string]any{"x": 1, "y": 2}, "l": []any{2}, "z": 3},
		`lookup({"a": 1}, "a", 2)`:                                                1,
		`lookup({"a": 1}, "b", 2)`:                                                2,
		`lookup({"a": 1}, "b")`:                                                   nil,
		`lookup(undeclared ?? nil, "b", 2)`:                                       2,
		`lookup([7, 8], -1, 2)`:                                                   8,
		`regex_match("node-12", "^node-[0-9]+$")`:                                 true,
		`regex_match("x node-12", "^node")`:                                       false,
		`regex_find("up 12 days", "[0-9]+")`:                                      "12",
		`regex_find("up 12 days", "up ([0-9]+)")`:                                 "12",
		`regex_find("up", "[0-9]+")`:                                              nil,
		`regex_replace("a1b22", "[0-9]+", "<$0>")`:                                "a<1>b<22>",
		`regex_replace("k=v", "(.)=(.)", "\\2=\\1")`:                              "v=k",
		`b64encode("hällo")`:                                                      "aMOkbGxv",
		`b64decode("aMOkbGxv\n")`:                                                 "hällo",
		`sha256("abc")`:                                                           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
		`quote("it's; rm -rf /")`:                                                 `'it'\''s; rm -rf /'`,
		`quote("plain-1.2/x")`:                                                    "plain-1.2/x",
		`quote("")`:                                                               "''",
		`quote("~")`:                                                              "'~'",
		`basename("/a/b.qcow2")`:                                                  "b.qcow2",
		`dirname("/a/b.qcow2")`:                                                   "/a",
		`uuid5("dns", "example.org")`:                                             "aad03681-8b63-5304-89e0-8ca8f49461b5",
		`uuid5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "example.org")`:            "aad03681-8b63-5304-89e0-8ca8f49461b5",
		`network("10.0.0.7/24")`:                                                  "10.0.0.0",
		`network("fe80::7/64")`:                                                   "fe80::",
		`prefix("10.0.0.7/255.255.255.192")`:                                      26,
		`network("10.0.0.7/255.255.255.0")`:                                       "10.0.0.0",
		`prefix("10.0.0.7/0.0.0.0")`:                                              0,
		`address("10.0.0.7/24")`:                                                  "10.0.0.7",
		`prefix("10.0.0.7/26")`:                                                   26,
		`netmask("10.0.0.7/26")`:                                                  "255.255.255.192",
		`netmask("10.0.0.7/0")`:                                                   "0.0.0.0",
		`broadcast("10.0.0.7/26")`:                                                "10.0.0.63",
		`nth_host("10.105.249.0/26", 1)`:                                          "10.105.249.1",
		`nth_host("10.0.0.7/24", -1)`:                                             "10.0.0.255",
		`nth_host("10.0.0.200/16", 300)`:                                          "10.0.1.44",
		`nth_host("fd00::/64", 255)`:                                              "fd00::ff",
		`in_network("10.0.0.7/24", "10.0.0.0/8")`:                                 true,
		`in_network("11.0.0.7", "10.0.0.0/8")`:                                    false,
		`size("4GiB")`:                                                            4 << 30,
		`size("1.5 MiB")`:                                                         3 << 19,
		`size("10GB")`:                                                            10_000_000_000,
		`size("512b")`:                                                            512,
		`human_size(size("4GiB"))`:                                                "4GiB",
		`human_size(1610612736)`:                                                  "1.5GiB",
		`human_size(0)`:                                                           "0B",
		`seconds("10m")`:                                                          600.0,
		`seconds(duration("1h") + duration("30m"))`:                               5400.0,
		`human_duration(5400)`:                                                    "1h30m",
		`human_duration(0.5)`:                                                     "500ms",
		`human_duration(3600)`:                                                    "1h",
		`env("USER")`:                                                             "root",
		`env("NOT_SET") ?? "x"`:                                                   "x",
		`default(env("NOT_SET"), "x")`:                                            "x",
		`file("key.pub")`:                                                         "ssh-ed25519 AAAA me",
		`string([1, "a"])`:                                                        `[1,"a"]`,
		`string(2.0)`:                                                             "2",
		`int(" 42 ")`:                                                             42,
		`uniq([1, "a", 1, [1], [1], 1.0, {"x": 1}, {"x": 1}, nil, nil])`: []any{1, "a", []any{1}, map[string]any{"x": 1}, nil},
		`uniq(map(vms, .cpu > 1))`:                                       []any{true},
		`join(map(vms, .name), ",")`:                                     "a,b",
		`replace("aXbX", "X", "-")`:                                      "a-b-",
		`flatten([[1], [[2]]])`:                                          []any{1, 2},
		`sort(["b", "a"])`:                                               []any{"a", "b"},
		`concat([1], ["x"])`:                                             []any{1, "x"},
		`max([1, 7, 3])`:                                                 7,
		`keys({"a": 1})`:                                                 []any{"a"},
		`reverse(1..3)`:                                                  []any{3, 2, 1},
		`trim("  x ")`:                                                   "x",
		`::upper("x")`:                                                   "X",
	} {
		t.Run(text, func(t *testing.T) {
			n, err := evaluate(t, "{{ "+text+" }}", testValues())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, FromNode(n)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestFunctionErrors(t *testing.T) {
	for text, want := range map[string]string{
		`from_json("{")`:                 "this is not JSON",
		`from_json("1 2")`:               "something follows",
		`from_yaml("a: [")`:              "this is not YAML: line 1",
		`combine({"a": 1}, item.tags)`:   "argument 2 is a list",
		`combine({"a": 1})`:              "two or more",
		`lookup(item.ip, "y", 1)`:        "wants a mapping",
		`regex_match("x", "(")`:          "missing closing )",
		`b64decode("*")`:                 "illegal base64",
		`uuid5("nope", "x")`:             "dns, url, oid, x500",
		`network("10.0.0.7")`:            "prefix length",
		`prefix("10.0.0.7/255.0.255.0")`: "prefix length",
		`netmask("fd00::/64")`:           "IPv6",
		`nth_host("10.0.0.0/30", 4)`:     "has 4 addresses",
		`in_network("x", "10.0.0.0/8")`:  "no IP address",
		`size("4")`:                      "write 4GiB or 4MiB",
		`size("4G")`:                     "write 4GiB or 4GB",
		`size("4 apples")`:               "the units are",
		`size("99999999EiB")`:            "too large",
		`seconds("10")`:                  "90s or 10m",
		`seconds(10)`:                    "wants a duration",
		`password_hash("x", "")`:         "the salt is empty",
		`string(item.null)`:              "no value here",
		`int("x")`:                       "no integer",
		`int(1e300)`:                     "does not fit",
		`upper(item.tags)`:               "a string is wanted here, but the value is a list",
		`sha256(item.tags)`:              "wants a string as argument 1, not a list",
	} {
		t.Run(text, func(t *testing.T) {
			n, err := evaluate(t, "{{ "+text+" }}", testValues())
			if err == nil {
				t.Fatalf("no error but %v", FromNode(n))
			}
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %q, want %q in it", err, want)
			}
		})
	}
}

func TestWithoutHostNothingIsRead(t *testing.T) {
	for _, text := range []string{`{{ env("HOME") }}`, `{{ file("x") }}`} {
		tmpl, list := CompileNode(str(text), NewScope(nil, Options{}))
		if list != nil {
			t.Fatal(list)
		}
		if _, err := tmpl.Eval(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "not available here") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Every function is documented, and every suggestion to write a function names
// one that exists.
func TestFunctionsAreDocumented(t *testing.T) {
	for _, f := range Functions() {
		if !strings.HasPrefix(f.Form, f.Name+"(") || f.Doc == "" {
			t.Errorf("%+v", f)
		}
	}
	for from, detail := range foreignFunctions {
		if registry.known(from) {
			t.Errorf("%s is a function of ours and has a hint", from)
		}
		if _, call, ok := strings.Cut(detail, "Write "); ok {
			if name, _, ok := strings.Cut(call, "("); ok && IsName(name) && !registry.known(name) && name != "x" {
				t.Errorf("the hint for %s names %s, which does not exist", from, name)
			}
		}
	}
}
