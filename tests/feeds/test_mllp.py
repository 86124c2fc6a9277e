"""The listener on a real socket: order, duplicates, limits, time, stopping, damage."""

from __future__ import annotations

import asyncio
import random  # noqa: TID251  (seeded)
import resource
import ssl
import subprocess
from collections.abc import Awaitable, Callable

import pytest

from feeds.messages import adt, cbc, obr, obx, oru, pid
from redcell.feeds.channels import Channel, Channels
from redcell.feeds.intake import Arrival, Outcome
from redcell.feeds.mllp import Limits, Listener
from redcell.feeds.mllp.framing import Framer, framed
from redcell.sources.as_fhir import Authorities
from redcell.sources.translated import FAULT

AT = 1_795_000_000_000_000


class Memory:
    """An intake that keeps in memory, by the rules of the store's; it can be slow or fail."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.arrivals: list[Arrival] = []
        self.pause = 0.0
        self.failing = False
        self.gate: asyncio.Event | None = None

    async def submit(self, arrival: Arrival) -> Outcome:
        self.arrivals.append(arrival)
        if self.pause:
            await asyncio.sleep(self.pause)
        if self.gate is not None:
            await self.gate.wait()
        if self.failing:
            raise OSError("the disk is full")
        if arrival.translated.refusal is not None:
            return Outcome("refused", arrival.translated.refusal.text)
        if arrival.key not in self.kept:
            self.kept[arrival.key] = arrival.body
            return Outcome("accepted")
        if self.kept[arrival.key] == arrival.body:
            return Outcome("duplicate")
        return Outcome("held", "this identifier came before with other content")


class Peer:
    """A plain client: writes bytes, reads answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.framer = reader, writer, Framer()
        self.waiting: list[bytes] = []

    async def send(self, *messages: bytes) -> None:
        self.writer.write(b"".join(framed(m) for m in messages))
        await self.writer.drain()

    async def answer(self) -> bytes:
        while not self.waiting:
            data = await asyncio.wait_for(self.reader.read(65536), 10)
            if not data:
                raise ConnectionError("closed")
            self.waiting += self.framer.feed(data)
        return self.waiting.pop(0)

    async def code(self) -> str:
        """MSA-1 and MSA-2 of the next answer."""
        answer = (await self.answer()).decode("utf-8", "replace")
        return next(line for line in answer.split("\r") if line.startswith("MSA"))[4:].rstrip("|")

    async def closed(self) -> bool:
        try:
            return not await asyncio.wait_for(self.reader.read(1), 5)
        except ConnectionError:
            return True


def running(
    test: Callable[[Listener, Memory, Callable[[], Awaitable[Peer]]], Awaitable[None]],
    limits: Limits | None = None,
    *channels: Channel,
    tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
) -> tuple[Listener, Memory]:
    """Run a test against a listener of its own."""

    async def main():
        intake = Memory()
        listener = Listener(
            intake, Channels(channels or [Channel()]), limits, tls=tls and tls[0], now=lambda: AT
        )
        await listener.start()
        peers: list[Peer] = []

        async def connect() -> Peer:
            pair = await asyncio.open_connection(
                "127.0.0.1", listener.port, ssl=tls and tls[1], server_hostname=tls and "localhost"
            )
            peers.append(Peer(*pair))
            return peers[-1]

        try:
            await test(listener, intake, connect)
        finally:
            for peer in peers:
                peer.writer.close()
            await listener.stop()
        assert listener.counts.connections == 0
        return listener, intake

    return asyncio.run(main())


# -- answers ---------------------------------------------------------------------------------------


def test_a_message_is_kept_and_then_acknowledged():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx()))
        assert await peer.code() == "AA|M1"
        (arrival,) = intake.arrivals
        assert (arrival.feed, arrival.form, arrival.key) == ("lab", "hl7v2", "LAB|HOSP|M1")
        assert (arrival.body, arrival.received_at) == (cbc(obx()), AT)
        assert len(arrival.translated.resources) == 2
        counts = listener.counts
        assert (counts.received, counts.accepted, counts.last_message) == (1, 1, AT)

    running(test)


@pytest.mark.trust("P1", "A1")
def test_nothing_is_acknowledged_before_it_is_kept():
    async def test(listener, intake, connect):
        intake.gate = asyncio.Event()
        peer = await connect()
        await peer.send(cbc(obx()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.reader.read(1), 0.2)
        intake.gate.set()
        assert await peer.code() == "AA|M1"

    running(test)


@pytest.mark.trust("P1")
def test_what_cannot_be_kept_is_not_acknowledged_as_kept():
    async def test(listener, intake, connect):
        intake.failing = True
        peer = await connect()
        await peer.send(cbc(obx()))
        assert await peer.code() == "AE|M1|it could not be kept now; send it again"
        intake.failing = False
        await peer.send(cbc(obx()))
        assert (await peer.code()).startswith("AA|M1")
        assert listener.counts.failed == 1

    running(test)


@pytest.mark.trust("D3")
def test_a_resend_has_one_effect_and_other_content_under_one_name_is_held():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx()), cbc(obx()), cbc(obx("6.1")))
        assert await peer.code() == "AA|M1"
        assert await peer.code() == "AA|M1"
        assert (await peer.code()).startswith("AE|M1|this identifier came before")
        counts = listener.counts
        assert (counts.accepted, counts.duplicates, counts.held) == (1, 1, 1)

    running(test)


def test_test_messages_are_rejected_unless_the_feed_is_a_test_feed():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx(), mode="T"))
        assert (await peer.code()).startswith("AR|M1|MSH-11 is T")
        assert listener.counts.refused == 1
        trial = cbc(obx(), mode="T").replace(b"|LAB|", b"|TRIAL|")
        await peer.send(trial)
        assert await peer.code() == "AA|M1"
        assert intake.arrivals[-1].feed == "trial"

    running(test, None, Channel(), Channel("trial", allow_test=True))


@pytest.mark.parametrize(
    ("data", "code"),
    [(cbc(obx(), kind="MDM^T02"), "AR|M1"), (cbc(obx(), version="2.2"), "AR|M1"),
     (cbc(obx(), charset="KLINGON"), "AE|M1"), (oru(obr(), obx()), "AE|M1"), (b"hello", "AE|"),
     (adt("A08", pid(), "PV1|1|I"), "AA|M1"), (adt("A40", pid(), "MRG|9^^^HOSP^MR"), "AA|M1"),
     (adt("A40", pid()), "AE|M1"), (cbc(obx(), control=""), "AA")],
)  # fmt: skip
def test_each_kind_of_message_has_its_answer(data, code):
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(data)
        assert (await peer.code()).startswith(code)

    running(test)


def test_the_two_answers_of_the_enhanced_mode_come_in_their_order():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(
            cbc(obx(), wants=("AL", "AL")), cbc(obx(), control="M2", wants=("AL", "NE"))
        )
        assert [await peer.code() for _ in range(3)] == ["CA|M1", "AA|M1", "CA|M2"]
        await peer.send(cbc(obx(), control="M3", wants=("NE", "NE")), cbc(obx(), control="M4"))
        assert await peer.code() == "AA|M4"
        assert len(intake.arrivals) == 4

    running(test)


def test_an_acknowledgment_is_never_answered():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx(), kind="ACK", control="A1"), cbc(obx()))
        assert await peer.code() == "AA|M1"
        assert listener.counts.ignored == 1

    running(test)


def test_the_feed_is_chosen_by_the_sender():
    east = Channel("EAST", authorities=Authorities(default="urn:east"))

    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx()), cbc(obx()).replace(b"|HOSP|RC", b"|East|RC"))
        await peer.code()
        await peer.code()
        assert [a.feed for a in intake.arrivals] == ["lab", "EAST"]

    running(test, None, Channel("lab"), east)


# -- the stream ------------------------------------------------------------------------------------


def test_fragments_several_at_once_and_garbage():
    async def test(listener, intake, connect):
        peer = await connect()
        stream = b"noise" + framed(cbc(obx())) + b"\r\n" + framed(cbc(obx("8"), control="M2"))
        for byte in stream:
            peer.writer.write(bytes([byte]))
            await peer.writer.drain()
        assert [await peer.code(), await peer.code()] == ["AA|M1", "AA|M2"]
        assert listener.counts.garbage == 7

    running(test)


@pytest.mark.trust("L4")
def test_two_messages_in_one_frame_are_two():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx()) + cbc(obx("8"), control="M2"))
        assert [await peer.code(), await peer.code()] == ["AA|M1", "AA|M2"]
        assert len(intake.arrivals) == 2

    running(test)


def test_answers_keep_the_order_of_the_messages_although_they_are_kept_at_once():
    async def test(listener, intake, connect):
        peer = await connect()
        intake.pause = 0.01
        names = [f"M{n}" for n in range(200)]
        await peer.send(*(cbc(obx(), control=name) for name in names))
        assert [await peer.code() for _ in names] == [f"AA|{name}" for name in names]

    running(test, Limits(in_hand=16))


@pytest.mark.trust("L4")
def test_a_sender_that_leaves_before_the_answer_leaves_its_message_here():
    async def test(listener, intake, connect):
        intake.gate = asyncio.Event()
        peer = await connect()
        await peer.send(cbc(obx()))
        while not intake.arrivals:
            await asyncio.sleep(0.01)
        peer.writer.transport.abort()
        intake.gate.set()
        again = await connect()
        await again.send(cbc(obx()))
        assert await again.code() == "AA|M1"
        assert list(intake.kept) == ["LAB|HOSP|M1"]
        assert listener.counts.duplicates == 1

    running(test)


def test_a_sender_that_ends_its_side_still_hears_the_answer():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx()))
        peer.writer.write_eof()
        assert await peer.code() == "AA|M1"
        assert await peer.closed()

    running(test)


@pytest.mark.trust("L4")
def test_random_disconnects_before_the_answer_have_one_effect_each():
    chance = random.Random(8)  # noqa: S311  (a seeded test)
    names = [f"M{n}" for n in range(150)]

    async def deliver(connect, name: str) -> None:
        """Send until an answer came, as senders do."""
        while True:
            peer = await connect()
            try:
                await peer.send(cbc(obx(f"{7 + len(name)}"), control=name))
                if chance.random() < 0.4:
                    await asyncio.sleep(chance.random() * 0.01)
                    peer.writer.transport.abort()
                    continue
                assert await peer.code() == f"AA|{name}"
                return
            finally:
                peer.writer.close()

    async def test(listener, intake, connect):
        intake.pause = 0.002
        for start in range(0, len(names), 10):
            await asyncio.gather(*(deliver(connect, n) for n in names[start : start + 10]))
        assert set(intake.kept) == {f"LAB|HOSP|{name}" for name in names}
        assert listener.counts.accepted == len(names)
        assert listener.counts.duplicates > 10
        assert listener.counts.held == 0

    running(test)


# -- limits and time -------------------------------------------------------------------------------


@pytest.mark.trust("L4")
def test_a_frame_without_an_end_closes_the_connection():
    async def test(listener, intake, connect):
        peer = await connect()
        peer.writer.write(b"\x0bMSH|^~\\&|")
        assert await peer.closed()
        assert listener.counts.timed_out == 1
        assert intake.arrivals == []

    running(test, Limits(frame_seconds=0.3, idle_seconds=5))


@pytest.mark.trust("L4")
def test_a_slow_sender_has_no_more_time_than_a_silent_one():
    async def test(listener, intake, connect):
        peer = await connect()
        sent = 0
        for byte in framed(cbc(obx())):
            if peer.reader.at_eof():
                break
            peer.writer.write(bytes([byte]))
            sent += 1
            await asyncio.sleep(0.02)
        assert sent < 100
        assert intake.arrivals == []

    running(test, Limits(frame_seconds=0.4, idle_seconds=5))


@pytest.mark.trust("L4")
def test_an_idle_connection_is_closed_and_a_working_one_is_not():
    async def test(listener, intake, connect):
        idle, busy = await connect(), await connect()
        for number in range(6):
            await busy.send(cbc(obx(), control=f"M{number}"))
            assert await busy.code() == f"AA|M{number}"
            await asyncio.sleep(0.1)
        assert await idle.closed()
        assert listener.counts.timed_out == 1

    running(test, Limits(idle_seconds=0.4))


@pytest.mark.trust("L4")
def test_many_idle_connections_do_not_disturb_the_others():
    most = min(1500, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)

    async def test(listener, intake, connect):
        for _ in range(most // 50):
            await asyncio.gather(*(connect() for _ in range(50)))
        peer = await connect()
        await peer.send(cbc(obx()))
        assert await peer.code() == "AA|M1"
        assert listener.counts.connections > 200

    running(test, Limits(per_address=10_000, connections=10_000))


@pytest.mark.trust("L4", "L2")
def test_one_address_has_only_so_many_connections():
    async def test(listener, intake, connect):
        peers = [await connect() for _ in range(4)]
        assert await peers[3].closed()
        assert listener.counts.turned_away == 1
        peers[0].writer.close()
        while listener.counts.connections > 2:
            await asyncio.sleep(0.01)
        again = await connect()
        await again.send(cbc(obx()))
        assert await again.code() == "AA|M1"

    running(test, Limits(per_address=3))


@pytest.mark.trust("F2", "L4")
def test_a_message_past_the_limit_is_rejected_and_the_connection_closed():
    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx()), cbc(obx("x" * 5000), control="M2"))
        assert await peer.code() == "AA|M1"
        assert await peer.code() == "AR|M2|the message is larger than 2000 bytes"
        assert await peer.closed()
        assert listener.counts.too_large == 1

    running(test, Limits(largest=2000))


def test_a_large_message_is_read_beside_the_others():
    many = [
        obx(str(100 + n % 50), "10*3/uL", "777-3^Plt^LN", sub=str(n), span="") for n in range(3000)
    ]

    async def test(listener, intake, connect):
        slow, quick = await connect(), await connect()
        await slow.send(oru(pid(), obr(), *many, control="BIG"))
        await quick.send(cbc(obx()))
        assert await quick.code() == "AA|M1"
        assert await slow.code() == "AA|BIG"
        assert len(intake.arrivals[-1].translated.resources) in (2, 3001)

    running(test)


def test_a_sender_that_takes_no_answers_is_cut_off():
    async def test(listener, intake, connect):
        peer = await connect()
        peer.writer.transport.pause_reading()
        body = cbc(obx(), control="M" * 30_000)  # comes back in the answer

        async def flood() -> None:
            async with asyncio.timeout(30):
                while True:
                    await peer.send(*[body] * 10)

        with pytest.raises(ConnectionError):
            await flood()

    running(test, Limits(answer_seconds=0.3))


# -- stopping --------------------------------------------------------------------------------------


def test_stopping_answers_what_is_in_hand_and_takes_nothing_new():
    async def test(listener, intake, connect):
        intake.gate = asyncio.Event()
        peer, idle = await connect(), await connect()
        await peer.send(cbc(obx()))
        while not intake.arrivals:
            await asyncio.sleep(0.01)
        stopping = asyncio.create_task(listener.stop())
        await asyncio.sleep(0.05)
        peer.writer.write(framed(cbc(obx(), control="M2")))
        intake.gate.set()
        await stopping
        assert await peer.code() == "AA|M1"
        assert await peer.closed()
        assert await idle.closed()
        assert len(intake.arrivals) == 1

    running(test)


def test_stopping_waits_only_so_long():
    async def test(listener, intake, connect):
        intake.gate = asyncio.Event()
        peer = await connect()
        await peer.send(cbc(obx()))
        while not intake.arrivals:
            await asyncio.sleep(0.01)
        await asyncio.wait_for(listener.stop(), 3)
        assert await peer.closed()

    running(test, Limits(drain_seconds=0.2))


# -- TLS -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost of its own."""
    folder = tmp_path_factory.mktemp("tls")
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl cannot make a certificate here")
    return folder


@pytest.mark.trust("L4")
def test_an_encrypted_connection(certificate):
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    client = ssl.create_default_context(cafile=certificate / "cert.pem")

    async def test(listener, intake, connect):
        peer = await connect()
        await peer.send(cbc(obx()), cbc(obx(), control="M2"))
        assert [await peer.code(), await peer.code()] == ["AA|M1", "AA|M2"]

    running(test, tls=(server, client))


# -- damage ----------------------------------------------------------------------------------------

PIECES = (
    *(
        b"|",
        b"^",
        b"~",
        b"\\",
        b"&",
        b"\r",
        b"\n",
        b"\x0b",
        b"\x1c",
        b"\x1c\r",
        b"MSH",
        b"\rMSH|",
        b"PID|",
    ),
    *(b"OBX|1|", b"OBR|", b"MRG|", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\\X41\\", b'""', b"1e999"),
    *(b"9" * 300, b"|" * 200, b"ORU^R01", b"ACK", b"2.9", b"KLINGON", b"AL", b"UNICODE UTF-16"),
)
WHOLE = (
    cbc(
        obx(),
        obx("<^20", "10\\S\\3/uL", "777-3^^LN", "SN", number=2),
        "NTE|1||a\\.br\\b",
        "SPM|1|||BLD",
    ),
    adt("A40", pid(), "MRG|9^^^HOSP^MR"),
    adt("A08", pid(), "PV1|1|I|4E"),
    cbc(obx(), wants=("AL", "AL"), charset="8859/1"),
)


def damaged(chance: random.Random) -> bytes:
    data = chance.choice(WHOLE)
    for _ in range(chance.randint(1, 8)):
        place, length = chance.randrange(len(data) + 1), chance.randint(0, 20)
        data = data[:place] + chance.choice(PIECES) + data[place + length :]
    return data


@pytest.mark.trust("F2")
@pytest.mark.parametrize("number", [2000])
def test_malformed_messages_never_stop_the_listener(number):
    """Seeded; with `number=10_000` the same test is the long run."""
    chance = random.Random(20261128)  # noqa: S311  (a seeded test)

    async def test(listener, intake, connect):
        peer = await connect()
        for start in range(0, number, 50):
            for _ in range(50):
                peer.writer.write(framed(damaged(chance)))
            await peer.send(cbc(obx(), control=f"END{start}"))
            while (code := await peer.code()) != f"AA|END{start}":
                assert code[:2] in ("AA", "AE", "AR", "CA", "CE", "CR")
        assert listener.counts.failed == 0
        assert listener.counts.refused > number / 10
        refused = (a.translated.refusal for a in intake.arrivals)
        assert all(r is None or r.code != FAULT for r in refused)

    running(test)
