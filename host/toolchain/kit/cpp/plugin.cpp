// The plugin `NAME`.

#include <ophost.hpp>
#include <ophost/json.hpp>
#include <string>

struct Person {
    std::string name;
    std::string greeting;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Person, name, greeting)

struct Answer {
    std::string text;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Answer, text)

static ophost::Result<Answer> greet(const Person &person) {
    return Answer{.text = person.greeting + ", " + person.name + "!"};
}

static ophost::Operation greeter() {
    return {
        .name = "MODULE",
        .description = "Greets a person by name.",
        .category = "demo",
        .input_schema = R"({
            "type": "object",
            "description": "The person to greet.",
            "properties": {
                "name": {
                    "type": "string",
                    "minLength": 1,
                    "description": "The name of the person"
                },
                "greeting": {
                    "type": "string",
                    "default": "Hello",
                    "description": "The first word of the greeting"
                }
            },
            "required": ["name"],
            "additionalProperties": false
        })",
        .output_schema = R"({
            "type": "object",
            "description": "The answer to a person.",
            "properties": {
                "text": {"type": "string", "description": "The complete greeting"}
            },
            "required": ["text"],
            "additionalProperties": false
        })",
        .async_enabled = true,
        .run = ophost::json_function(greet),
    };
}

OPHOST_PLUGIN(greeter())
