package plan

import ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

// machine names a platform as other tools do.
type machine struct {
	// name is what uname -m prints, triple Debian's multiarch tuple.
	name, triple string
}

// machines are the Linux platforms of Docker's official images
// (https://github.com/docker-library/official-images#architectures-other-than-amd64)
// with the tuples of https://wiki.debian.org/Multiarch/Tuples.
var machines = map[string]machine{
	"amd64":    {"x86_64", "x86_64-linux-gnu"},
	"386":      {"i686", "i386-linux-gnu"},
	"arm64":    {"aarch64", "aarch64-linux-gnu"},
	"arm/v5":   {"armv5tel", "arm-linux-gnueabi"},
	"arm/v6":   {"armv6l", "arm-linux-gnueabihf"},
	"arm/v7":   {"armv7l", "arm-linux-gnueabihf"},
	"ppc64le":  {"ppc64le", "powerpc64le-linux-gnu"},
	"s390x":    {"s390x", "s390x-linux-gnu"},
	"riscv64":  {"riscv64", "riscv64-linux-gnu"},
	"mips64le": {"mips64", "mips64el-linux-gnuabi64"},
	"loong64":  {"loongarch64", "loongarch64-linux-gnu"},
}

// machineOf returns the names of a platform: none when they are not known. A
// triple is a Linux one; elsewhere machines have the names of that system.
func machineOf(p ocispecs.Platform) machine {
	key := p.Architecture
	if key == "arm" && p.Variant == "" {
		key = "arm/v7"
	}
	if _, ok := machines[key]; !ok && p.Variant != "" {
		key += "/" + p.Variant
	}
	m := machines[key]
	if p.OS != "linux" {
		m.triple = ""
		if p.OS == "darwin" && p.Architecture == "arm64" {
			m.name = "arm64"
		}
	}
	return m
}
