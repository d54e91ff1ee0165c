"""Tables as pandas has them, without pandas."""

import numpy as np


class NamedTable:
    """An array whose columns have names."""

    def __init__(self, columns, values):
        self.columns, self.values = columns, np.asarray(values)
        self.shape = self.values.shape

    def __len__(self):
        return len(self.values)

    def __getitem__(self, columns):
        """The table with these columns."""
        return NamedTable(columns, self.values[:, [list(self.columns).index(column) for column in columns]])

    def __array__(self, dtype=None, copy=None):
        return self.values
