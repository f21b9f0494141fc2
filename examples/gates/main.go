// Command sum adds its arguments.
package main

import (
	"fmt"
	"os"
	"strconv"
)

func sum(words []string) (int, error) {
	total := 0
	for _, word := range words {
		n, err := strconv.Atoi(word)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func main() {
	total, err := sum(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(total)
}
