// Command verify_log checks one entry of a C2SP tlog-tiles log, over HTTP or in a folder: the signature on the
// checkpoint, and the entry's inclusion under its root. It prints `verified ORIGIN size SIZE index N`, or exits
// with 1 and a reason.
package main

import (
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight    = 8
	tileWidth     = 1 << tileHeight
	maxCheckpoint = 256 << 10
	maxTile       = tileWidth * tlog.HashSize
	maxBundle     = tileWidth * (2 + 65535)
)

var errMissing = errors.New("not found")

// A source fetches a file of the log by its path.
type source interface {
	read(path string, limit int64) ([]byte, error)
}

type folder string

func (f folder) read(path string, limit int64) ([]byte, error) {
	file, err := os.Open(filepath.Join(string(f), filepath.FromSlash(path)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", path, errMissing)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file, path, limit)
}

type prefix struct {
	url    string
	client http.Client
}

func (p *prefix) read(path string, limit int64) ([]byte, error) {
	answer, err := p.client.Get(p.url + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNotFound {
		return nil, fmt.Errorf("%s: %w", path, errMissing)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the server answers %s", path, answer.Status)
	}
	return readAll(answer.Body, path, limit)
}

func readAll(r io.Reader, path string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s: longer than %d bytes", path, limit)
	}
	return data, err
}

// tiles reads hash tiles for the tlog package.
type tiles struct{ from source }

func (t tiles) Height() int                     { return tileHeight }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(names []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, name := range names {
		data, err := readTile(t.from, name, maxTile)
		if err != nil {
			return nil, err
		}
		want := name.W * tlog.HashSize
		if len(data) < want {
			return nil, fmt.Errorf("%s: cut short", path(name))
		}
		all = append(all, data[:want])
	}
	return all, nil
}

// path is the C2SP form of a tile's name: without the height, and `entries` where x/mod says `data`.
func path(name tlog.Tile) string {
	rest := strings.TrimPrefix(name.Path(), fmt.Sprintf("tile/%d/", tileHeight))
	if strings.HasPrefix(rest, "data/") {
		rest = "entries/" + strings.TrimPrefix(rest, "data/")
	}
	return "tile/" + rest
}

// readTile reads a tile; a log may have replaced a partial one by the full one.
func readTile(from source, name tlog.Tile, limit int64) ([]byte, error) {
	data, err := from.read(path(name), limit)
	if errors.Is(err, errMissing) && name.W < tileWidth {
		name.W = tileWidth
		if full, fullErr := from.read(path(name), limit); fullErr == nil {
			return full, nil
		}
	}
	return data, err
}

// head checks the checkpoint's signature and reads it.
func head(from source, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("-vkey: %w", err)
	}
	text, err := from.read("checkpoint", maxCheckpoint)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("checkpoint: not one of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errors.New("checkpoint: malformed size")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// entry reads entry n from its bundle.
func entry(from source, size, n int64) ([]byte, error) {
	name := tlog.Tile{H: tileHeight, L: -1, N: n / tileWidth, W: tileWidth}
	if left := size - name.N*tileWidth; left < tileWidth {
		name.W = int(left)
	}
	rest, err := readTile(from, name, maxBundle)
	if err != nil {
		return nil, err
	}
	for skip := n % tileWidth; ; skip-- {
		if len(rest) < 2 || len(rest)-2 < int(binary.BigEndian.Uint16(rest)) {
			return nil, fmt.Errorf("%s: cut short", path(name))
		}
		end := 2 + int(binary.BigEndian.Uint16(rest))
		if skip == 0 {
			return rest[2:end], nil
		}
		rest = rest[end:]
	}
}

func verify(from source, vkey string, n int64) (int64, error) {
	tree, err := head(from, vkey)
	if err != nil {
		return 0, err
	}
	if n < 0 || n >= tree.N {
		return 0, fmt.Errorf("no entry %d in a log of %d", n, tree.N)
	}
	data, err := entry(from, tree.N, n)
	if err != nil {
		return 0, err
	}
	proof, err := tlog.ProveRecord(tree.N, n, tlog.TileHashReader(tree, tiles{from}))
	if err != nil {
		return 0, err
	}
	return tree.N, tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(data))
}

func main() {
	url := flag.String("url", "", "prefix of the log, such as http://127.0.0.1:8080/v1/ledgers/genesis/")
	dir := flag.String("dir", "", "folder of the log, in place of -url")
	vkey := flag.String("vkey", "", "the log's verifier key (name+hash+base64)")
	index := flag.Int64("index", 0, "the entry to check")
	flag.Parse()
	if (*url == "") == (*dir == "") || *vkey == "" {
		fmt.Fprintln(os.Stderr, "verify_log: give -vkey, and one of -url and -dir")
		os.Exit(1)
	}
	var from source = folder(*dir)
	if *url != "" {
		from = &prefix{strings.TrimSuffix(*url, "/") + "/", http.Client{Timeout: 30 * time.Second}}
	}
	size, err := verify(from, *vkey, *index)
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify_log:", err)
		os.Exit(1)
	}
	origin, _, _ := strings.Cut(*vkey, "+")
	fmt.Printf("verified %s size %d index %d\n", origin, size, *index)
}
