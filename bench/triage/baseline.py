"""What bench/triage/run leaves to scikit-learn, in a process of its own.

    baseline.py split CSV TRAIN TEST      cut the tickets: a seeded, stratified 15 % into TEST
    baseline.py plain TRAIN TEST OUT      TF-IDF with LinearSVC, as both come
    baseline.py pairs TRAIN TEST OUT      the same with pairs of neighbouring words and logarithmic counts

The last two write a CSV with the column `predicted`, and print what only the process can know as a line of JSON.
"""

import csv
import json
import sys
import time

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

KINDS = {"plain": {}, "pairs": {"ngram_range": (1, 2), "sublinear_tf": True}}
SINGLE = 2000
TEST_SHARE = 0.15
SEED = 42


def read(path):
    """The texts and labels of a CSV."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [row["Document"] for row in rows], [row["Topic_group"] for row in rows]


def split(path, train, test):
    """Cuts a CSV into two."""
    texts, labels = read(path)
    parts = train_test_split(range(len(texts)), test_size=TEST_SHARE, random_state=SEED, stratify=labels)
    for part, out in zip(parts, (train, test)):
        write(out, ["Document", "Topic_group"], ((texts[row], labels[row]) for row in part))


def write(path, headings, rows):
    """Writes a CSV."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows(rows)


def main():
    """Does what was asked for."""
    if sys.argv[1] == "split":
        split(*sys.argv[2:])
    else:
        compare(*sys.argv[1:])


def compare(kind, train, test, out):
    """Learns, predicts, writes."""
    texts, labels = read(train)
    model = make_pipeline(TfidfVectorizer(**KINDS[kind]), LinearSVC(random_state=0)).fit(texts, labels)
    trained_cpu = time.process_time()
    texts, _ = read(test)
    began = time.perf_counter()
    predicted = model.predict(texts)
    seconds = time.perf_counter() - began
    single = []
    for text in texts[:SINGLE]:
        began = time.perf_counter()
        model.predict([text])
        single.append((time.perf_counter() - began) * 1e3)
    single.sort()
    write(out, ["predicted"], ([label] for label in predicted))
    print(json.dumps({
        "cpu_s": trained_cpu, "per_s": len(texts) / seconds,
        "p50_ms": single[len(single) // 2], "p95_ms": single[len(single) * 95 // 100],
    }))  # fmt: skip


if __name__ == "__main__":
    main()
