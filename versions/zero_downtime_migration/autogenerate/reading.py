"""Write what SQLAlchemy knows of columns, defaults and indexes as SQL does. No database here."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, Computed, Identity, Index, literal
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.types import TypeEngine

# Named, it doubles no percent sign.
_DIALECT: Final = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    said: str = _DIALECT.identifier_preparer.quote(name)
    return said


def table_name(name: str, schema: str | None) -> str:
    """Return a table's name with its schema, as SQL writes it."""
    return f"{quoted(schema or 'public')}.{quoted(name)}"


def type_text(kind: TypeEngine[Any]) -> str:
    """Return a type without its collation; lower-case where it is but words."""
    plain: Any = kind
    if getattr(kind, "collation", None) and hasattr(kind, "copy"):
        plain = kind.copy()
        plain.collation = None
    said = str(plain.compile(dialect=_DIALECT))
    return said.lower() if '"' not in said and "'" not in said else said


def collation_text(kind: TypeEngine[Any]) -> str | None:
    """Return the collation of a type, as SQL writes it."""
    named = getattr(kind, "collation", None)
    return ".".join(f'"{part}"' for part in str(named).split(".")) if named else None


def default_text(default: Any) -> str | None:  # noqa: ANN401  (whatever SQLAlchemy takes for one)
    """Return a server default as SQL; None is none."""
    if default is None or default is False:
        return None
    given = getattr(default, "arg", default)
    said: str = _compiler().render_default_string(given)
    return said


def is_plain(default: Any) -> bool:  # noqa: ANN401  (whatever SQLAlchemy takes for one)
    """Tell whether a server default is none, or an expression: no identity, and nothing that generates."""
    return not isinstance(default, Computed | Identity)


def scalar_text(column: Column[Any]) -> str | None:
    """Return as SQL the constant that code gives a column; None where it computes one, or gives none."""
    default = column.default
    if default is None or not default.is_scalar:
        return None
    try:
        value = literal(getattr(default, "arg", None), column.type)
        return str(value.compile(dialect=_DIALECT, compile_kwargs={"literal_binds": True}))
    except (SQLAlchemyError, NotImplementedError, TypeError, ValueError):
        return None


def index_fields(index: Index) -> dict[str, object]:
    """Return the fields of an index as `ops.create_index` takes them, but for its table and its name."""
    options = index.dialect_options["postgresql"]
    plain = all(isinstance(one, ColumnClause) for one in index.expressions) and not options["ops"]
    where = options["where"]
    return {
        "columns": tuple(str(one.name) for one in index.expressions) if plain else (),  # type: ignore[union-attr]
        "keys": "" if plain else ", ".join(_key(one, options["ops"] or {}) for one in index.expressions),
        "unique": bool(index.unique),
        "using": options["using"] or "btree",
        "include": tuple(str(getattr(one, "name", one)) for one in options["include"] or ()),
        "where": "" if where is None else _sql(where),
        "nulls_not_distinct": options["nulls_not_distinct"] is True,
        "storage": ", ".join(f"{name} = {value}" for name, value in (options["with"] or {}).items()),
    }


def _key(expression: Any, classes: dict[str, str]) -> str:  # noqa: ANN401  (a column, or an expression)
    grouped = expression if isinstance(expression, ColumnClause) else expression.self_group()
    chosen = classes.get(getattr(expression, "key", None) or "")
    return f"{_sql(grouped)} {chosen}" if chosen else _sql(grouped)


def _sql(expression: Any) -> str:  # noqa: ANN401  (SQLAlchemy's own, or text)
    if isinstance(expression, str):
        return expression
    compiler = _compiler().sql_compiler
    return str(compiler.process(expression, include_table=False, literal_binds=True))


def _compiler() -> Any:  # noqa: ANN401  (SQLAlchemy's own; it wants a statement, of which these are but parts)
    made: Any = _DIALECT.ddl_compiler
    return made(_DIALECT, None)
