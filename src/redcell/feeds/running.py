"""The feeds of a clinic while it serves: the listener on its port, and the drop folders."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY

from redcell.feeds.channels import channel_of, channels_of
from redcell.feeds.drop_folder import DropFolder
from redcell.feeds.intake import Intake, StoreIntake
from redcell.feeds.metrics import FeedCollector
from redcell.feeds.mllp import Limits, Listener
from redcell.sources.terms import terms

if TYPE_CHECKING:
    from redcell.clinic.service import Clinic


@asynccontextmanager
async def feeds_running(
    clinic: Clinic,
    mllp: socket.socket | None,
    *,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Listener | None]:
    """Take in what comes, inside the block; what is in hand is finished at its end.

    Args:
        clinic: keeps it.
        mllp: a bound socket for HL7 v2; none, and only the drop folders are watched.
        limits: what one sender may take.
        tls: the certificate, where connections are encrypted.
    """
    intake = StoreIntake(clinic.writer)
    async with AsyncExitStack() as stack:
        for folder in drop_folders(clinic, intake):
            await stack.enter_async_context(_watched(folder))
        listener = None
        if mllp is not None:
            known = terms(clinic.basis().knowledge)
            listener = Listener(intake, channels_of(clinic.settings, known), limits, tls=tls)
            await listener.start(sock=mllp)
            stack.push_async_callback(listener.stop)
            collector = FeedCollector(listener.counts)
            REGISTRY.register(collector)
            stack.callback(REGISTRY.unregister, collector)
        yield listener


def drop_folders(clinic: Clinic, intake: Intake) -> list[DropFolder]:
    """The drop folders of the settings."""
    known = terms(clinic.basis().knowledge)
    return [
        DropFolder(clinic.folder / feed.folder, channel_of(feed, clinic.settings, known), intake)
        for feed in clinic.settings.feeds
        if feed.folder
    ]


@asynccontextmanager
async def _watched(folder: DropFolder) -> AsyncIterator[None]:
    task = asyncio.create_task(folder.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def tls_context(certificate: Path, key: Path, clients: Path | None = None) -> ssl.SSLContext:
    """TLS for a listener; with `clients`, only senders with a certificate of these authorities."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    if clients is not None:
        context.load_verify_locations(clients)
        context.verify_mode = ssl.CERT_REQUIRED
    return context
