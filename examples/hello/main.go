// Command hello is a web service that greets.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

// version is set by the Dockerfile.
var version = "devel"

func main() {
	once := flag.Bool("once", false, "print the greeting and exit")
	flag.Parse()
	if *once {
		fmt.Print(greeting("world"))
		return
	}
	addr := ":" + cmp.Or(os.Getenv("PORT"), "8080")
	log.Printf("hello %s listens on %s", version, addr)
	log.Fatal(http.ListenAndServe(addr, handler()))
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{name...}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, greeting(cmp.Or(r.PathValue("name"), "world")))
	})
	return mux
}

func greeting(name string) string {
	return fmt.Sprintf("Hello, %s, from version %s.\n", name, version)
}
