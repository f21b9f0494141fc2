group "default" {
  targets = ["variant"]
}

target "variant" {
  name = "${distro}${debug == "" ? "" : "-debug"}"
  matrix = {
    distro = ["alpine", "debian", "none"]
    debug  = ["", "1"]
  }
  args = {
    DISTRO = distro
    DEBUG  = debug
  }
}
