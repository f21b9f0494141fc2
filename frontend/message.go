package frontend

import (
	"bytes"
	"fmt"

	"github.com/containerd/containerd/v2/defaults"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/stagecraft-build/stagecraft/internal/pattern"
)

const (
	// maxMessage is what a message between the frontend and the daemon has at most, in bytes.
	maxMessage = defaults.DefaultMaxSendMsgSize
	// messageRest is what all of an answer but its values may take of that.
	messageRest = 64 << 10
	// wholeFile is up to which size, in bytes, an error has the whole of a file that it shows. An error
	// has a file for each of its places, and one that no message holds reaches the user as an exit code.
	wholeFile = 64 << 10
	// linesAround is how many lines beside those at fault an error has of a longer file: no client shows
	// as many.
	linesAround = 10
)

// shownInfo is what an error or a warning about lines of a file has of it: for a long file
// these and some around them in their place, with nothing on the lines above.
func shownInfo(sm *llb.SourceMap, ranges []parser.Range) *pb.SourceInfo {
	return &pb.SourceInfo{
		Data:       shownLines(sm.Data, ranges),
		Filename:   sm.Filename,
		Language:   sm.Language,
		Definition: sm.Definition.ToPB(),
	}
}

func shownLines(data []byte, ranges []parser.Range) []byte {
	if len(data) <= wholeFile {
		return data
	}
	if len(ranges) == 0 {
		return nil
	}
	first, last := ranges[0].Start.Line, 0 // clients show all between the ranges too
	for _, r := range ranges {
		first, last = min(first, r.Start.Line), max(last, r.Start.Line, r.End.Line)
	}
	var out bytes.Buffer
	line := 0
	for text := range bytes.Lines(data) {
		switch line++; {
		case line > last+linesAround || out.Len() > maxMessage/4:
		case line < first-linesAround:
			out.WriteByte('\n')
		default:
			out.Write(text)
		}
	}
	if out.Len() > maxMessage/4 {
		return nil
	}
	return out.Bytes()
}

// requireFits is an error when a result does not fit into a message.
func requireFits(res *client.Result) error {
	size := 0
	for key, value := range res.Metadata {
		size += len(key) + len(value)
	}
	if size > maxMessage-messageRest {
		return fmt.Errorf("the answer has %d bytes, and a message to the builder %d at most: ask for fewer targets, calls or platforms at once", size, maxMessage)
	}
	return nil
}

// tooLong is how an error of the gateway says that a message is too long.
var tooLong = pattern.New(`message larger than max \((\d+) vs\. (\d+)\)`)

// explainMessage says what was too long for a message.
func explainMessage(err error) error {
	match := tooLong().FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	return fmt.Errorf("the operations of this build have %s bytes, and a message to the builder %s at most: build fewer targets, calls or platforms at once, or COPY long texts from files: %w", match[1], match[2], err)
}
