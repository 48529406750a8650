package expr

import (
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The bounds of Drepper's specification of SHA-crypt, and ours on the work that
// one expression may ask for: 1,000,000 rounds take about half a second.
const (
	cryptRoundsDefault = 5000
	cryptRoundsMin     = 1000
	cryptRoundsMax     = 1_000_000
	cryptSaltMax       = 16
	cryptSaltDefault   = 16
	cryptPasswordMax   = 4 << 10
)

// cryptAlphabet is crypt(3)'s base64, which is not RFC 4648's.
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// cryptoFunctions make what cloud-init and chpasswd take.
func cryptoFunctions() []function {
	return []function{
		{name: "password_hash", form: "password_hash(password, salt, rounds)",
			doc:   "the SHA-512 crypt of a password ($6$…), for chpasswd and cloud-init; without a salt a random one is taken, and the result differs each time",
			types: []any{new(func(string, string, int) string), new(func(string, string) string), new(func(string) string)},
			call:  passwordHash},
	}
}

func passwordHash(r *run, args []any) (any, error) {
	password, err := text(args, 0, "password_hash")
	if err != nil {
		return nil, err
	}
	salt := ""
	if len(args) > 1 {
		if salt, err = text(args, 1, "password_hash"); err != nil {
			return nil, err
		}
	} else {
		salt = randomSalt()
	}
	rounds := 0
	if len(args) > 2 {
		if rounds, err = number(args, 2, "password_hash"); err != nil {
			return nil, err
		}
	}
	// One round costs about as much as eight steps do.
	if err := r.spend(max(rounds, cryptRoundsDefault)); err != nil {
		return nil, err
	}
	return sha512Crypt(password, salt, rounds)
}

// randomSalt gives a salt of 96 random bits. crypto/rand never fails.
func randomSalt() string {
	b := make([]byte, cryptSaltDefault)
	rand.Read(b)
	for i := range b {
		b[i] = cryptAlphabet[b[i]&63]
	}
	return string(b)
}

// sha512Crypt is SHA-512 crypt as specified by Ulrich Drepper ("Unix crypt using
// SHA-256 and SHA-512", 2007). With rounds 0 the default of 5000 holds, and is
// not written into the result. Where crypt(3) would silently shorten a salt or
// change a number of rounds, this refuses.
func sha512Crypt(password, salt string, rounds int) (string, error) {
	switch {
	case len(password) > cryptPasswordMax:
		return "", fmt.Errorf("password_hash: the password is longer than %d bytes", cryptPasswordMax)
	case salt == "":
		return "", errors.New("password_hash: the salt is empty")
	case len(salt) > cryptSaltMax:
		return "", fmt.Errorf("password_hash: the salt is longer than %d characters", cryptSaltMax)
	case strings.Trim(salt, cryptAlphabet) != "":
		return "", errors.New("password_hash: a salt is made of letters, digits, . and /")
	case rounds != 0 && (rounds < cryptRoundsMin || rounds > cryptRoundsMax):
		return "", fmt.Errorf("password_hash: %d rounds are not between %d and %d", rounds, cryptRoundsMin, cryptRoundsMax)
	}
	prefix := "$6$"
	if rounds == 0 {
		rounds = cryptRoundsDefault
	} else {
		prefix += "rounds=" + strconv.Itoa(rounds) + "$"
	}
	return prefix + salt + "$" + encodeCrypt(cryptDigest([]byte(password), []byte(salt), rounds)), nil
}

// cryptDigest runs the 21 steps of the specification; A, B, DP, DS, P and S are
// its names.
func cryptDigest(password, salt []byte, rounds int) [sha512.Size]byte {
	h := sha512.New()
	sum := func() (out [sha512.Size]byte) {
		h.Sum(out[:0])
		h.Reset()
		return out
	}
	h.Write(password)
	h.Write(salt)
	h.Write(password)
	b := sum()

	h.Write(password)
	h.Write(salt)
	h.Write(stretch(b[:], len(password)))
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			h.Write(b[:])
		} else {
			h.Write(password)
		}
	}
	a := sum()

	for range password {
		h.Write(password)
	}
	dp := sum()
	p := stretch(dp[:], len(password))

	for range 16 + int(a[0]) {
		h.Write(salt)
	}
	ds := sum()
	s := stretch(ds[:], len(salt))

	c := a
	for i := range rounds {
		if i&1 != 0 {
			h.Write(p)
		} else {
			h.Write(c[:])
		}
		if i%3 != 0 {
			h.Write(s)
		}
		if i%7 != 0 {
			h.Write(p)
		}
		if i&1 != 0 {
			h.Write(c[:])
		} else {
			h.Write(p)
		}
		c = sum()
	}
	return c
}

// stretch repeats digest to n bytes.
func stretch(digest []byte, n int) []byte {
	out := make([]byte, 0, n+len(digest))
	for len(out) < n {
		out = append(out, digest...)
	}
	return out[:n]
}

// encodeCrypt writes a digest in crypt's order: three bytes that lie 21 apart
// become four characters, and each group starts where the last one's second did.
func encodeCrypt(d [sha512.Size]byte) string {
	out := make([]byte, 0, 86)
	put := func(v uint32, chars int) {
		for range chars {
			out = append(out, cryptAlphabet[v&63])
			v >>= 6
		}
	}
	a, b, c := 0, 21, 42
	for range 21 {
		put(uint32(d[a])<<16|uint32(d[b])<<8|uint32(d[c]), 4)
		a, b, c = b+1, c+1, a+1
	}
	put(uint32(d[63]), 2)
	return string(out)
}
