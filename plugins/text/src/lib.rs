//! Operations on text.
//!
//! - `word_count`: counts the words, lines and characters of a text.
//! - `slugify`: converts a text to a part of a URL; `latin` removes the accents.

mod latin;
mod slugify;
mod word_count;

use ophost_sdk::plugin;

plugin!(word_count::word_count, slugify::slugify);
