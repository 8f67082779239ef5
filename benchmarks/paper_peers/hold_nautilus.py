"""Time nautilus_trader on prices from a file; `paper_exchange.py` runs this in its environment.

Its matching engine walks every bar as four prices (open, high, low, close). The strategy stops
listening to bars once its orders stand, so no Python code of a strategy runs on the way.
"""

import json
import statistics
import sys
import time
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, ETH, USDT
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CryptoPerpetual
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

CASH, LEVERAGE, FEE_RATE = 1_000_000, 10, 0.0005
VENUE = Venue("SIM")
SIDES = {"BTCUSDT": OrderSide.BUY, "ETHUSDT": OrderSide.SELL}


class Hold(Strategy):
    """Open a long and a short, leave four orders resting, and do nothing more."""

    def on_start(self) -> None:
        """Listen for the first bars."""
        self.kinds = [bar_type(instrument) for instrument in self.cache.instruments()]
        for kind in self.kinds:
            self.subscribe_bars(kind)

    def on_bar(self, bar: Bar) -> None:
        """Open everything on this symbol, and listen no more."""
        where = bar.bar_type.instrument_id
        one = Quantity.from_str("1.000")
        self.unsubscribe_bars(bar.bar_type)
        self.submit_order(self.order_factory.market(where, SIDES[where.symbol.value], one))
        for share, side in ((0.25, OrderSide.BUY), (4.0, OrderSide.SELL)):
            price = Price(share * float(bar.close), 2)
            self.submit_order(self.order_factory.limit(where, side, one, price))


def bar_type(instrument: CryptoPerpetual) -> BarType:
    """Return the kind of bars an instrument is replayed with."""
    return BarType.from_str(f"{instrument.id}-1-HOUR-LAST-EXTERNAL")


def perpetual(name: str, base: Any) -> CryptoPerpetual:
    """Describe a linear perpetual future with a flat maintenance margin."""
    return CryptoPerpetual(
        instrument_id=InstrumentId(Symbol(name), VENUE),
        raw_symbol=Symbol(name),
        base_currency=base,
        quote_currency=USDT,
        settlement_currency=USDT,
        is_inverse=False,
        price_precision=2,
        size_precision=3,
        price_increment=Price.from_str("0.01"),
        size_increment=Quantity.from_str("0.001"),
        margin_init=Decimal(1) / LEVERAGE,
        margin_maint=Decimal("0.004"),
        maker_fee=Decimal("0.0002"),
        taker_fee=Decimal(str(FEE_RATE)),
        ts_event=0,
        ts_init=0,
    )


def run(prices: np.ndarray) -> tuple[float, BacktestEngine]:
    """Replay the bars once; give the seconds and the engine as it ended."""
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        venue=VENUE,
        oms_type=OmsType.NETTING,
        account_type=AccountType.MARGIN,
        base_currency=None,
        starting_balances=[Money(CASH, USDT)],
        default_leverage=Decimal(LEVERAGE),
    )
    index = pd.date_range("2020-01-01", periods=prices.shape[1], freq="h", tz="UTC")
    for name, base, rows in zip(SIDES, (BTC, ETH), prices, strict=True):
        instrument = perpetual(name, base)
        engine.add_instrument(instrument)
        frame = pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=index)
        frame["volume"] = 1_000.0
        engine.add_data(BarDataWrangler(bar_type(instrument), instrument).process(frame))
    engine.add_strategy(Hold())
    start = time.process_time()
    engine.run()
    return time.process_time() - start, engine


def main() -> None:
    """Run several times and print what was seen, as JSON."""
    prices = np.load(sys.argv[1])
    runs = [run(prices) for _ in range(int(sys.argv[2]))]
    engine = runs[-1][1]
    cash = engine.cache.account_for_venue(VENUE).balance_total(USDT).as_double()
    positions = [
        [1.0 if p.is_long else -1.0, p.avg_px_open, engine.cache.bar(bar_type(i)).close.as_double()]
        for i in engine.cache.instruments()
        for p in engine.cache.positions_open(instrument_id=i.id)
    ]
    open_gain = sum(side * (last - entry) for side, entry, last in positions)
    report = {
        "name": "nautilus_trader",
        "version": version("nautilus_trader"),
        "seconds": statistics.median(seconds for seconds, _ in runs),
        "orders": len(engine.cache.orders_open()),
        "positions": positions,
        "fee_rate": FEE_RATE,
        "gain": cash + open_gain - CASH,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
