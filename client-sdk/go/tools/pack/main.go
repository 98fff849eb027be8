// pack lays modules into a folder that serves as a module proxy (GOPROXY=file://...), as a release would be found there:
//
//	pack PROXY VERSION MODULE=FOLDER...
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 4 {
		log.Fatal("usage: pack PROXY VERSION MODULE=FOLDER...")
	}
	for _, argument := range os.Args[3:] {
		path, folder, _ := strings.Cut(argument, "=")
		if err := pack(os.Args[1], module.Version{Path: path, Version: os.Args[2]}, folder); err != nil {
			log.Fatalf("pack %s: %v", argument, err)
		}
	}
}

func pack(proxy string, m module.Version, folder string) error {
	escaped, err := module.EscapePath(m.Path)
	if err != nil {
		return err
	}
	versions := filepath.Join(proxy, escaped, "@v")
	if err := os.MkdirAll(versions, 0o755); err != nil {
		return err
	}
	goMod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"list":              []byte(m.Version + "\n"),
		m.Version + ".info": fmt.Appendf(nil, `{"Version":%q,"Time":"2026-01-01T00:00:00Z"}`, m.Version),
		m.Version + ".mod":  goMod,
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(versions, name), content, 0o644); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(versions, m.Version+".zip"))
	if err != nil {
		return err
	}
	if err := zip.CreateFromDir(archive, m, folder); err != nil {
		return err
	}
	return archive.Close()
}
