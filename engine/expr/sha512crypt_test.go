package expr

import "testing"

// The vectors of Drepper's specification, less those in which crypt(3) shortens
// a salt or raises a number of rounds: these are refused.
func TestSHA512Crypt(t *testing.T) {
	for _, c := range []struct {
		password, salt string
		rounds         int
		want           string
	}{
		{"Hello world!", "saltstring", 0,
			"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
		{"Hello world!", "saltstringsaltst", 10000,
			"$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."},
		{"This is just a test", "toolongsaltstrin", 5000,
			"$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0"},
		{"a very much longer text to encrypt.  This one even stretches over morethan one line.", "anotherlongsalts", 1400,
			"$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1"},
		{"we have a short salt string but not a short password", "short", 77777,
			"$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0"},
		{"a short string", "asaltof16chars..", 123456,
			"$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1"},
	} {
		got, err := sha512Crypt(c.password, c.salt, c.rounds)
		if err != nil || got != c.want {
			t.Errorf("%q, %q, %d:\ngot  %s %v\nwant %s", c.password, c.salt, c.rounds, got, err, c.want)
		}
	}
}

func TestSHA512CryptRefuses(t *testing.T) {
	for _, c := range []struct {
		salt   string
		rounds int
	}{{"", 0}, {"seventeencharsalt", 0}, {"a$b", 0}, {"ü", 0}, {"abc", 10}, {"abc", 999_999_999}, {"abc", -1}} {
		if got, err := sha512Crypt("x", c.salt, c.rounds); err == nil {
			t.Errorf("%q, %d gives %s", c.salt, c.rounds, got)
		}
	}
}

func TestPasswordHashWithoutSaltIsVolatile(t *testing.T) {
	for text, want := range map[string]bool{
		`{{ password_hash("x") }}`: true, `{{ password_hash("x", "abc") }}`: false, `{{ "x" | password_hash() }}-y`: true, `{{ n }}`: false,
	} {
		tmpl, list := CompileNode(str(text), testScope())
		if list != nil {
			t.Fatal(list)
		}
		if got := tmpl.Volatile(); got != want {
			t.Errorf("%s: volatile is %v", text, got)
		}
		a, _ := tmpl.Eval(t.Context(), testValues())
		b, _ := tmpl.Eval(t.Context(), testValues())
		if (a.Str != b.Str) != want {
			t.Errorf("%s: %s, %s", text, a.Str, b.Str)
		}
	}
}
