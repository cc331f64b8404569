//! The plugin `NAME`.

const ophost = @import("ophost");

/// The person to greet.
const Person = struct {
    name: []const u8,
    greeting: []const u8 = "Hello",

    pub const schema = .{
        .description = "The person to greet.",
        .fields = .{
            .name = .{ .description = "The name of the person", .min_length = 1 },
            .greeting = .{ .description = "The first word of the greeting" },
        },
    };
};

/// The answer to a person.
const Answer = struct {
    text: []const u8,

    pub const schema = .{
        .description = "The answer to a person.",
        .fields = .{ .text = .{ .description = "The complete greeting" } },
    };
};

fn greet(person: Person) Answer {
    return .{ .text = ophost.format("{s}, {s}!", .{ person.greeting, person.name }) };
}

pub const operations = .{
    ophost.operation(greet, .{
        .name = "MODULE",
        .description = "Greets a person by name.",
        .category = "demo",
        .async_enabled = true,
    }),
};
