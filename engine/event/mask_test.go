package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/nactl/nactl/virt"
)

func maskOf(t testing.TB, secrets ...string) *Mask {
	t.Helper()
	m := NewMask()
	for _, s := range secrets {
		if err := m.Add(s); err != nil {
			t.Fatalf("adding %q: %v", s, err)
		}
	}
	return m
}

func TestMask(t *testing.T) {
	const key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\n  AAAAB3NzaC1yc2E\nxyz==\n-----END KEY-----\n"
	for _, tt := range []struct {
		name     string
		secrets  []string
		in, want string
	}{
		{"none", nil, "text", "text"},
		{"plain", []string{"hunter22"}, "pass hunter22!", "pass ***!"},
		{"twice", []string{"hunter22"}, "hunter22 hunter22", "*** ***"},
		{"as the whole", []string{"hunter22"}, "hunter22", "***"},
		{"side by side become one", []string{"hunter22"}, "hunter22hunter22", "***"},
		{"the longer one of two that begin alike", []string{"hunter", "hunter22"}, "hunter22", "***"},
		{"one within another", []string{"hunter22", "nter22"}, "hunter22 nter22", "*** ***"},
		{"overlapping", []string{"abcdefgh", "ghijklmn"}, "-abcdefghijklmn-", "-***-"},
		{"overlapping itself", []string{"abcabc"}, "abcabcabc", "***"},
		{"part of it stays", []string{"hunter22"}, "hunter2", "hunter2"},
		{"a mark that completes a secret", []string{"a***bc", "hunter22"}, "ahunter22bc", "***"},
		{"white space around it is not part of it", []string{" hunter22\n"}, "pass hunter22", "pass ***"},
		{"characters, not bytes", []string{"größer"}, "viel größer", "viel ***"},
		{"lines of many", []string{key}, "the file has AAAAB3NzaC1yc2E in it", "the file has *** in it"},
		{"short lines and armour of many stay", []string{key}, "xyz== -----BEGIN KEY-----", "xyz== -----BEGIN KEY-----"},
		{"many as one", []string{key}, "k: " + key + "end", "k: ***\nend"},
		{"many with other line ends", []string{strings.ReplaceAll(key, "\n", "\r\n")}, "b3BlbnNzaC1rZXk", "***"},
		{"JSON", []string{`pa"ss\word`}, `{"p":"pa\"ss\\word"}`, `{"p":"***"}`},
		{"JSON in JSON", []string{`pa"ssword`}, `{"p":"{\"q\":\"pa\\\"ssword\"}"}`, `{"p":"{\"q\":\"***\"}"}`},
		{"JSON with escapes for HTML", []string{"pass<word>&"}, `"pass\u003cword\u003e\u0026"`, `"***"`},
		{"Go", []string{"pass\aword"}, `got "pass\aword"`, `got "***"`},
		{"XML", []string{`pa<ss>&'"`}, `<p a="pa&lt;ss&gt;&amp;&apos;&quot;"/>`, `<p a="***"/>`},
		{"query", []string{"pass word/+"}, "?p=pass+word%2F%2B&x", "?p=***&x"},
		{"query, lower case", []string{"pass word/+"}, "?p=pass+word%2f%2b&x", "?p=***&x"},
		{"path", []string{"pass word/+"}, "/pass%20word%2F+/x", "/***/x"},
		{"user information", []string{"pass:word@x"}, url.UserPassword("ann", "pass:word@x").String() + "@h", "ann:***@h"},
		{"single quotes", []string{"it's me"}, `echo 'it'\''s me'`, `echo '***'`},
		{"double quotes", []string{`a$b"c"d`}, `echo "a\$b\"c\"d"`, `echo "***"`},
		{"backslashes", []string{"pass word$"}, `echo pass\ word\$`, `echo ***`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := maskOf(t, tt.secrets...).String(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestShortSecrets(t *testing.T) {
	m := NewMask()
	for _, s := range []string{"", "abcde", "größe", "  ab  \n", "\n\n\n\n\n\n"} {
		if err := m.Add(s); !errors.Is(err, ErrShortSecret) {
			t.Errorf("Add(%q) gave %v", s, err)
		}
	}
	if got := m.String("abcde größe"); got != "abcde größe" {
		t.Errorf("got %q", got)
	}
}

// In base64, a secret may begin at each place within a group of three bytes, and
// only the characters that it shares with its neighbours may be left.
func TestMaskBase64(t *testing.T) {
	const secret = "tr?ub~a\xffdour&3"
	m := maskOf(t, secret)
	for before := range 6 {
		for after := range 6 {
			text := strings.Repeat("B", before) + secret + strings.Repeat("A", after)
			for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
				full := enc.EncodeToString([]byte(text))
				got := m.String(full)
				first, last := (before*8+5)/6, (before+len(secret))*8/6
				if want := full[:first] + Masked + full[last:]; got != want {
					t.Errorf("%d before, %d after: %s became %s, want %s", before, after, full, got, want)
				}
			}
		}
	}
}

// Every string of every type of event is masked, wherever it stands.
func TestEveryStringIsMasked(t *testing.T) {
	const secret = "correct horse \"battery\" staple"
	for typ, rt := range types {
		t.Run(string(typ), func(t *testing.T) {
			v := reflect.New(rt).Elem()
			n := fill(v, secret)
			var out bytes.Buffer
			w := NewWriter("r", maskOf(t, secret), fixedClock, NewNDJSON(&out))
			w.Emit(v.Interface().(Event))
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "battery") {
				t.Errorf("the secret came through: %s", &out)
			}
			if got := strings.Count(out.String(), Masked); got != n {
				t.Errorf("%d of %d strings were masked: %s", got, n, &out)
			}
			var before, after bytes.Buffer
			_ = json.NewEncoder(&before).Encode(v.Interface())
			fill(v, secret)
			_ = json.NewEncoder(&after).Encode(v.Interface())
			if before.String() != after.String() {
				t.Error("masking changed the event that was given")
			}
		})
	}
}

// fill sets all that can hold text, and returns how many texts that makes on the
// wire.
func fill(v reflect.Value, s string) int {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
		return 1
	case reflect.Struct:
		n := 0
		for i := range v.NumField() {
			if v.Type().Field(i).Type == reflect.TypeFor[[]Failure]() && v.Type() == reflect.TypeFor[Failure]() {
				v.Field(i).Set(reflect.ValueOf([]Failure{{Summary: s}}))
				n++
				continue
			}
			n += fill(v.Field(i), s)
		}
		return n
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return fill(v.Elem(), s)
	case reflect.Slice:
		if v.Type() == rawMessage {
			b, _ := encode(map[string]any{s: []string{s}})
			v.SetBytes(b)
			return 2
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		return fill(v.Index(0), s) + fill(v.Index(1), s)
	case reflect.Interface:
		v.Set(reflect.ValueOf(&virt.CommandResult{Stdout: s, Stderr: "and " + s}))
		return 2
	default:
		return 0
	}
}

func TestSecretThatBecameANumber(t *testing.T) {
	m := maskOf(t, "12345678")
	e := m.event(Outcome{Fields: []virt.FieldChange{{Path: "pin", Before: 12345678, After: 5}}}).(Outcome)
	if e.Fields[0].Before != Masked || e.Fields[0].After != json.Number("5") {
		t.Errorf("got %#v", e.Fields[0])
	}
}

// encoders write text in the forms that nactl emits, and read them again.
var encoders = []struct {
	name   string
	encode func(string) string
	decode func(string) (string, error)
}{
	{"plain", func(s string) string { return s }, func(s string) (string, error) { return s, nil }},
	{"json", func(s string) string { b, _ := encode(s); return string(b) }, unquoteJSON},
	{"json for html", func(s string) string { b, _ := json.Marshal(s); return string(b) }, unquoteJSON},
	{"go", strconv.Quote, strconv.Unquote},
	{"ascii", strconv.QuoteToASCII, strconv.Unquote},
	{"query", url.QueryEscape, url.QueryUnescape},
	{"path", url.PathEscape, url.PathUnescape},
	{"base64", func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) }, nil},
	{"base64 for urls", func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }, nil},
	{"shell", func(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" },
		func(s string) (string, error) {
			return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(s, "'"), "'"), `'\''`, "'"), nil
		}},
	{"xml", func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}, func(s string) (string, error) {
		var v struct {
			Text string `xml:",chardata"`
		}
		err := xml.Unmarshal([]byte("<t>"+s+"</t>"), &v)
		return v.Text, err
	}},
}

func unquoteJSON(s string) (string, error) {
	var out string
	err := json.Unmarshal([]byte(s), &out)
	return out, err
}

func FuzzMask(f *testing.F) {
	f.Add("hunter22", "before ", " after", "hunter2")
	f.Add("pa\"ss\\wo'rd", "x", "y", "ss\\wo'rd and more")
	f.Add("größer <&> \x00\x1b", "", "", "\xff\xfe\xfd\xfc\xfb\xfa")
	f.Add("two\nlines of it\n", "a", "b", "lines")
	f.Add("******", "***", "***", "a***bc")
	f.Add("%41%42%43", "%", "25", "+++ +++")
	f.Fuzz(func(t *testing.T, secret, before, after, other string) {
		m := NewMask()
		if m.Add(secret) != nil {
			return
		}
		secret = strings.TrimSpace(secret)
		hasOther := m.Add(other) == nil
		other = strings.TrimSpace(other)
		text := before + secret + after
		for _, e := range encoders {
			got := m.String(e.encode(text))
			if !strings.Contains(got, Masked) {
				t.Fatalf("%s: %q of %q is not masked: %q", e.name, secret, text, got)
			}
			for _, form := range encodings(secret) {
				if strings.Contains(got, form) {
					t.Fatalf("%s: %q shows %q", e.name, got, form)
				}
			}
			if hasOther && strings.Contains(m.String(other+secret+other), other) {
				t.Fatalf("%q shows the other secret", got)
			}
			if e.decode == nil {
				continue
			}
			// The encoding that was made here is not the only one that can be read: what
			// is left must not decode to the secret either.
			if back, err := e.decode(got); err == nil && strings.Contains(back, secret) && utf8Clean(secret) {
				t.Fatalf("%s: %q decodes to %q", e.name, got, back)
			}
		}
		// And through a writer, in the wire form.
		var out bytes.Buffer
		w := NewWriter("r", m, fixedClock, NewNDJSON(&out))
		w.Emit(Message{Text: text})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		var r Record
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if got := r.Event.(Message).Text; strings.Contains(got, secret) {
			t.Fatalf("the wire form shows %q", got)
		}
	})
}

func utf8Clean(s string) bool { return validUTF8(s) == s }

func BenchmarkMask(b *testing.B) {
	m := maskOf(b, "correct horse battery staple", "hunter22", strings.Repeat("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n", 40))
	text := strings.Repeat("Mar  1 12:00:00 web-1 systemd[1]: Started the nginx web server and reverse proxy\n", 1<<20/80)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		m.String(text)
	}
}
