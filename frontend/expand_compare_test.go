package frontend_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	"google.golang.org/protobuf/proto"

	"github.com/stagecraft-build/stagecraft/internal/gatewaytest"
)

// heads returns what each solve gives, gates left out, sorted.
func heads(t *testing.T, solved []client.SolveRequest) []string {
	t.Helper()
	var out []string
	for _, req := range solved {
		if req.Definition == nil {
			continue
		}
		if vertices(t, []client.SolveRequest{req}) == "" {
			continue
		}
		if head := ungated(t, req.Definition); head != "" {
			out = append(out, head)
		}
	}
	slices.Sort(out)
	return out
}

// ungated returns the digest of what a definition gives with all ops that wait for a
// gate taken out; empty when it is but a gate.
func ungated(t *testing.T, def *pb.Definition) string {
	t.Helper()
	moved := map[string]*pb.Input{}
	head := "scratch"
	for _, dt := range def.Def {
		var op pb.Op
		if err := op.UnmarshalVT(dt); err != nil {
			t.Fatal(err)
		}
		dgst := digest.FromBytes(dt).String()
		for i, in := range op.Inputs {
			if to, ok := moved[in.Digest]; ok {
				op.Inputs[i] = &pb.Input{Digest: to.Digest, Index: to.Index + in.Index}
			}
		}
		if op.Op == nil {
			if len(op.Inputs) > 0 && op.Inputs[0].Digest != "" {
				head = op.Inputs[0].Digest
			}
			continue
		}
		if op.GetPassthrough() != nil {
			moved[dgst] = op.Inputs[0]
			continue
		}
		if diff := op.GetDiff(); diff != nil && op.Inputs[0].Digest == op.Inputs[1].Digest {
			moved[dgst] = &pb.Input{} // scratch
			continue
		}
		if file := op.GetFile(); file != nil { // a copy to or from what was scratch and waited
			dropScratch(&op)
			inputsOnce(&op)
			if len(file.Actions) > 0 && strings.HasPrefix(file.Actions[0].GetCopy().GetSrc(), "/.stagecraft-gate-") {
				return ""
			}
			if op.Platform != nil {
				op.Platform = &pb.Platform{OS: op.Platform.OS}
			}
		}
		if meta := op.GetExec().GetMeta(); meta != nil {
			dropScratch(&op)
			inputsOnce(&op)
			slices.Sort(meta.Env)
		}
		if source := op.GetSource(); source != nil {
			delete(source.Attrs, pb.AttrFollowPaths)
		}
		normal, err := proto.MarshalOptions{Deterministic: true}.Marshal(&op)
		if err != nil {
			t.Fatal(err)
		}
		moved[dgst] = &pb.Input{Digest: digest.FromBytes(normal).String()}
	}
	return head
}

// dropScratch takes the inputs that are scratch out of an op.
func dropScratch(op *pb.Op) {
	for i := len(op.Inputs) - 1; i >= 0; i-- {
		if op.Inputs[i].Digest != "" {
			continue
		}
		op.Inputs = slices.Delete(op.Inputs, i, i+1)
		for _, m := range op.GetExec().GetMounts() {
			switch {
			case m.Input == int64(i):
				m.Input = -1
			case m.Input > int64(i):
				m.Input--
			}
		}
		for _, a := range op.GetFile().GetActions() {
			for _, number := range []*int64{&a.Input, &a.SecondaryInput} {
				switch {
				case *number == int64(i):
					*number = -1
				case *number > int64(i):
					*number--
				}
			}
		}
	}
}

// inputsOnce makes equal inputs of an op one.
func inputsOnce(op *pb.Op) {
	for i := len(op.Inputs) - 1; i > 0; i-- {
		first := slices.IndexFunc(op.Inputs, func(in *pb.Input) bool { return in.Digest == op.Inputs[i].Digest && in.Index == op.Inputs[i].Index })
		if first == i {
			continue
		}
		op.Inputs = slices.Delete(op.Inputs, i, i+1)
		for _, m := range op.GetExec().GetMounts() {
			switch {
			case m.Input == int64(i):
				m.Input = int64(first)
			case m.Input > int64(i):
				m.Input--
			}
		}
		for _, a := range op.GetFile().GetActions() {
			for _, number := range []*int64{&a.Input, &a.SecondaryInput} {
				switch {
				case *number == int64(i):
					*number = int64(first)
				case *number > int64(i):
					*number--
				}
			}
		}
	}
}

// vertices tells what solves need, those of the Dockerfile left out.
func vertices(t *testing.T, solved []client.SolveRequest) string {
	t.Helper()
	var all []string
	for _, req := range solved {
		if req.Definition == nil {
			continue
		}
		text, err := gatewaytest.Vertices(req.Definition)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(text, "1 [internal] load") {
			all = append(all, text+"end\n")
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}
