//! The properties of characters.
//!
//! The standard library has no tables of Unicode. The letters and the lower case here are those of
//! the scripts Latin, Greek and Cyrillic. Letters of other scripts have no case.

const std = @import("std");

pub const Iterator = std.unicode.Utf8Iterator;

/// Returns the characters of a text of JSON, which is valid UTF-8.
pub fn iterate(text: []const u8) Iterator {
    return std.unicode.Utf8View.initUnchecked(text).iterator();
}

pub fn count(text: []const u8) usize {
    return std.unicode.utf8CountCodepoints(text) catch unreachable;
}

/// Adds a character to a text.
pub fn append(text: *std.ArrayList(u8), allocator: std.mem.Allocator, character: u21) !void {
    var bytes: [4]u8 = undefined;
    const length = std.unicode.utf8Encode(character, &bytes) catch unreachable;
    try text.appendSlice(allocator, bytes[0..length]);
}

/// Returns whether a character has the property White_Space of Unicode.
pub fn isWhiteSpace(character: u21) bool {
    return switch (character) {
        0x9...0xd, ' ', 0x85, 0xa0, 0x1680, 0x2000...0x200a, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000 => true,
        else => false,
    };
}

/// Returns whether a character is a letter or a digit. All characters count as letters, except for
/// the blocks of punctuation, symbols and marks.
pub fn isAlphanumeric(character: u21) bool {
    return switch (character) {
        0...0x7f => std.ascii.isAlphanumeric(@intCast(character)),
        0xaa, 0xb2, 0xb3, 0xb5, 0xb9, 0xba, 0xbc...0xbe => true,
        0x80...0xa9, 0xab...0xb1, 0xb4, 0xb6...0xb8, 0xbb, 0xbf, 0xd7, 0xf7 => false,
        // Modifiers and combining accents.
        0x2c2...0x2c5, 0x2d2...0x2df, 0x300...0x36f, 0x375, 0x37e, 0x384, 0x385, 0x387 => false,
        // Punctuation, symbols, arrows, boxes and dingbats.
        0x2000...0x206f, 0x207a...0x207e, 0x208a...0x208e, 0x20a0...0x20ff, 0x2190...0x245f => false,
        0x2500...0x2bff, 0x2e00...0x2e7f, 0x3000...0x3004, 0x3008...0x3020, 0x3030, 0x303d => false,
        0xe000...0xf8ff, 0xfe00...0xfe6f, 0xff01...0xff0f, 0xff1a...0xff20, 0xff3b...0xff40 => false,
        0xff5b...0xff65, 0xffe0...0xffff, 0x1f000...0x1faff, 0xe0000...0x10ffff => false,
        else => !isWhiteSpace(character),
    };
}

/// Returns the lower case of a character.
pub fn toLower(character: u21) u21 {
    return switch (character) {
        'A'...'Z', 0xc0...0xd6, 0xd8...0xde => character + 0x20,
        0x178 => 0xff,
        // Capitals and lower-case letters alternate.
        0x100...0x12f, 0x132...0x137, 0x14a...0x177, 0x1e00...0x1e95, 0x460...0x481, 0x48a...0x4bf => character | 1,
        0x130 => 'i',
        0x139...0x148, 0x179...0x17e => if (character % 2 == 1) character + 1 else character,
        0x386 => 0x3ac,
        0x388...0x38a => character + 37,
        0x38c => 0x3cc,
        0x38e, 0x38f => character + 63,
        0x391...0x3a1, 0x3a3...0x3ab, 0x410...0x42f => character + 0x20,
        0x400...0x40f => character + 0x50,
        0xff21...0xff3a => character + 0x20,
        else => character,
    };
}

/// The parts of a text with such characters only.
pub fn Words(comptime isPart: fn (u21) bool) type {
    return struct {
        text: []const u8,

        /// Returns the next word.
        pub fn next(self: *@This()) ?[]const u8 {
            var characters = iterate(self.text);
            var start: ?usize = null;
            while (true) {
                const before = characters.i;
                const character = characters.nextCodepoint() orelse break;
                if (isPart(character)) {
                    if (start == null) start = before;
                } else if (start) |first| {
                    const word = self.text[first..before];
                    self.text = self.text[before..];
                    return word;
                }
            }
            const rest = self.text;
            self.text = "";
            return if (start) |first| rest[first..] else null;
        }
    };
}
