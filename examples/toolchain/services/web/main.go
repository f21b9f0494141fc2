// Command web stands for a service.
package main

import "fmt"

func greeting() string { return "web is ready" }

func main() { fmt.Println(greeting()) }
