"""How often somebody may try: a few times a minute, then they wait.

Counted in this process, in memory: with several processes a guesser has that many times as often.
"""

from __future__ import annotations

from fastapi import HTTPException, Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

SIGN_IN = RateLimitItemPerMinute(5)
"""For one account from one address."""
ACCOUNT = RateLimitItemPerMinute(20)
"""For one account from everywhere: many addresses guess slowly, and lock nobody out for long."""
ADDRESS = RateLimitItemPerMinute(60)
"""For one address, whatever the account."""


class Rates:
    """The counters of an application."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    def refuses(self, limit: RateLimitItem, *who: str) -> int:
        """Count one more try; how many seconds to wait, 0 when it is within the limit."""
        if self._limiter.hit(limit, *who):
            return 0
        return max(1, limit.get_expiry())

    def forget(self, limit: RateLimitItem, *who: str) -> None:
        """Begin anew for somebody who proved who they are."""
        self._limiter.clear(limit, *who)


def attempt(request: Request, account: str) -> None:
    """Count a try to sign in, before any password is looked at.

    Raises:
        HTTPException: 429 with Retry-After.
    """
    origin = request.state.caller.origin
    account = account.strip().casefold()
    tries = (
        (ADDRESS, ("address", origin)),
        (ACCOUNT, ("account", account)),
        (SIGN_IN, ("sign-in", account, origin)),
    )
    rates: Rates = request.app.state.rates
    for limit, who in tries:
        if limit is not ADDRESS and not account:
            continue
        wait = rates.refuses(limit, *who)
        if wait:
            raise HTTPException(429, "too-many", {"Retry-After": str(wait)})


def proved(request: Request, account: str) -> None:
    """The account's owner signed in: their earlier tries no longer count."""
    rates: Rates = request.app.state.rates
    rates.forget(SIGN_IN, "sign-in", account.strip().casefold(), request.state.caller.origin)
