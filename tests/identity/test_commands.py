"""The commands for accounts and programs."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey

from redcell.cli.clients import client
from redcell.cli.users import user
from redcell.clinic.service import Clinic, make_store
from redcell.clinic.settings import Settings
from redcell.identity import accounts, clients, links, passwords
from redcell.store import audit


@pytest.fixture
def folder(tmp_path):
    where = tmp_path / "data"
    make_store(where, Settings())
    return where


def run(group, folder, *args, **more):
    return CliRunner().invoke(group, [*args, "--data", str(folder)], catch_exceptions=False, **more)


def looked(folder, read):
    clinic = Clinic(folder)
    try:
        with clinic.database.read() as connection:
            audit.verify(connection)
            return read(connection)
    finally:
        clinic.close()


def test_add_list_and_disable(folder):
    typed = "four plain words\n"
    args = ("add", "Ndiaye", "--name", "Awa Ndiaye", "--role", "nurse", "--role", "admin")
    made = run(user, folder, *args, "--password-stdin", input=typed)
    assert made.exit_code == 0
    found = looked(folder, lambda c: accounts.by_login(c, "ndiaye"))
    assert found.id == made.stdout.strip()
    assert found.roles == frozenset({"nurse", "admin"})
    assert passwords.fits(found.password, typed.strip())
    assert "ndiaye\t" in run(user, folder, "list").stdout
    assert run(user, folder, "disable", "ndiaye").exit_code == 0
    assert not looked(folder, lambda c: accounts.by_login(c, "ndiaye")).open
    assert "closed 20" in run(user, folder, "list").stdout
    assert looked(folder, audit.head).seq == 2


def test_link_signs_in_once(folder):
    run(user, folder, "add", "okafor", "--name", "G", "--role", "patient", "--person", "okafor")
    address = run(user, folder, "link", "okafor", "--minutes", "5").stdout.strip()
    assert "/sign-in/link?token=" in address
    token = address.partition("token=")[2]
    clinic = Clinic(folder)
    try:
        with clinic.database.write() as connection:
            from redcell import clock

            assert links.use(connection, token, at=clock.now()).login == "okafor"
            assert links.use(connection, token, at=clock.now()) is None
    finally:
        clinic.close()


def test_grant_and_revoke(folder):
    run(user, folder, "add", "son", "--name", "S", "--role", "proxy")

    def people(connection):
        found = accounts.by_login(connection, "son")
        return accounts.people(connection, found, at=1)

    run(user, folder, "grant", "son", "okafor", "--days", "30")
    assert looked(folder, people) == {"okafor"}
    run(user, folder, "grant", "son", "okafor", "--revoke")
    assert looked(folder, people) == set()


@pytest.mark.parametrize("verb", [("disable",), ("link",), ("grant",)])
def test_an_unknown_login_is_told(folder, verb):
    more = ("okafor",) if verb == ("grant",) else ()
    with pytest.raises(accounts.AccountError, match="user list"):
        run(user, folder, *verb, "nobody", *more)


def test_a_login_is_taken_once(folder):
    args = ("add", "A", "--name", "A", "--role", "nurse")
    run(user, folder, *args)
    with pytest.raises(accounts.AccountError, match="taken"):
        run(user, folder, *args)


def test_clients_add_list_and_disable(folder, tmp_path):
    keys = tmp_path / "keys.json"
    key = ECKey.generate_key("P-384", {"kid": "k"})
    keys.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    args = ("--kind", "backend", "--keys", str(keys), "--scope", "system/*.rs", "--role", "feed")
    made = run(client, folder, "add", "etl", *args)
    assert made.exit_code == 0
    name = made.stdout.strip()
    found = looked(folder, lambda c: clients.by_id(c, name))
    assert (found.kind, found.details.scopes) == ("backend", ("system/*.rs",))
    assert name in run(client, folder, "list").stdout
    run(client, folder, "disable", name)
    assert not looked(folder, lambda c: clients.by_id(c, name)).open


def test_a_program_without_scopes_or_with_a_wrong_one_is_not_taken(folder, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text("[]")
    args = ("add", "x", "--kind", "backend", "--keys", str(keys))
    assert run(client, folder, *args).exit_code == 2
    assert run(client, folder, *args, "--scope", "everything").exit_code == 2
    with pytest.raises(clients.ClientError, match="JWKS"):
        run(client, folder, *args, "--scope", "system/*.rs")
    with pytest.raises(clients.ClientError, match="no client"):
        run(client, folder, "disable", "nobody")
