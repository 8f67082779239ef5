"""Time backtesting.py on prices from a file; `paper_exchange.py` runs this in its environment.

backtesting.py trades one instrument, so the long and the short share it: it gets half of the
prices that the others get.
"""

import json
import statistics
import sys
import time
import warnings
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

CASH, LEVERAGE, FEE_RATE = 1_000_000.0, 10, 0.0005


class Hold(Strategy):
    """Open a long and a short, leave four orders resting, and do nothing more."""

    def init(self) -> None:
        """Nothing is open yet."""
        self.opened = False

    def next(self) -> None:
        """Open everything on the first bar."""
        if self.opened:
            return
        self.opened = True
        start = self.data.Close[-1]
        self.buy(size=1)
        self.sell(size=1)
        for share in (0.25, 0.24):
            self.buy(size=1, limit=share * start)
        for share in (4.0, 4.1):
            self.sell(size=1, limit=share * start)


def run(frame: pd.DataFrame) -> tuple[float, Any]:
    """Replay the bars once; give the seconds and the broker as it ended."""
    test = Backtest(frame, Hold, cash=CASH, margin=1 / LEVERAGE, commission=FEE_RATE, hedging=True)
    start = time.process_time()
    result = test.run()
    return time.process_time() - start, result["_strategy"]._broker


def main() -> None:
    """Run several times and print what was seen, as JSON."""
    warnings.simplefilter("ignore")
    prices = np.load(sys.argv[1])[0]
    index = pd.date_range("2020-01-01", periods=len(prices), freq="h")
    frame = pd.DataFrame(prices, columns=["Open", "High", "Low", "Close"], index=index)
    frame["Volume"] = 1.0
    runs = [run(frame) for _ in range(int(sys.argv[2]))]
    broker = runs[-1][1]
    last = float(prices[-1, 3])
    report = {
        "name": "backtesting.py",
        "version": version("backtesting"),
        "seconds": statistics.median(seconds for seconds, _ in runs),
        "orders": len(broker.orders),
        "positions": [[np.sign(t.size) * 1.0, t.entry_price, last] for t in broker.trades],
        "fee_rate": FEE_RATE,
        "gain": broker.equity - CASH,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
