"""pandas for the functions that give tables, imported when one is called.

>>> from leverage._pandas import pd
>>> pd.Series([1, 2]).tolist()
[1, 2]
"""

from leverage._extras import needs

needs("lessons", "pandas")

import pandas as pd  # noqa: E402  # after the sentence that says where to get it

__all__ = ["pd"]
