"""`papers.schema.json`: the catalog's schema as editors read it, made from the models."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from .schema import Catalog


class _Draft07(GenerateJsonSchema):
    """Plain words only: yaml-language-server reads draft-07, and an absent key is never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def tagged_union_schema(self, schema: core_schema.TaggedUnionSchema) -> JsonSchemaValue:
        return {"anyOf": [self.generate_inner(choice) for choice in schema["choices"].values()]}

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> str:
    """The text of `papers.schema.json`: the same on every run, JSON Schema draft-07."""
    schema = Catalog.model_json_schema(schema_generator=_Draft07)
    del schema["required"]  # editors read one file, and the catalog may be several
    text = json.dumps(
        {"$schema": "http://json-schema.org/draft-07/schema#", **schema},
        indent=2,
        ensure_ascii=False,
    )
    return re.sub(r'(["/])\$defs(["/])', r"\1definitions\2", text) + "\n"
