// Command worker is built by the Dockerfiles of docs/reference.
package main

func main() { println("worker") }
