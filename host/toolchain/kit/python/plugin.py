"""The plugin `NAME`."""

from ophost_sdk import BaseModel, Field, operation


class Person(BaseModel):
    """The person to greet."""

    name: str = Field(..., min_length=1, description="The name of the person")
    greeting: str = Field("Hello", description="The first word of the greeting")


class Answer(BaseModel):
    """The answer to a person."""

    text: str = Field(..., description="The complete greeting")


@operation(category="demo", async_enabled=True)
def MODULE(person: Person) -> Answer:
    """Greets a person by name."""
    return Answer(text=f"{person.greeting}, {person.name}!")
