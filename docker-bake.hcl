# What to build, for docker buildx bake. The default is the frontend image.

variable "GO_VERSION" {
  default = null
}

variable "VERSION" {
  description = "Version of the image; from the git tags when not set"
  default     = null
}

variable "DESTDIR" {
  description = "Where binaries are written"
  default     = "./bin"
}

variable "REPOSITORIES" {
  description = "Where a release goes, between commas"
  default     = "docker.io/stagecraft/dockerfile,ghcr.io/stagecraft-build/dockerfile"
}

variable "TAGS" {
  description = "Tags of a release in each repository, between commas; hack/release-tags.sh prints them"
  default     = ""
}

variable "SOURCE_DATE_EPOCH" {
  description = "The time that image and layers have, in seconds since 1970; with rewrite-timestamp=true in the output, equal sources give equal layers"
  default     = null
}

# Tags come from here; a bake file of one's own may override it.
target "meta-helper" {
  tags = TAGS == "" ? ["stagecraft/dockerfile:local"] : [
    for pair in setproduct(split(",", REPOSITORIES), split(",", TAGS)) : join(":", pair)
  ]
}

target "_common" {
  args = {
    GO_VERSION                    = GO_VERSION
    VERSION                       = VERSION
    SOURCE_DATE_EPOCH             = SOURCE_DATE_EPOCH
    BUILDKIT_CONTEXT_KEEP_GIT_DIR = 1
  }
}

group "default" {
  targets = ["image"]
}

target "image" {
  inherits    = ["_common", "meta-helper"]
  description = "The frontend image, for this platform"
  target      = "release"
  annotations = [
    "manifest:org.opencontainers.image.title=Stagecraft",
    "manifest:org.opencontainers.image.description=BuildKit frontend for Dockerfiles with programmable stages",
    "manifest:org.opencontainers.image.url=https://github.com/stagecraft-build/stagecraft",
    "manifest:org.opencontainers.image.source=https://github.com/stagecraft-build/stagecraft",
    "manifest:org.opencontainers.image.licenses=Apache-2.0",
  ]
}

target "image-local" {
  inherits    = ["image"]
  description = "The frontend image, loaded into the local Docker engine"
  output      = ["type=docker"]
}

# the platforms of docker/dockerfile
target "image-all" {
  inherits    = ["image"]
  description = "The frontend image of a release, for every platform"
  platforms = [
    "linux/386",
    "linux/amd64",
    "linux/arm/v7",
    "linux/arm64",
    "linux/mips",
    "linux/mipsle",
    "linux/mips64",
    "linux/mips64le",
    "linux/s390x",
    "linux/ppc64le",
    "linux/riscv64",
  ]
  attest = [
    "type=provenance,mode=max",
    "type=sbom",
  ]
}

target "binaries" {
  inherits    = ["_common"]
  description = "The program of the image, without the image"
  target      = "binaries"
  output      = [DESTDIR]
}

target "test" {
  inherits    = ["_common"]
  description = "The tests that need no engine"
  target      = "test"
  output      = ["type=cacheonly"]
}

target "lint" {
  inherits    = ["_common"]
  description = "golangci-lint"
  target      = "lint"
  output      = ["type=cacheonly"]
}

variable "GOVULNCHECK" {
  description = "Whether validate looks for known vulnerabilities; needs the network service with their database"
  default     = true
}

group "validate" {
  targets = concat(["lint", "validate-dockerfile", "validate-mod"], GOVULNCHECK ? ["govulncheck"] : [])
}

target "validate-dockerfile" {
  inherits    = ["_common"]
  description = "Check the Dockerfile"
  call        = "check"
}

target "validate-mod" {
  inherits    = ["_common"]
  description = "Check that go.mod and go.sum are tidy"
  target      = "mod-validate"
  output      = ["type=cacheonly"]
}

target "govulncheck" {
  inherits        = ["_common"]
  description     = "Known vulnerabilities in what the program calls"
  target          = "govulncheck"
  no-cache-filter = ["govulncheck"]
  output          = ["type=cacheonly"]
}

group "update" {
  targets = ["update-mod"]
}

target "update-mod" {
  inherits    = ["_common"]
  description = "Tidy go.mod and go.sum"
  target      = "mod-update"
  output      = ["."]
}
