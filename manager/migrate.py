"""Brings the database to the present schema: ``python -m manager.migrate``, when a fresh manager is prepared.

Never on a replica: it gets the schema, like everything else, by replication.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from manager.gateway import load_config, settings_of
from manager.models import (
    ADMIN_ROLE,
    DEFAULT_TENANT,
    DEFAULT_TENANT_ROLE,
    Membership,
    ProviderContext,
    Role,
    Tenant,
    Token,
    User,
)
from manager.passwords import Passwords
from manager.settings import DatabaseSettings
from manager.storage import engine_for

ADMIN = "admin"
PASSWORD_VARIABLE = "CLOUDIFY_ADMIN_PASSWORD"  # noqa: S105  # a name
PASSWORD_FILE = "admin_password"  # noqa: S105  # a name
MIGRATIONS = Path(__file__).parent / "migrations"


def migrate(settings: DatabaseSettings, admin_password: str) -> bool:
    """Make or change the tables; in an empty database also the administrator and the default tenant.

    Returns whether the administrator was made, with that password. An existing one is left alone. Can be
    called at any time, on a primary. Raises ``sqlalchemy.exc.DBAPIError``.
    """
    engine = engine_for(settings, writers=1)
    try:
        with engine.begin() as connection:
            upgrade(connection)
        with Session(engine) as session, session.begin():
            return _bootstrap(session, admin_password)
    finally:
        engine.dispose()


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Make or change the tables in the transaction of ``connection``, and the schema of its search path."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _bootstrap(session: Session, admin_password: str) -> bool:
    if session.scalar(select(User.id).limit(1)) is not None:
        return False
    roles = {role.name: role for role in session.scalars(select(Role))}
    tenant = Tenant(name=DEFAULT_TENANT)
    admin = User(username=ADMIN, password=Passwords().hash(admin_password), role=roles[ADMIN_ROLE])
    context = ProviderContext(id="CONTEXT", name="provider", context={"cloudify": {}})
    session.add_all([tenant, admin, context])
    session.flush()
    role = roles[DEFAULT_TENANT_ROLE]
    session.add(Membership(user_id=admin.id, tenant_id=tenant.id, role_id=role.id))
    session.add(Token.fresh(admin))
    return True


def admin_password(folder: Path) -> str:
    """The password for the first administrator.

    From the variable ``CLOUDIFY_ADMIN_PASSWORD``, else from the file ``admin_password`` in ``folder``; with
    neither, a new one is written into that file, for its owner only.
    """
    if given := os.environ.get(PASSWORD_VARIABLE):
        return given
    file = folder / PASSWORD_FILE
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(16) + "\n")
    return file.read_text().strip()


def main() -> int:
    """Migrate the database of the node that ``CLOUDIFY_CONFIG`` names."""
    config = load_config()
    made = migrate(settings_of(config).database, admin_password(config.paths.etc))
    sys.stdout.write(json.dumps({"administrator_made": made}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
