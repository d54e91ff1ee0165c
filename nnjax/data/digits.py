"""scikit-learn's 1 797 handwritten digits: 8×8 grey, values 0 to 16, read without importing scikit-learn.

train, test = digits()
"""

import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nnjax.data.dataset import Split
from nnjax.data.dataset_spec import DIGITS_TEST

CLASS_NAMES = tuple("0123456789")


def digits() -> tuple[Split, Split]:
    """Returns the digits in two fixed splits: 1 437 to train and 360 to test with.

    Both are ordered so that every beginning holds the classes in proportion, also after `limit_train` and `limit_test`.
    """
    table = _table()
    images, labels = table[:, :-1].reshape(-1, 8, 8, 1), table[:, -1].astype(np.int32)
    order = _stratified_order(labels)
    test, train = order[:DIGITS_TEST], order[DIGITS_TEST:]
    return Split(images[train], labels[train]), Split(images[test], labels[test])


def _table() -> NDArray[np.uint8]:
    """[1797, 65] the pixels and the label of each digit.

    The file is read from the installed package without its code, because importing sklearn.datasets takes two seconds.
    """
    package = importlib.util.find_spec("sklearn")
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, np.uint8, delimiter=",")
    from sklearn.datasets import load_digits

    data = load_digits()
    return np.column_stack([data.data, data.target]).astype(np.uint8)


def _stratified_order(labels: NDArray[np.int32]) -> NDArray[np.intp]:
    """[n] a fixed random order; each beginning of it holds the classes in proportion to their sizes.

    The r-th of a class of m stands at (r + 1/2) / m of the way.
    """
    shuffled = np.random.RandomState(0).permutation(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        members = shuffled[labels[shuffled] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.argsort(place, kind="stable")
