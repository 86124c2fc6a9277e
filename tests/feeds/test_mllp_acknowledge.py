"""Which answers are due, and how they are written."""

from __future__ import annotations

import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message

from feeds.messages import cbc, obx
from redcell.feeds.mllp.acknowledge import Reply, answers, due
from redcell.sources.hl7v2.header import Wants, header_of
from redcell.sources.hl7v2.segments import segment_of, separators_of

AT = 1_795_000_000_000_000
GOOD, WRONG, ELSE = Reply(), Reply("AE", "no"), Reply("AR", "no", "202", "MSH-11")

# MSH-15, MSH-16 (HL7 v2 table 0155): the answers to what is kept, what failed, what is not taken
DUE = [
    ("", "", "AA", "AE", "AR"),
    ("AL", "AL", "CA AA", "CE AE", "CR AR"),
    ("AL", "NE", "CA", "CE", "CR"),
    ("NE", "AL", "AA", "AE", "AR"),
    ("NE", "NE", "", "", ""),
    ("ER", "NE", "", "CE", "CR"),
    ("SU", "NE", "CA", "", ""),
    ("NE", "ER", "", "AE", "AR"),
    ("NE", "SU", "AA", "", ""),
    ("AL", "ER", "CA", "CE AE", "CR AR"),
    ("SU", "ER", "CA", "AE", "AR"),
    ("AL", "", "CA", "CE", "CR"),
    ("", "AL", "AA", "AE", "AR"),
    ("??", "NE", "CA", "CE", "CR"),
]


@pytest.mark.parametrize(("accept", "application", "good", "wrong", "other"), DUE)
def test_the_table_of_wishes(accept, application, good, wrong, other):
    wants = header_of(cbc(obx(), wants=(accept, application))).wants
    assert " ".join(due(wants, GOOD)) == good
    assert " ".join(due(wants, WRONG)) == wrong
    assert " ".join(due(wants, ELSE)) == other


def said(data: bytes, reply: Reply = GOOD, codec: str = "utf-8"):
    """The first answer as segments by name."""
    text = answers(header_of(data), reply, at=AT, number=7)[0].decode(codec)
    assert text.endswith("\r")
    lines = text.split("\r")[:-1]
    separators = separators_of(lines[0])
    return {line[:3]: segment_of(line, separators) for line in lines}


def test_an_answer_names_the_message_and_turns_the_addresses_round():
    found = said(cbc(obx(), control="M42"))
    header, answer = found["MSH"], found["MSA"]
    assert [header[n].part() for n in (3, 4, 5, 6)] == ["RC", "X", "LAB", "HOSP"]
    assert [header[9].part(n) for n in (1, 2, 3)] == ["ACK", "R01", "ACK"]
    assert [header[n].part() for n in (7, 11, 12)] == ["20261118110640+0000", "P", "2.5.1"]
    assert 0 < len(header[10].part()) <= 20
    assert [answer[n].part() for n in (1, 2, 3)] == ["AA", "M42", ""]
    assert list(found) == ["MSH", "MSA"]


def test_an_error_says_where_and_what():
    found = said(cbc(obx(), version="2.5.1"), ELSE)
    error = found["ERR"]
    assert [error[2].part(n) for n in (1, 2, 3)] == ["MSH", "1", "11"]
    assert [error[3].part(n) for n in (1, 2, 3)] == ["202", "Unsupported processing id", "HL70357"]
    assert (error[4].part(), error[8].part()) == ("E", "no")
    assert "ERR" not in said(cbc(obx(), version="2.3"), ELSE)
    assert said(cbc(obx(), version="2.3"), ELSE)["MSA"][3].part() == "no"


def test_an_answer_uses_the_senders_separators_and_escapes_its_words():
    data = (
        cbc(obx(), control="M#1").replace(b"|", b"$").replace(b"^~\\&", b"%*!@").replace(b"^", b"%")
    )
    found = said(data, Reply("AR", "a $ b % c ! d\nnext"))
    assert found["MSA"][2].part() == "M#1"
    assert found["MSA"][3].part() == "a $ b % c ! d next"


@pytest.mark.parametrize("codec", ["latin-1", "utf-8", "gb18030"])
def test_the_control_id_comes_back_byte_by_byte(codec):
    named = {"latin-1": "8859/1", "utf-8": "UNICODE UTF-8", "gb18030": "GB 18030-2000"}[codec]
    data = cbc(obx(), control="Mé\\T\\1", charset=named).decode().encode(codec)
    (answer,) = answers(header_of(data), GOOD, at=AT, number=1)
    assert "|Mé\\T\\1\r".encode(codec) in answer


def test_a_control_id_in_an_unknown_character_set_comes_back_too():
    data = cbc(obx(), control="MX", charset="KLINGON").replace(b"MX", b"M\xff\xfe")
    assert b"MSA|AE|M\xff\xfe|" in answers(header_of(data), WRONG, at=AT, number=1)[0]


def test_an_answer_to_a_commit_and_one_to_the_application_have_names_of_their_own():
    both = answers(header_of(cbc(obx(), wants=("AL", "AL"))), GOOD, at=AT, number=1)
    assert len({a.split(b"|")[9] for a in both}) == 2
    assert all(a.split(b"\r")[0].split(b"|")[14:16] == [b"NE", b"NE"] for a in both)


def test_what_has_no_header_is_answered_without_a_name():
    (answer,) = answers(None, Reply("AR", "it has no MSH segment", "100"), at=AT, number=1)
    assert b"\rMSA|AR||it has no MSH segment\r" in answer
    assert answer.startswith(b"MSH|^~\\&|")


def test_a_wish_of_the_original_mode():
    assert due(Wants(), GOOD) == ["AA"]


def test_an_answer_never_holds_what_would_end_its_frame():
    (answer,) = answers(header_of(cbc(obx(), control="M\x1c")), GOOD, at=AT, number=1)
    assert b"\rMSA|AA|M\r" in answer
    assert b"\x1c" not in answer


@pytest.mark.trust("F10")
@pytest.mark.parametrize("version", ["2.2", "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6"])
def test_another_library_reads_every_answer_and_finds_it_valid(version):
    known = version not in ("2.2", "2.3")  # it has no structure ACK_R01 there, and reads it loosely
    level = VALIDATION_LEVEL.STRICT if known else VALIDATION_LEVEL.TOLERANT
    odd = Reply("AR", "a | b ^ c & d ~ e \\ f", "202", "MSH-11")
    wants = [("", ""), ("AL", "AL"), ("AL", "NE")]
    for reply in (GOOD, WRONG, ELSE, odd):
        for data in (
            cbc(obx(), version=version, control=f"M{n}", wants=w) for n, w in enumerate(wants)
        ):
            header = header_of(data)
            made = answers(header, reply, at=AT, number=7)
            assert len(made) == len(due(header.wants, reply)) > 0
            for code, text in zip(due(header.wants, reply), made, strict=True):
                read = parse_message(text.decode(), validation_level=level)
                assert not known or read.validate()
                assert (read.msa.msa_1.value, read.msa.msa_2.value) == (code, header.field(10))
                assert read.msh.msh_9.msh_9_1.value == "ACK"
