"""The schema: made once, the same as the models, and with an administrator whose password was given."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from manager import migrate
from manager.gateway import settings_of
from manager.models import Base
from manager.storage import engine_for
from tests.support.rest import ADMIN, ManagerNode

pytestmark = pytest.mark.integration


def test_the_migrations_make_what_the_models_say(node: ManagerNode):
    engine = engine_for(settings_of(node.config).database, writers=1)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_migrating_again_changes_nothing(node: ManagerNode, rest):
    assert migrate.migrate(settings_of(node.config).database, "another password") is False
    assert rest.as_user(*ADMIN).get("/user").status_code == 200
    environment = {**os.environ, "CLOUDIFY_CONFIG": str(node.file)}
    subprocess.run([sys.executable, "-m", "manager.migrate"], env=environment, check=True, timeout=60)
    assert rest.as_user(*ADMIN).get("/user").status_code == 200


def test_the_password_that_is_given(tmp_path, monkeypatch):
    monkeypatch.setenv(migrate.PASSWORD_VARIABLE, "given")
    assert migrate.admin_password(tmp_path) == "given"
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_made_when_none_is_given(tmp_path, monkeypatch):
    monkeypatch.delenv(migrate.PASSWORD_VARIABLE, raising=False)
    made = migrate.admin_password(tmp_path / "etc")
    file = tmp_path / "etc" / migrate.PASSWORD_FILE
    assert len(made) > 16
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert migrate.admin_password(tmp_path / "etc") == made
    file.write_text("my own\n")
    assert migrate.admin_password(tmp_path / "etc") == "my own"
