group "default" {
  targets = ["api", "worker", "tools"]
}

target "api" {
  target = "api"
}

target "worker" {
  target = "worker"
}

target "tools" {
  target = "tools"
}
