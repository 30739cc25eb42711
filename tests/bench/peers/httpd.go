// The benchmark's routes on net/http. Usage: httpd ADDRESS CERT KEY
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

type item struct {
	ID        int      `json:"id"`
	Name      string   `json:"name"`
	Price     int      `json:"price"`
	Available bool     `json:"available"`
	Tags      []string `json:"tags"`
}

var (
	text  = []byte("Hello world\n")
	piece = make([]byte, 65536)
	items []item
)

func hello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Write(text)
}

func trailer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "trailername")
	hello(w, r)
	w.Header().Set("trailername", "trailervalue")
}

func fields(w http.ResponseWriter, r *http.Request) {
	h := r.Header
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "%s,%s,%s,%s,%s,%s\n", h.Get("User-Agent"), h.Get("Accept"),
		h.Get("Accept-Language"), h.Get("X-Request-Id"), h.Get("Cookie"), r.URL.RawQuery)
}

func list(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, err := json.Marshal(map[string][]item{"items": items})
	if err != nil {
		log.Fatal(err)
	}
	w.Write(body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	io.Copy(w, r.Body)
}

func download(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < 16; i++ {
		w.Write(piece)
	}
}

func main() {
	for id := 1001; id <= 1038; id++ {
		name := fmt.Sprintf("item number %d", id)
		items = append(items, item{id, name, 1999, true, []string{"red", "large"}})
	}
	http.HandleFunc("/hello", hello)
	http.HandleFunc("/trailer", trailer)
	http.HandleFunc("/fields", fields)
	http.HandleFunc("/json", list)
	http.HandleFunc("/echo", echo)
	http.HandleFunc("/download", download)
	log.Fatal(http.ListenAndServeTLS(os.Args[1], os.Args[2], os.Args[3], nil))
}
