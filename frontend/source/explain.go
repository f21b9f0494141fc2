package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/gateway/client"

	"github.com/stagecraft-build/stagecraft/frontend/module"
)

// missing says what is there where no file can be read.
func (s *Sources) missing(ctx context.Context, ref client.Reference, t *tree, name string, err error) error {
	dir, base := path.Split(path.Clean("/" + name))
	list, listErr := ref.ReadDir(ctx, client.ReadDirRequest{Path: dir, IncludePattern: base})
	if listErr == nil && len(list) == 1 {
		switch found := list[0]; {
		case found.IsDir():
			return &directory{name}
		case os.FileMode(found.Mode)&os.ModeSymlink != 0:
			return fmt.Errorf("%s is a symbolic link to %s, which is not in %s", name, found.Linkname, t.name)
		}
	}
	if errors.Is(err, os.ErrNotExist) || strings.Contains(err.Error(), "no such file") {
		if t.alone {
			return notFoundf("the Dockerfile comes without its directory (from standard input, a URL or a bake file), so %s is looked for in the build context, and there is no such file: write its path from the root of the build context, as in /dir/%s, or name the Dockerfile with --file", name, path.Base(name))
		}
		return notFoundf("there is no file %s in %s", name, t.name)
	}
	return t.opaque("failed to read "+name, err)
}

// directory is the mistake of a directory where a file is asked for.
type directory struct{ name string }

func (e *directory) Error() string {
	return fmt.Sprintf("%s is a directory: write the file in it, as in %s/Dockerfile", e.name, e.name)
}

// notFound is the mistake of a file that is not there.
type notFound struct{ text string }

func notFoundf(format string, args ...any) error { return &notFound{fmt.Sprintf(format, args...)} }

func (e *notFound) Error() string { return e.text }

// Is makes it an os.ErrNotExist.
func (e *notFound) Is(target error) bool { return target == os.ErrNotExist }

// explain says what to do when a source cannot be fetched.
func (t *tree) explain(err error) error {
	text := strings.ToLower(err.Error())
	holds := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(text, word) {
				return true
			}
		}
		return false
	}
	advice := ""
	switch {
	case holds("could not read username", "authentication failed", "authentication required", "terminal prompts disabled", "401 unauthorized", "403 forbidden"):
		advice = ": it asks for a login; pass a token with --secret id=GIT_AUTH_TOKEN for git, or log the builder in to the registry"
	case holds("permission denied (publickey", "host key verification failed", "ssh client", "unset ssh forward key", "no ssh"):
		advice = ": pass an agent or a key that may read it with --ssh default"
	case holds("could not resolve host", "no such host", "network is unreachable", "connection refused", "i/o timeout", "failed to connect"):
		advice = ": the builder does not reach it"
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w %s%s: %s", module.ErrFetch, t.name, advice, t.secrets.hide(err.Error()))
}

// opaque adds text to an error of the gateway. Package grpcerrors drops what
// wraps such an error, so the result is one of its own.
func (t *tree) opaque(text string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errors.New(text + ": " + t.secrets.hide(err.Error()))
}
