group "default" {
  targets = ["service"]
}

target "service" {
  name = service
  matrix = {
    service = ["orders", "mail", "web"]
  }
  dockerfile = "services/${service}/Dockerfile"
}
