// Command mail is a service of the example.
package main

import "fmt"

func main() { fmt.Println("mail is ready") }
