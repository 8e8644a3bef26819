package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A key that signs whatever it is asked to: the operator of a log who wants to rewrite it.
type dishonest struct {
	signer note.Signer
	vkey   string
}

func newDishonest(t *testing.T) dishonest {
	t.Helper()
	secret, vkey, err := note.GenerateKey(rand.Reader, "echo.local/test/1")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return dishonest{signer, vkey}
}

// publish writes a log of the entries into a new folder: the checkpoint, one tile and one bundle.
func (d dishonest) publish(t *testing.T, entries ...string) string {
	t.Helper()
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var found []tlog.Hash
		for _, index := range indexes {
			found = append(found, stored[index])
		}
		return found, nil
	})
	var tile, bundle []byte
	for n, text := range entries {
		hashes, err := tlog.StoredHashes(int64(n), []byte(text), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
		tile = append(tile, hashes[0][:]...)
		bundle = append(append(bundle, 0, byte(len(text))), text...)
	}
	size := len(entries)
	root, err := tlog.TreeHash(int64(size), reader)
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", d.signer.Name(), size, base64.StdEncoding.EncodeToString(root[:]))
	checkpoint, err := note.Sign(&note.Note{Text: text}, d.signer)
	if err != nil {
		t.Fatal(err)
	}
	log := t.TempDir()
	for path, bytes := range map[string][]byte{
		"checkpoint":                               checkpoint,
		fmt.Sprintf("tile/0/000.p/%d", size):       tile,
		fmt.Sprintf("tile/entries/000.p/%d", size): bundle,
	} {
		path = filepath.Join(log, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func TestARewrittenLogIsRefusedThoughItsOwnKeySignedIt(t *testing.T) {
	operator := newDishonest(t)
	old := filepath.Join(operator.publish(t, "a", "b", "c"), "checkpoint")
	honest := operator.publish(t, "a", "b", "c", "d", "e")
	var told strings.Builder
	if err := run(folder(honest), operator.vkey, 4, old, &told); err != nil {
		t.Fatal(err)
	}
	want := "verified echo.local/test/1 size 5 index 4\nextends echo.local/test/1 from 3 to 5\n"
	if told.String() != want {
		t.Errorf("told %q", told.String())
	}
	for name, rewritten := range map[string]string{
		"another second entry": operator.publish(t, "a", "B", "c", "d", "e"),
		"two entries swapped":  operator.publish(t, "b", "a", "c", "d"),
		"the last one changed": operator.publish(t, "a", "b", "C"),
		"cut back":             operator.publish(t, "a", "b"),
	} {
		if err := run(folder(rewritten), operator.vkey, 0, "", io.Discard); err != nil {
			t.Errorf("%s: it should hold for who has not kept the old checkpoint: %v", name, err)
		}
		err := run(folder(rewritten), operator.vkey, 0, old, io.Discard)
		if err == nil || !strings.Contains(err.Error(), "the log ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnOldCheckpointWithAnotherRootIsRefused(t *testing.T) {
	operator, stranger := newDishonest(t), newDishonest(t)
	log := operator.publish(t, "a", "b", "c", "d")
	kept := filepath.Join(operator.publish(t, "a", "b"), "checkpoint")
	text, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(text), "\n", 4)
	lines[2] = base64.StdEncoding.EncodeToString(make([]byte, tlog.HashSize))
	forged := filepath.Join(t.TempDir(), "forged")
	if err := os.WriteFile(forged, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(stranger.publish(t, "a", "b"), "checkpoint")
	for _, bad := range []string{forged, theirs} {
		if err := run(folder(log), operator.vkey, 0, bad, io.Discard); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
