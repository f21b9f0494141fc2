// Counts the internal and external links of the page at $url.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"

	"golang.org/x/net/html"
)

type counts struct {
	Internal int `json:"internal"`
	External int `json:"external"`
}

func main() {
	page, err := url.Parse(os.Getenv("url"))
	if err != nil {
		log.Fatal(err)
	}
	res, err := http.Get(page.String())
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	doc, err := html.Parse(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	var c counts
	c.add(page, doc)
	json.NewEncoder(os.Stdout).Encode(c)
}

func (c *counts) add(page *url.URL, n *html.Node) {
	if n.Type == html.ElementNode && n.Data == "a" {
		for _, attr := range n.Attr {
			if attr.Key != "href" {
				continue
			}
			if link, err := page.Parse(attr.Val); err == nil && link.Host == page.Host {
				c.Internal++
			} else {
				c.External++
			}
		}
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		c.add(page, child)
	}
}
