"""${message}

Follows ${down_revision or "nothing"}. Written on ${create_date}.
"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else 'op.execute("")'}


def downgrade() -> None:
    raise NotImplementedError("a users database is never taken back to an older schema: restore a backup")
