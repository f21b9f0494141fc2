// Command shop is a service of the example.
package main

import "fmt"

func main() { fmt.Println("shop is ready") }
