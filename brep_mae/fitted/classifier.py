"""What turns features into classes, as arrays that can be stored and that run no code: a forest, a layer, or both.

A forest that scikit-learn has grown is kept as the arrays of its trees, and answered for by these alone, so that a
model neither needs the version of scikit-learn that made it nor a pickle.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from torch import nn

LEAF = -1
"""Child of a node that has none."""
PARTS = "first.", "second."
"""Before the names of the arrays of two classifiers that are stored as one."""


class ClassifierError(ValueError):
    """Arrays are no classifier; the message says why."""


class Classifier(ABC):
    """Features (R, D) -> shares of C classes (R, C), each in [0, 1]; where a row has one class their sum is 1."""

    n_features: int
    n_classes: int

    @abstractmethod
    def shares(self, x: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """What `stored` makes the same classifier of."""

    @abstractmethod
    def reordered(self, classes: Sequence[int]) -> "Classifier":
        """The same answers with the classes in another order: first what was class `classes[0]`."""


class Forest(Classifier):
    """Trees on single features: a row goes left where its feature is at most the threshold.

    Shapes: M nodes of all trees one after the other, the root of each first and every child after its parent;
        feature (M,) int32 in [0, D); threshold (M,) float64; left, right (M,) int32 numbers of nodes, LEAF where there
        is none; share (M, C) float32 of the classes at a leaf; root (T,) int32; width () = D
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.feature, self.threshold, self.share = arrays["feature"], arrays["threshold"], arrays["share"]
        self.left, self.right, self.root = arrays["left"], arrays["right"], arrays["root"]
        self.n_features, self.n_classes = int(arrays["width"].item()), self.share.shape[1]
        number, inner = np.arange(len(self.feature)), self.left != LEAF
        for child in (self.left[inner], self.right[inner]):
            if not ((child > number[inner]) & (child < len(number))).all():
                raise ClassifierError("a node's child does not come after it")
        if not ((self.feature >= 0) & (self.feature < self.n_features)).all() or not len(self.root):
            raise ClassifierError("a node asks for a feature that there is not")

    @classmethod
    def of(cls, grown: ExtraTreesClassifier, n_classes: int) -> "Forest":
        """The same answers as scikit-learn's, for classes 0 to n_classes - 1 of which it may know some alone."""
        values = np.concatenate([estimator.tree_.value[:, 0] for estimator in grown.estimators_])
        share = np.zeros((len(values), n_classes), np.float32)
        share[:, grown.classes_] = values / values.sum(1, keepdims=True)
        return cls._of(grown, share)

    @classmethod
    def of_several(cls, grown: ExtraTreesRegressor) -> "Forest":
        """The means of a forest that has learned numbers in [0, 1], one for each class that a row may show."""
        values = np.concatenate([estimator.tree_.value[:, :, 0] for estimator in grown.estimators_])
        return cls._of(grown, values.astype(np.float32))

    @classmethod
    def _of(cls, grown: ExtraTreesClassifier | ExtraTreesRegressor, share: np.ndarray) -> "Forest":
        trees = [estimator.tree_ for estimator in grown.estimators_]
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])

        def moved(name: str) -> np.ndarray:
            parts = [(getattr(t, name), start) for t, start in zip(trees, starts[:-1], strict=True)]
            return np.concatenate([np.where(a == LEAF, LEAF, a + start) for a, start in parts]).astype(np.int32)

        return cls(
            {
                "feature": np.concatenate([tree.feature for tree in trees]).clip(0).astype(np.int32),
                "threshold": np.concatenate([tree.threshold for tree in trees]),
                "left": moved("children_left"),
                "right": moved("children_right"),
                "root": starts[:-1].astype(np.int32),
                "share": share,
                "width": np.array(grown.n_features_in_),
            }
        )

    def shares(self, x: np.ndarray) -> np.ndarray:
        x, rows = x.astype(np.float32), np.arange(len(x))
        total = np.zeros((len(x), self.n_classes))
        for root in self.root:
            node = np.full(len(x), root)
            while len(going := np.flatnonzero(self.left[node] != LEAF)):
                at = node[going]
                low = x[rows[going], self.feature[at]] <= self.threshold[at]
                node[going] = np.where(low, self.left[at], self.right[at])
            total += self.share[node]
        return total / len(self.root)

    def arrays(self) -> dict[str, np.ndarray]:
        names = ("feature", "threshold", "left", "right", "root", "share")
        return {name: getattr(self, name) for name in names} | {"width": np.array(self.n_features)}

    def reordered(self, classes: Sequence[int]) -> "Forest":
        return Forest(self.arrays() | {"share": self.share[:, classes]})


class Linear(Classifier):
    """Logistic regression. Shapes: weight (C, D), bias (C,)"""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weight, self.bias = arrays["weight"], arrays["bias"]
        self.n_classes, self.n_features = self.weight.shape
        if self.bias.shape != (self.n_classes,):
            raise ClassifierError("not as many biases as classes")

    @classmethod
    def of(cls, layer: nn.Linear, passed_over: int = 0) -> "Linear":
        """That of torch, which reads what comes after so many features."""
        weight = layer.weight.detach().numpy()
        nothing = np.zeros((len(weight), passed_over), weight.dtype)
        return cls({"weight": np.concatenate([nothing, weight], 1), "bias": layer.bias.detach().numpy()})

    def shares(self, x: np.ndarray) -> np.ndarray:
        logits = x @ self.weight.T + self.bias
        exponent = np.exp(logits - logits.max(1, keepdims=True))
        shares: np.ndarray = exponent / exponent.sum(1, keepdims=True)
        return shares

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight, "bias": self.bias}

    def reordered(self, classes: Sequence[int]) -> "Linear":
        order = list(classes)
        return Linear({"weight": self.weight[order], "bias": self.bias[order]})


class Together(Classifier):
    """Two that read features from the first one on: their shares are added, those of the second `counts` times."""

    def __init__(self, first: Classifier, second: Classifier, counts: float) -> None:
        if first.n_classes != second.n_classes:
            raise ClassifierError("the two know different numbers of classes")
        self.both, self.counts = (first, second), counts
        self.n_features, self.n_classes = max(first.n_features, second.n_features), first.n_classes

    def shares(self, x: np.ndarray) -> np.ndarray:
        first, second = (one.shares(x[:, : one.n_features]) for one in self.both)
        shares: np.ndarray = first + self.counts * second
        return shares / (1 + self.counts)

    def arrays(self) -> dict[str, np.ndarray]:
        parts = zip(PARTS, self.both, strict=True)
        each = {f"{part}{name}": array for part, one in parts for name, array in one.arrays().items()}
        return each | {"counts": np.array(self.counts)}

    def reordered(self, classes: Sequence[int]) -> "Together":
        first, second = self.both
        return Together(first.reordered(classes), second.reordered(classes), self.counts)


def stored(arrays: Mapping[str, np.ndarray]) -> Classifier:
    """The classifier of such arrays, whichever it is. Raises ClassifierError."""
    try:
        return _made(arrays)
    except (KeyError, IndexError, ValueError, TypeError, RecursionError) as error:
        raise ClassifierError(f"not the arrays of a classifier ({error})") from None


def _made(arrays: Mapping[str, np.ndarray]) -> Classifier:
    if "counts" in arrays:
        first, second = (
            _made({name.removeprefix(part): array for name, array in arrays.items() if name.startswith(part)})
            for part in PARTS
        )
        return Together(first, second, float(arrays["counts"].item()))
    return Linear(arrays) if "weight" in arrays else Forest(arrays)
