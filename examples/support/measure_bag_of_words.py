"""Measure how far a bag-of-words model gets on messages.csv.

Usage: ``python measure_bag_of_words.py``. Needs scikit-learn; takes about a minute on two cores.
Features: TF-IDF of words (1-2-grams) and of characters within words (2-5-grams).
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.svm import LinearSVC

HERE = Path(__file__).parent
SEED = 0


def read_messages(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Texts, intents and customers, each of shape ``(n_messages,)``."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return (
        [row["message"] for row in rows],
        [row["intent"] for row in rows],
        [row["customer"] for row in rows],
    )


def bag_of_words(classifier: LinearSVC | LogisticRegression) -> Pipeline:
    """TF-IDF of words and characters, then a linear classifier."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(make_union(words, characters), classifier)


def main() -> None:
    """Print mean accuracy and spread over five folds, by split and classifier."""
    texts, intents, customers = read_messages(HERE / "messages.csv")
    print(f"{len(texts)} messages, {len(set(intents))} labels, {len(set(customers))} customers")
    splits = {
        "stratified": StratifiedKFold(5, shuffle=True, random_state=SEED),
        "grouped by customer": StratifiedGroupKFold(5, shuffle=True, random_state=SEED),
    }
    classifiers = {
        "linear SVC": LinearSVC(C=1.0, random_state=SEED),
        "logistic regression": LogisticRegression(C=20.0, max_iter=300),
    }
    for split_name, split in splits.items():
        for name, classifier in classifiers.items():
            model = bag_of_words(classifier)
            groups = customers if "grouped" in split_name else None
            scores = cross_val_score(model, texts, intents, groups=groups, cv=split)
            mean, spread = 100 * np.mean(scores), 100 * np.std(scores)
            print(f"{split_name:20} {name:20} accuracy {mean:5.1f} % (folds +/- {spread:.1f})")


if __name__ == "__main__":
    main()
