package source

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/moby/buildkit/client/llb"
)

// credentials are user and password of a URL, which nobody is to see: not in the
// name of a source, not in errors, not in the progress. The zero value has none.
type credentials struct {
	hidden *strings.Replacer
}

// mask is what BuildKit shows for them.
const mask = "xxxxx"

// credentialsOf finds those of a URL, also of one that cannot be parsed.
func credentialsOf(from string) credentials {
	login, _ := loginOf(from)
	user, password, both := strings.Cut(login, ":")
	switch {
	case login == "":
		return credentials{}
	case !both:
		return credentials{strings.NewReplacer(append(replace(user), user+"@", mask+"@")...)}
	}
	return credentials{strings.NewReplacer(append([]string{user + ":" + password + "@", mask + ":" + mask + "@"}, replace(password)...)...)}
}

// loginOf returns what stands in front of the host of a URL, and where; nothing when
// it is no secret.
func loginOf(from string) (login string, at int) {
	scheme, rest, ok := strings.Cut(from, "://")
	if !ok {
		return "", 0
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		if _, err := url.Parse(from); err == nil {
			rest = rest[:end]
		}
	}
	login = rest[:max(strings.LastIndexByte(rest, '@'), 0)]
	if scheme == "ssh" && !strings.Contains(login, ":") { // the user of a git server is no secret
		return "", 0
	}
	return login, len(scheme) + len("://")
}

// WithoutCredentials returns a URL without user and password.
func WithoutCredentials(from string) string {
	login, at := loginOf(from)
	if login == "" {
		return from
	}
	return from[:at] + strings.TrimPrefix(from[at:], login+"@")
}

// replace returns what hides a secret wherever it stands, in each of its spellings;
// nothing for one that is so short that it stands in other words.
func replace(secret string) []string {
	if len(secret) < 4 {
		return nil
	}
	meant, err := url.PathUnescape(secret)
	if err != nil {
		meant = secret
	}
	return []string{secret, mask, meant, mask, url.User(meant).String(), mask, url.QueryEscape(meant), mask}
}

// hide returns text without the credentials.
func (c credentials) hide(text string) string {
	if c.hidden == nil {
		return text
	}
	return c.hidden.Replace(text)
}

// hideNames returns a source whose vertices have names without them.
func (c credentials) hideNames(ctx context.Context, st llb.State, opts ...llb.ConstraintsOpt) (llb.State, error) {
	if c.hidden == nil {
		return st, nil
	}
	def, err := st.Marshal(ctx, opts...)
	if err != nil {
		return llb.State{}, fmt.Errorf("failed to marshal LLB definition: %w", err)
	}
	for vertex, meta := range def.Metadata {
		shown := make(map[string]string, len(meta.Description))
		for key, text := range meta.Description {
			shown[key] = c.hide(text)
		}
		meta.Description = shown
		def.Metadata[vertex] = meta
	}
	op, err := llb.NewDefinitionOp(def.ToPB())
	if err != nil {
		return llb.State{}, fmt.Errorf("failed to read LLB: %w", err)
	}
	return llb.NewState(op), nil
}
