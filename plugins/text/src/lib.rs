//! Operations on text.
//!
//! - `word_count`: how many words, lines and characters a text has.
//! - `slugify`: a text as a part of an address; `latin` knows its letters.

mod latin;
mod slugify;
mod word_count;

use ophost_sdk::plugin;

plugin!(word_count::word_count, slugify::slugify);
