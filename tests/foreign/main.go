// Command checklog verifies a whole log with Go's sumdb packages: the checkpoint's signature with
// golang.org/x/mod/sumdb/note, and every tile and entry with golang.org/x/mod/sumdb/tlog.
//
// Usage: checklog KEY URL, where URL is the log's prefix (http, https or file) and KEY its verifier key.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: checklog KEY URL")
		os.Exit(2)
	}
	entries, err := check(os.Args[1], strings.TrimSuffix(os.Args[2], "/"))
	if err != nil {
		fmt.Println("refused:", err)
		os.Exit(1)
	}
	fmt.Println("verified:", entries)
}

func check(key, prefix string) (int64, error) {
	tree, err := openTree(key, prefix)
	if err != nil || tree.N == 0 {
		return 0, err
	}
	reader := tlog.TileHashReader(tree, tiles{prefix})
	for first := int64(0); first < tree.N; first += 1 << height {
		width := min(tree.N-first, 1<<height)
		bundle, err := get(prefix + "/tile/entries/" + place(tlog.Tile{H: height, L: 0, N: first >> height, W: int(width)}))
		if err != nil {
			return 0, err
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		hashes, err := reader.ReadHashes(indexes)
		if err != nil {
			return 0, err
		}
		for i, want := range hashes {
			entry, rest, ok := split(bundle)
			if !ok || tlog.RecordHash(entry) != want {
				return 0, fmt.Errorf("entry %d is not the one that was sealed", first+int64(i))
			}
			bundle = rest
		}
		if len(bundle) != 0 {
			return 0, fmt.Errorf("bundle at %d has %d bytes too many", first, len(bundle))
		}
	}
	return tree.N, nil
}

// openTree reads the checkpoint. tlog.ParseTree takes the go.sum database's own first line only.
func openTree(key, prefix string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := get(prefix + "/checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func split(bundle []byte) (entry, rest []byte, ok bool) {
	if len(bundle) < 2 {
		return nil, nil, false
	}
	size := int(binary.BigEndian.Uint16(bundle))
	if len(bundle) < 2+size {
		return nil, nil, false
	}
	return bundle[2 : 2+size], bundle[2+size:], true
}

// place returns a tile's path behind its level. The go.sum database begins it with the height.
func place(tile tlog.Tile) string {
	return strings.SplitN(tile.Path(), "/", 4)[3]
}

type tiles struct{ prefix string }

func (t tiles) Height() int { return height }

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	contents := make([][]byte, len(wanted))
	for i, tile := range wanted {
		content, err := get(fmt.Sprintf("%s/tile/%d/%s", t.prefix, tile.L, place(tile)))
		if err != nil {
			return nil, err
		}
		contents[i] = content
	}
	return contents, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func get(url string) ([]byte, error) {
	if path, isFile := strings.CutPrefix(url, "file://"); isFile {
		return os.ReadFile(path)
	}
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var content bytes.Buffer
	if _, err := io.Copy(&content, answer.Body); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, answer.Status)
	}
	return content.Bytes(), nil
}
