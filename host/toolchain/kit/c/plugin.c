/* The plugin `NAME`. */

#include <ophost.h>
#include <ophost_json.h>

static ophost_failure *greet(const char *input, const char **output) {
    yyjson_val *person = ophost_json_read(input);
    const char *greeting = yyjson_get_str(yyjson_obj_get(person, "greeting"));
    const char *name = yyjson_get_str(yyjson_obj_get(person, "name"));

    yyjson_mut_doc *answer = ophost_json_object();
    yyjson_mut_val *root = yyjson_mut_doc_get_root(answer);
    yyjson_mut_obj_add_str(answer, root, "text", ophost_format("%s, %s!", greeting, name));
    *output = ophost_json_write(answer);
    return NULL;
}

static const ophost_operation greeter = {
    .name = "MODULE",
    .description = "Greets a person by name.",
    .category = "demo",
    .input_schema = OPHOST_JSON({
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
    }),
    .output_schema = OPHOST_JSON({
        "type": "object",
        "description": "The answer to a person.",
        "properties": {
            "text": {"type": "string", "description": "The complete greeting"}
        },
        "required": ["text"],
        "additionalProperties": false
    }),
    .async_enabled = true,
    .run = greet,
};

OPHOST_PLUGIN(&greeter)
