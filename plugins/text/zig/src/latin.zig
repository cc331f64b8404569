//! Removes the accents of Latin letters.

const ophost = @import("ophost");
const std = @import("std");

const characters = @import("characters.zig");

/// Returns a text in lower case, with Latin letters in ASCII.
///
/// Letters of other scripts are kept.
pub fn fold(text: []const u8) ![]const u8 {
    var folded: std.ArrayList(u8) = .empty;
    var iterator = characters.iterate(text);
    while (iterator.nextCodepoint()) |character| {
        const letter = characters.toLower(character);
        if (ascii(letter)) |replacement| {
            try folded.appendSlice(ophost.allocator, replacement);
        } else {
            try characters.append(&folded, ophost.allocator, letter);
        }
    }
    return folded.items;
}

/// Returns the ASCII form of a lower-case letter of the blocks Latin-1 and Latin Extended-A.
///
/// The ranges of Extended-A also contain capitals, which alternate with the lower-case letters.
fn ascii(letter: u21) ?[]const u8 {
    return switch (letter) {
        // Combining accents: in decomposed text, `e` and its accent are two characters.
        0x300...0x36f => "",
        0xe0...0xe5, 0x100...0x105 => "a",
        0xe6 => "ae",
        0xe7, 0x106...0x10d => "c",
        0xf0, 0x10e...0x111 => "d",
        0xe8...0xeb, 0x112...0x11b => "e",
        0x11c...0x123 => "g",
        0x124...0x127 => "h",
        0xec...0xef, 0x128...0x131 => "i",
        0x132...0x133 => "ij",
        0x134...0x135 => "j",
        0x136...0x138 => "k",
        0x139...0x142 => "l",
        0xf1, 0x143...0x14b => "n",
        0xf2...0xf6, 0xf8, 0x14c...0x151 => "o",
        0x152...0x153 => "oe",
        0x154...0x159 => "r",
        0x15a...0x161, 0x17f => "s",
        0xdf => "ss",
        0x162...0x167 => "t",
        0xfe => "th",
        0xf9...0xfc, 0x168...0x173 => "u",
        0x174...0x175 => "w",
        0xfd, 0xff, 0x176...0x177 => "y",
        0x179...0x17e => "z",
        else => null,
    };
}
