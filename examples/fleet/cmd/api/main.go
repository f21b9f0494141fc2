// Command api is a service of the example.
package main

import "fmt"

func main() { fmt.Println("api is ready") }
