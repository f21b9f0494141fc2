// Package store is what the programs share.
package store

// Orders are the orders to work off.
func Orders() []string { return []string{"tea", "coffee"} }
