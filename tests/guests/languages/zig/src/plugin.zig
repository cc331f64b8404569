//! The operations of the language table in Zig. `README.md` of the parent directory describes them.

const ophost = @import("ophost");
const std = @import("std");

pub const operations = .{
    ophost.operation(echo, .{
        .name = "echo",
        .description = "Returns its input.",
        .category = "languages",
        .tags = &.{ "first", "second" },
    }),
    ophost.operation(integers, .{
        .name = "integers",
        .description = "Returns its integers.",
        .category = "languages",
    }),
    ophost.operation(changeNotes, .{
        .name = "change_notes",
        .description = "Adds 10 to notes, deletes the note `c`, and creates a note.",
        .category = "languages",
        .models_out = &.{"Note"},
        .async_enabled = true,
    }),
    simple("log_levels", "Writes a log entry of each level.", logLevels),
    simple("report_progress", "Reports progress and pauses.", reportProgress),
    simple("add_item_errors", "Adds errors for two items.", addItemErrors),
    simple("fail", "Returns a permanent failure.", fail),
    simple("raise", "Fails with an error.", raise),
    simple("abort", "Ends without a result.", abort),
    simple("spin", "Loops forever.", spin),
    simple("allocate", "Allocates memory forever.", allocate),
};

fn simple(
    comptime name: []const u8,
    comptime description: []const u8,
    comptime function: anytype,
) ophost.Operation {
    const options: ophost.Options = .{ .name = name, .description = description, .category = "languages" };
    return ophost.operation(function, options);
}

/// A text and a number.
const Echo = struct {
    text: []const u8,
    times: i64 = 2,

    pub const schema = .{
        .description = "A text and a number.",
        .fields = .{
            .text = .{ .description = "The text." },
            .times = .{ .description = "The number.", .minimum = 1, .maximum = 3 },
        },
    };
};

fn echo(input: Echo) Echo {
    return input;
}

/// Integers of 64 bits.
const Integers = struct { signed: i64, unsigned: u64 };

fn integers(input: Integers) Integers {
    return input;
}

/// A note.
const Note = struct { title: []const u8, count: i64 };

const notes = ophost.Collection(Note, "notes");

/// The smallest count of a changed note.
const Minimum = struct { minimum: i64 };

/// The changed notes.
const Changed = struct { changed: []const []const u8, created: []const u8, total: u64 };

fn changeNotes(input: Minimum) !Changed {
    var changed: std.ArrayList([]const u8) = .empty;
    _ = try notes.delete("c");
    const filter = .{ .count = .{ .@"$gte" = input.minimum } };
    for (try notes.find(filter, .{ .sort = &.{"-count"} })) |note| {
        try notes.set(note.id, .{ .count = note.value.count + 10 });
        try changed.append(ophost.allocator, note.id);
    }
    const created = try notes.insert(Note{ .title = "new", .count = 0 });
    const stored = try notes.require(created);
    return .{ .changed = changed.items, .created = stored.id, .total = try notes.count(.{}) };
}

fn logLevels() void {
    ophost.log(.trace, "a trace");
    std.log.debug("a {s}", .{"debug"});
    std.log.info("an info", .{});
    std.log.warn("a warn", .{});
    ophost.log(.err, "an error");
}

fn reportProgress() void {
    ophost.reportProgress(1, 4, "a quarter");
    const end = ophost.context.now() + 500;
    while (ophost.context.now() < end) {}
}

fn addItemErrors() !void {
    try ophost.addItemError(0, "first", "the first is broken");
    try ophost.addItemError(2, "third", "the third is broken");
}

fn fail() !void {
    return ophost.fail(.permanent, "nothing is left", .{
        .code = "no-stock",
        .details = .{ .left = 0 },
    });
}

fn raise() !i64 {
    return std.fmt.parseInt(i64, "nothing", 10) catch |err| {
        return ophost.fail(.failure, "cannot read the number", .{ .cause = err });
    };
}

fn abort() void {
    @panic("the end");
}

fn spin() void {
    var turns: u64 = 0;
    while (true) {
        turns +%= 1;
        std.mem.doNotOptimizeAway(turns);
    }
}

fn allocate() !void {
    while (true) {
        const block = try ophost.allocator.alloc(u8, 1 << 20);
        @memset(block, 1);
        std.mem.doNotOptimizeAway(block);
    }
}
