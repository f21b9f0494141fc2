// An extremely basic web service.
package main

import (
	"cmp"
	"fmt"
	"log"
	"net/http"
	"os"
)

func greet(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "Hello, DockerCon!") }

func main() {
	http.HandleFunc("/", greet)
	log.Fatal(http.ListenAndServe(":"+cmp.Or(os.Getenv("PORT"), "8080"), nil))
}
