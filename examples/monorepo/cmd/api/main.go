// Command api lists the orders.
package main

import (
	"fmt"
	"strings"

	"monorepo/internal/store"
)

func main() { fmt.Println("api:", strings.Join(store.Orders(), ", ")) }
