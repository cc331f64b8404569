//! Makes JSON shorter: UUIDs and digests, which no packer shortens, become bytes.
//!
//! Before them is a byte that no JSON has: it writes control characters otherwise.

use memchr::{memchr, memchr2};
use uuid::Uuid;

use crate::model::digest::Digest;

/// Sixteen bytes follow: a UUID in lower case, with hyphens.
const UUID: u8 = 1;
/// Thirty-two bytes follow: 64 digits in lower case.
const DIGEST: u8 = 2;

/// Returns the short form of a JSON text.
pub(super) fn shorten(json: &[u8]) -> Vec<u8> {
    let mut short = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(place) = memchr(b'"', rest) {
        let (text, after) = rest.split_at(place + 1);
        short.extend(text);
        rest = after;
        if let Some((uuid, after)) = uuid(rest) {
            short.push(UUID);
            short.extend(uuid.into_bytes());
            rest = after;
        } else if let Some((digest, after)) = digest(rest) {
            short.push(DIGEST);
            short.extend(digest.as_bytes());
            rest = after;
        }
    }
    short.extend(rest);
    short
}

fn uuid(text: &[u8]) -> Option<(Uuid, &[u8])> {
    let (text, after) = text.split_first_chunk::<36>()?;
    // The reader takes other forms too.
    let uuid = Uuid::try_parse_ascii(text).ok()?;
    (uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes() == text)
        .then_some((uuid, after))
}

fn digest(text: &[u8]) -> Option<(Digest, &[u8])> {
    let (text, after) = text.split_first_chunk::<64>()?;
    let digest = std::str::from_utf8(text).ok()?.parse().ok()?;
    Some((digest, after))
}

/// Returns the JSON text of a short form; `None` if it is none.
pub(super) fn lengthen(short: Vec<u8>) -> Option<Vec<u8>> {
    if memchr2(UUID, DIGEST, &short).is_none() {
        return Some(short);
    }
    let mut json = Vec::with_capacity(short.len() * 2);
    let mut rest = &short[..];
    while let Some(place) = memchr2(UUID, DIGEST, rest) {
        json.extend(&rest[..place]);
        let after = &rest[place + 1..];
        rest = if rest[place] == UUID {
            let (uuid, after) = after.split_first_chunk()?;
            json.extend(Uuid::from_bytes(*uuid).to_string().into_bytes());
            after
        } else {
            let (digest, after) = after.split_first_chunk()?;
            json.extend(Digest::from_bytes(*digest).to_string().into_bytes());
            after
        };
    }
    json.extend(rest);
    Some(json)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::run_record::RunId;

    #[test]
    fn what_was_shortened_is_lengthened_to_the_same_text() {
        let (id, digest) = (RunId::new().to_string(), Digest::sha256(b"x").to_string());
        let value = json!({
            "id": id, "digest": digest, "upper": id.to_uppercase(), "bare": id.replace('-', ""),
            "DIGEST": digest.to_uppercase(), "braces": format!("{{{id}}}"), "control": "\u{1}\u{2}",
            "part": &id[..35], "more": format!("{digest}0 {id}"), &id: [&digest[1..], "", "ä"],
        });
        let json = value.to_string();
        let short = shorten(json.as_bytes());
        assert_eq!(lengthen(short.clone()).unwrap(), json.as_bytes());
        assert_eq!(short.len(), json.len() - 2 * (36 - 17) - 2 * (64 - 33));
        assert_eq!(shorten(format!("\"{id}").as_bytes()).len(), 18);
        assert_eq!(lengthen(vec![UUID, 0]), None);
    }
}
