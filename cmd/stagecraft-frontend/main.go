// Command stagecraft-frontend is the program of the frontend image. BuildKit
// starts it for a Dockerfile whose syntax line names the image, and talks gRPC
// with it over stdin and stdout.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	"github.com/moby/buildkit/util/appcontext"
	_ "github.com/moby/buildkit/util/grpcutil/encoding/proto" // the codec that avoids reflection
	"github.com/moby/buildkit/util/stack"
	"golang.org/x/sys/unix"

	"github.com/stagecraft-build/stagecraft/frontend"
	"github.com/stagecraft-build/stagecraft/internal/memory"
	"github.com/stagecraft-build/stagecraft/internal/needed"
	_ "github.com/stagecraft-build/stagecraft/internal/prefault" // at work before most others start
	"github.com/stagecraft-build/stagecraft/internal/tree"
	"github.com/stagecraft-build/stagecraft/internal/version"
)

const usage = `stagecraft-frontend is a BuildKit frontend: BuildKit starts it, people do not.
To use it, write this as the first line of a Dockerfile and run docker build:

  # syntax=stagecraft/dockerfile:1

Flags:
`

// subcommands are what steps of a build run, which llbgen makes.
var subcommands = map[string]func(ctx context.Context, args []string, getenv func(string) string) error{
	"max-size": tree.CheckLimit,
	"merge":    tree.MergeOperands,
	"needed":   needed.Main,
	"size":     tree.WriteSizes,
}

// envSession is set by every BuildKit that starts a frontend.
const envSession = "BUILDKIT_SESSION_ID"

// endUnread ends the program when nobody can read any more what it writes: the daemon was killed, which
// leaves the processes of its steps behind.
func endUnread(output *os.File) {
	for {
		fds := []unix.PollFd{{Fd: int32(output.Fd())}}
		switch _, err := unix.Poll(fds, -1); {
		case errors.Is(err, unix.EINTR):
		case err != nil: // then it goes on to its end
			return
		case fds[0].Revents&unix.POLLERR != 0:
			os.Exit(1)
		default:
			return
		}
	}
}

func main() {
	flag.Usage = func() {
		fmt.Fprint(flag.CommandLine.Output(), usage)
		flag.PrintDefaults()
	}
	showVersion := flag.Bool("version", false, "print version, revision and BuildKit release, and exit")
	flag.Parse()

	if run, ok := subcommands[flag.Arg(0)]; ok {
		go endUnread(os.Stderr)
		if err := run(appcontext.Context(), flag.Args()[1:], os.Getenv); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	v := version.Get()
	if *showVersion {
		fmt.Println("stagecraft-frontend", v)
		return
	}
	if _, ok := os.LookupEnv(envSession); !ok {
		flag.Usage()
		os.Exit(2)
	}
	memory.Tune()
	stack.SetVersionInfo(v.Version, v.Revision)
	// The daemon has got the error through the gateway by now; stderr is
	// the daemon's log.
	if err := grpcclient.RunFromEnvironment(appcontext.Context(), frontend.Build); err != nil {
		fmt.Fprintln(os.Stderr, "stagecraft-frontend:", err)
		os.Exit(1)
	}
}
