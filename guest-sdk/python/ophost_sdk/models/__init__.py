"""Models: validation, dumps and JSON Schemas, with the interface of pydantic.

- `base`: the class `BaseModel`.
- `fields`: `Field`, the settings of a field.
- `definition`: reads the annotations and defaults of a class.
- `annotations`: converts type hints to types.
- `types`: validates values of a type and describes them as JSON Schema.
- `constraints`: checks the constraints of fields.
- `loading`: the state of a validation.
- `schema`: definitions and references of JSON Schemas.
- `errors`: `ValidationError`.
"""

from ophost_sdk.models.base import BaseModel, ConfigDict
from ophost_sdk.models.errors import ValidationError
from ophost_sdk.models.fields import Field, FieldInfo

__all__ = ["BaseModel", "ConfigDict", "Field", "FieldInfo", "ValidationError"]
