// Command migrate prepares the store.
package main

import (
	"fmt"

	"monorepo/internal/store"
)

func main() { fmt.Println("migrate:", len(store.Orders()), "orders") }
