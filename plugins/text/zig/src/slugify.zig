//! Converts a text to a slug, a part of a URL.

const ophost = @import("ophost");
const std = @import("std");

const characters = @import("characters.zig");
const latin = @import("latin.zig");

/// The text to convert, and the format of the slug.
const Title = struct {
    text: []const u8,
    separator: []const u8 = "-",
    max_length: ?u32 = null,

    pub const schema = .{
        .description = "The text to convert, and the format of the slug.",
        .fields = .{
            .text = .{ .description = "The text, such as a title." },
            .separator = .{ .description = "The separator of two words.", .max_length = 8 },
            .max_length = .{
                .description = "The maximum number of characters of the slug. Words that do not fit are dropped, and the first word is truncated.",
                .minimum = 1,
            },
        },
    };
};

/// A text for a part of a URL.
const Slug = struct {
    slug: []const u8,

    pub const schema = .{
        .description = "A text for a part of a URL.",
        .fields = .{
            .slug = .{ .description = "Letters and digits in lower case, with a separator between two words." },
        },
    };
};

pub const operation = ophost.operation(slugify, .{
    .name = "slugify",
    .description =
    \\Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.
    \\
    \\Latin letters lose their accents. Letters of other scripts are kept.
    ,
    .category = "text",
    .tags = &.{ "text", "web" },
    .async_enabled = true,
});

fn slugify(title: Title) !Slug {
    const max_length = title.max_length orelse std.math.maxInt(u32);
    return .{ .slug = try join(try latin.fold(title.text), title.separator, max_length) };
}

/// Joins the words of a text up to `max_length` characters.
fn join(text: []const u8, separator: []const u8, max_length: usize) ![]const u8 {
    var words: characters.Words(characters.isAlphanumeric) = .{ .text = text };
    var joined: std.ArrayList(u8) = .empty;
    const first = words.next() orelse return "";
    var iterator = characters.iterate(first);
    var length: usize = 0;
    while (length < max_length) : (length += 1) {
        const character = iterator.nextCodepoint() orelse break;
        try characters.append(&joined, ophost.allocator, character);
    }
    while (words.next()) |word| {
        length += characters.count(separator) + characters.count(word);
        if (length > max_length) break;
        try joined.appendSlice(ophost.allocator, separator);
        try joined.appendSlice(ophost.allocator, word);
    }
    return joined.items;
}
