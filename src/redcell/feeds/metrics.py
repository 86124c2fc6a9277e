"""What the listeners of this process have seen, for Prometheus. No label holds an id or a name."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from redcell.clock import SECOND
from redcell.feeds.mllp.counts import Counts

OUTCOMES = ("accepted", "duplicates", "held", "refused", "failed", "ignored")


class FeedCollector(Collector):
    """The counts of one listener."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts

    def collect(self) -> Iterable[Metric]:
        """The counts as they are now."""
        counts = self.counts
        messages = CounterMetricFamily(
            "redcell_mllp_messages",
            "Messages by what became of them.",
            labels=["outcome"],
        )
        for name in OUTCOMES:
            messages.add_metric([name], getattr(counts, name))
        yield messages
        for name, means, value in (
            ("received", "Messages over MLLP.", counts.received),
            ("garbage_bytes", "Bytes outside of MLLP frames.", counts.garbage),
            ("too_large", "Messages over the limit of size.", counts.too_large),
            ("turned_away", "Connections over a limit.", counts.turned_away),
            ("timed_out", "Connections that were closed for their silence.", counts.timed_out),
        ):
            yield CounterMetricFamily(f"redcell_mllp_{name}", means, value=value)
        yield GaugeMetricFamily(
            "redcell_mllp_connections", "Open MLLP connections.", value=counts.connections
        )
        yield GaugeMetricFamily(
            "redcell_mllp_last_message_seconds",
            "When the newest message came, since 1970.",
            value=counts.last_message / SECOND,
        )
