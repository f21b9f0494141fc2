# Every version in every variant: 36 images.
group "default" {
  targets = ["tiny"]
}

target "tiny" {
  name       = "tiny-${replace(version, ".", "-")}-${variant}-${threads}"
  matrix = {
    version = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]
    variant = ["full", "slim", "alpine"]
    threads = ["locked", "free"]
  }
  args = {
    VERSION = version
    VARIANT = variant
    THREADS = threads
  }
  tags = ["tiny:${version}-${variant}-${threads}"]
}
