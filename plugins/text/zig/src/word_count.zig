//! Counts the words, lines and characters of a text.

const ophost = @import("ophost");
const std = @import("std");

const characters = @import("characters.zig");

/// The text to count.
const Text = struct {
    text: []const u8,
    top: u8 = 0,

    pub const schema = .{
        .description = "The text to count.",
        .fields = .{
            .text = .{ .description = "The text." },
            .top = .{ .description = "The number of most frequent words to list.", .maximum = 50 },
        },
    };
};

/// The counts of a text.
const Counts = struct {
    words: usize,
    lines: usize,
    characters: usize,
    most_frequent: []const Frequency,

    pub const schema = .{
        .description = "The counts of a text.",
        .fields = .{
            .words = .{ .description = "The number of words. A word is a sequence of characters between white space." },
            .lines = .{ .description = "The number of lines. A line break after the last line is optional." },
            .characters = .{ .description = "The number of Unicode code points. A letter can consist of several." },
            .most_frequent = .{ .description = "The most frequent words, in lower case and without the punctuation around them." },
        },
    };
};

/// The frequency of a word.
const Frequency = struct {
    word: []const u8,
    count: usize,

    pub const schema = .{
        .description = "The frequency of a word.",
        .fields = .{
            .word = .{ .description = "The word." },
            .count = .{ .description = "The number of occurrences." },
        },
    };

    /// The order by frequency, and by alphabet for words of equal frequency.
    fn isBefore(_: void, one: Frequency, other: Frequency) bool {
        if (one.count != other.count) return one.count > other.count;
        return std.mem.lessThan(u8, one.word, other.word);
    }
};

pub const operation = ophost.operation(wordCount, .{
    .name = "word_count",
    .description = "Counts the words, lines and characters of a text.",
    .category = "text",
    .tags = &.{ "text", "statistics" },
    .async_enabled = true,
});

const Words = characters.Words(isPartOfWord);

fn isPartOfWord(character: u21) bool {
    return !characters.isWhiteSpace(character);
}

fn wordCount(input: Text) !Counts {
    var words: usize = 0;
    var iterator: Words = .{ .text = input.text };
    while (iterator.next()) |_| words += 1;
    const has_rest = input.text.len > 0 and input.text[input.text.len - 1] != '\n';
    return .{
        .words = words,
        .lines = std.mem.count(u8, input.text, "\n") + @intFromBool(has_rest),
        .characters = characters.count(input.text),
        .most_frequent = try mostFrequent(input.text, input.top),
    };
}

/// Returns the `top` most frequent words.
fn mostFrequent(text: []const u8, top: usize) ![]const Frequency {
    var counts: std.StringHashMap(usize) = .init(ophost.allocator);
    var words: Words = .{ .text = text };
    while (words.next()) |word| {
        const normal = try normalized(word);
        if (normal.len == 0) continue;
        const entry = try counts.getOrPutValue(normal, 0);
        entry.value_ptr.* += 1;
    }
    var sorted: std.ArrayList(Frequency) = .empty;
    var entries = counts.iterator();
    while (entries.next()) |entry| {
        try sorted.append(ophost.allocator, .{ .word = entry.key_ptr.*, .count = entry.value_ptr.* });
    }
    std.mem.sortUnstable(Frequency, sorted.items, {}, Frequency.isBefore);
    return sorted.items[0..@min(top, sorted.items.len)];
}

/// Returns a word in lower case from its first to its last letter or digit.
fn normalized(word: []const u8) ![]const u8 {
    var text: std.ArrayList(u8) = .empty;
    var length: usize = 0;
    var iterator = characters.iterate(word);
    while (iterator.nextCodepoint()) |character| {
        const is_part = characters.isAlphanumeric(character);
        if (!is_part and text.items.len == 0) continue;
        try characters.append(&text, ophost.allocator, characters.toLower(character));
        if (is_part) length = text.items.len;
    }
    return text.items[0..length];
}
