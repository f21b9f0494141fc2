// Command orders stands for a service.
package main

import "fmt"

func greeting() string { return "orders is ready" }

func main() { fmt.Println(greeting()) }
