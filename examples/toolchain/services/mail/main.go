// Command mail stands for a service.
package main

import "fmt"

func greeting() string { return "mail is ready" }

func main() { fmt.Println(greeting()) }
