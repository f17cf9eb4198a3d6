"""Users and the tokens they may log in with. Secrets are here as hashes only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "user",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("account_id", sa.Text, nullable=False, unique=True),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False, server_default="trader"),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "token",
        sa.Column("token_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("user_name", sa.Text, sa.ForeignKey("user.name", ondelete="CASCADE"), nullable=False),
        sa.Column("created_at_ns", sa.BigInteger, nullable=False),
        sa.Column("expires_at_ns", sa.BigInteger, nullable=False),
    )
    op.create_index("token_of_user", "token", ["user_name", "created_at_ns"])
    op.create_index("token_by_expiry", "token", ["expires_at_ns"])


def downgrade() -> None:
    raise NotImplementedError("a users database is never taken back to an older schema: restore a backup")
