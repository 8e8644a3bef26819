// Command verify_log checks one entry of a C2SP tlog-tiles log, over HTTP or in a folder: the signature on the
// checkpoint, and the entry's inclusion under its root. It prints `verified ORIGIN size SIZE index N`, or exits
// with 1 and a reason.
//
// With -old FILE, an earlier checkpoint that was kept, it also checks that the log of today begins with the log of
// then, and prints `extends ORIGIN from OLD to SIZE`.
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

// head reads the checkpoint called name, once its signature is good.
func head(from source, name, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("-vkey: %w", err)
	}
	text, err := from.read(name, maxCheckpoint)
	if err != nil {
		return tlog.Tree{}, err
	}
	signed, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("%s: %w", name, err)
	}
	lines := strings.Split(signed.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("%s: not a checkpoint of %s", name, verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("%s: malformed size", name)
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("%s: %w", name, err)
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

// included checks that entry n is in the tree.
func included(from source, tree tlog.Tree, n int64) error {
	if n < 0 || n >= tree.N {
		return fmt.Errorf("no entry %d in a log of %d", n, tree.N)
	}
	data, err := entry(from, tree.N, n)
	if err != nil {
		return err
	}
	proof, err := tlog.ProveRecord(tree.N, n, tlog.TileHashReader(tree, tiles{from}))
	if err != nil {
		return err
	}
	return tlog.CheckRecord(proof, tree.N, tree.Hash, n, tlog.RecordHash(data))
}

// extends checks that the tree begins with the old one.
func extends(from source, tree, old tlog.Tree) error {
	if old.N < 1 {
		return errors.New("-old: a checkpoint of an empty log says nothing")
	}
	if old.N > tree.N {
		return fmt.Errorf("the log had %d entries and has %d: it was cut back", old.N, tree.N)
	}
	proof, err := tlog.ProveTree(tree.N, old.N, tlog.TileHashReader(tree, tiles{from}))
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash); err != nil {
		return fmt.Errorf("the log of %d entries does not begin with the one of %d that was kept: %w", tree.N, old.N, err)
	}
	return nil
}

// run checks what was asked for and tells what held.
func run(from source, vkey string, index int64, kept string, tell io.Writer) error {
	tree, err := head(from, "checkpoint", vkey)
	if err != nil {
		return err
	}
	if err := included(from, tree, index); err != nil {
		return err
	}
	origin, _, _ := strings.Cut(vkey, "+")
	fmt.Fprintf(tell, "verified %s size %d index %d\n", origin, tree.N, index)
	if kept == "" {
		return nil
	}
	old, err := head(folder(filepath.Dir(kept)), filepath.Base(kept), vkey)
	if err != nil {
		return err
	}
	if err := extends(from, tree, old); err != nil {
		return err
	}
	fmt.Fprintf(tell, "extends %s from %d to %d\n", origin, old.N, tree.N)
	return nil
}

func main() {
	url := flag.String("url", "", "prefix of the log, such as http://127.0.0.1:8080/v1/ledgers/genesis/")
	dir := flag.String("dir", "", "folder of the log, in place of -url")
	vkey := flag.String("vkey", "", "the log's verifier key (name+hash+base64)")
	index := flag.Int64("index", 0, "the entry to check")
	kept := flag.String("old", "", "file with an earlier checkpoint, which the log of today has to extend")
	flag.Parse()
	if (*url == "") == (*dir == "") || *vkey == "" {
		fmt.Fprintln(os.Stderr, "verify_log: give -vkey, and one of -url and -dir")
		os.Exit(1)
	}
	var from source = folder(*dir)
	if *url != "" {
		from = &prefix{strings.TrimSuffix(*url, "/") + "/", http.Client{Timeout: 30 * time.Second}}
	}
	if err := run(from, *vkey, *index, *kept, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "verify_log:", err)
		os.Exit(1)
	}
}
