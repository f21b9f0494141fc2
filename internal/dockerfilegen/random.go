package dockerfilegen

import (
	"hash/fnv"
	"math/rand/v2"
)

// Random makes choices out of data, a byte each, so that a fuzzer that changes a
// byte changes a choice; behind its end they are random, and the same every time.
func Random(data []byte) *rand.Rand {
	h := fnv.New64a()
	h.Write(data)
	return rand.New(&bytesSource{data: data, rest: rand.NewPCG(h.Sum64(), 0)})
}

type bytesSource struct {
	data []byte
	rest rand.Source
}

// Uint64 has the byte in all places: which bits a choice takes is for rand to say.
func (s *bytesSource) Uint64() uint64 {
	if len(s.data) == 0 {
		return s.rest.Uint64()
	}
	b := s.data[0]
	s.data = s.data[1:]
	return uint64(b) * 0x0101010101010101
}
