//! Operations on text.
//!
//! - `word_count`: counts the words, lines and characters of a text.
//! - `slugify`: converts a text to a part of a URL; `latin` removes the accents.
//! - `characters`: the properties of characters.

pub const operations = .{
    @import("word_count.zig").operation,
    @import("slugify.zig").operation,
};
