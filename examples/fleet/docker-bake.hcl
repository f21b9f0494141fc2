group "default" {
  targets = ["service"]
}

target "service" {
  name   = service
  matrix = { service = ["api", "shop", "mail"] }
  target = "service"
  args   = { SERVICE = service }
  tags   = ["fleet/${service}"]
}
