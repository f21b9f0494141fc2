// Command worker works the orders off.
package main

import (
	"fmt"

	"monorepo/internal/store"
)

func main() {
	for _, order := range store.Orders() {
		fmt.Println("worker: made", order)
	}
}
