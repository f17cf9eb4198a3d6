"""What the bodies of requests have in common."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from exchange.gateway.messages import InsertOrderMessage


class RequestBody(BaseModel):
    """What a request says; an unknown field, such as a misspelt one, is refused."""

    model_config = ConfigDict(extra="forbid")


def like(example: dict[str, Any]) -> ConfigDict:
    """A body's configuration with the example that the OpenAPI document shows."""
    return ConfigDict(extra="forbid", json_schema_extra={"example": example})


Amount = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=6, description="Yuan, at most six decimals.")]

NEW_ORDER: Final = {
    "order_id": "o-1",
    "instrument_id": "SHFE.rb2701",
    "direction": "BUY",
    "offset": "OPEN",
    "volume": 3,
    "price_type": "LIMIT",
    "limit_price": 3610,
}


def order_body() -> dict[str, Any]:
    """The OpenAPI document's part on the body of a new order.

    Made of the message that conversations send, so that there is one place that says what an order may be.
    """
    (_, components) = msgspec.json.schema_components([InsertOrderMessage], ref_template="{name}")
    schema = dict(components["InsertOrderMessage"])
    del schema["title"]
    schema["properties"] = {
        name: _written_out(each, components) for name, each in schema["properties"].items() if name != "aid"
    }
    schema["required"] = [name for name in schema["required"] if name != "aid"]
    return {
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": NEW_ORDER}}}
    }


def _written_out(schema: Any, components: dict[str, Any]) -> Any:
    """The schema with what its references stand for."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            named = {key: value for key, value in components[schema["$ref"]].items() if key != "title"}
            return {**named, **{key: value for key, value in schema.items() if key != "$ref"}}
        return {key: _written_out(value, components) for key, value in schema.items()}
    return [_written_out(each, components) for each in schema] if isinstance(schema, list) else schema
