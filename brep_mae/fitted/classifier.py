"""What turns features into classes, as arrays that can be stored and that run no code: a forest, a layer, or both.

A forest that scikit-learn has grown is kept as the arrays of its trees, and answered for by these alone, so that a
model neither needs the version of scikit-learn that made it nor a pickle.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from torch import nn

LEAF = -1
"""Child of a node that has none."""


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


class Linear(Classifier):
    """Logistic regression. Shapes: weight (C, D), bias (C,)"""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self.weight, self.bias = arrays["weight"], arrays["bias"]
        self.n_classes, self.n_features = self.weight.shape
        if self.bias.shape != (self.n_classes,):
            raise ClassifierError("not as many biases as classes")

    @classmethod
    def of(cls, layer: nn.Linear) -> "Linear":
        return cls({"weight": layer.weight.detach().numpy(), "bias": layer.bias.detach().numpy()})

    def shares(self, x: np.ndarray) -> np.ndarray:
        logits = x @ self.weight.T + self.bias
        exponent = np.exp(logits - logits.max(1, keepdims=True))
        shares: np.ndarray = exponent / exponent.sum(1, keepdims=True)
        return shares

    def arrays(self) -> dict[str, np.ndarray]:
        return {"weight": self.weight, "bias": self.bias}


class Together(Classifier):
    """A forest on the first columns and a linear layer on those after them: shares that are added, the layer's
    `counts` times those of the forest."""

    def __init__(self, forest: Forest, linear: Linear, counts: float) -> None:
        if forest.n_classes != linear.n_classes:
            raise ClassifierError("forest and layer know different numbers of classes")
        self.forest, self.linear, self.counts = forest, linear, counts
        self.n_features, self.n_classes = forest.n_features + linear.n_features, forest.n_classes

    def shares(self, x: np.ndarray) -> np.ndarray:
        at = self.forest.n_features
        shares: np.ndarray = self.forest.shares(x[:, :at]) + self.counts * self.linear.shares(x[:, at:])
        return shares / (1 + self.counts)

    def arrays(self) -> dict[str, np.ndarray]:
        return self.forest.arrays() | self.linear.arrays() | {"counts": np.array(self.counts)}


def stored(arrays: Mapping[str, np.ndarray]) -> Classifier:
    """The classifier of such arrays, whichever it is. Raises ClassifierError."""
    try:
        if "counts" in arrays:
            return Together(Forest(arrays), Linear(arrays), float(arrays["counts"].item()))
        return Linear(arrays) if "weight" in arrays else Forest(arrays)
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise ClassifierError(f"not the arrays of a classifier ({error})") from None
