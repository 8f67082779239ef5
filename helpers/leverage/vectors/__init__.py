"""Published numbers as a conformance set: any function may be held against them.

>>> from leverage.vectors import check_function, load_vectors
>>> def textbook(side, entry_price, leverage):
...     return entry_price * (1 - side / leverage)
>>> report = check_function(textbook, load_vectors("liquidation_price"))
>>> len(report.agreed) < len(report.differed)
True
"""

from leverage.vectors.conformance import Mismatch, Report, check_function
from leverage.vectors.rows import LICENCE, VERSION, Vector, load_vectors, vector_schema

__all__ = [
    "LICENCE",
    "VERSION",
    "Mismatch",
    "Report",
    "Vector",
    "check_function",
    "load_vectors",
    "vector_schema",
]
