//! `cargo xtask postings`: prints generated job postings as JSON Lines, for the plugin `jobs`.
//!
//! Equal arguments print equal bytes on every machine. Each posting is drawn independently:
//!
//! | property | distribution |
//! | --- | --- |
//! | market | 35 % United States, 25 % Germany, 20 % United Kingdom, 8 % France, 7 % Switzerland, 5 % Canada |
//! | role | 14 roles; 20 % software engineers, 4 to 10 % each of the others |
//! | seniority in the title | 40 % none, 27 % senior, 12 % junior, 8 % lead, 8 % mid, 5 % intern |
//! | notes in the title | 85 % `(m/w/d)` in German, 90 % `(H/F)` in French, else 30 % a note such as `- Remote` |
//! | case of the title | 92 % usual, 5 % upper case, 3 % lower case |
//! | years of experience | in 40 % of the descriptions, according to the seniority |
//! | skills | 2 to 6 of the role, uniform |
//! | salary | 15 % missing, 12 % open such as `competitive`, 73 % stated |
//! | stated salary | pay of the role × market × seniority, uniform ± 15 %, in a notation of the market |
//! | faulty postings | 3 %: 1.5 % malformed salary, 1 % empty title, 0.5 % no company |
//!
//! - `random`: the generator of numbers.
//! - `market`, `role`: the tables of the distributions.
//! - `salary`: amounts and their notations.
//! - `posting`: one posting. `json`: its line.

mod json;
mod market;
mod posting;
mod random;
mod role;
mod salary;

use std::io::{self, BufWriter, Write as _};

use self::posting::posting;
use self::random::Random;
use crate::runner::Failure;

/// Default number of postings.
const COUNT: u64 = 3_000;
/// Default seed.
const SEED: u64 = 1;
/// Maximum number of postings.
const MAX_COUNT: u64 = 1_000_000;

const HELP: &str = "\
Usage: cargo xtask postings [OPTIONS] > FILE

Prints generated job postings as JSON Lines. Equal options print equal bytes.

Options:
  --count N  Number of postings, at most 1000000 [default: 3000]
  --seed N   Seed of the generator [default: 1]";

/// The arguments of the command.
#[derive(Debug, PartialEq, Eq)]
enum Arguments {
    Help,
    Print { count: u64, seed: u64 },
}

impl Arguments {
    /// Parses the arguments.
    ///
    /// # Errors
    ///
    /// Returns a failure for an unknown flag, a missing or malformed value, and too many postings.
    fn parse(arguments: &[&str]) -> Result<Self, Failure> {
        let (mut count, mut seed) = (COUNT, SEED);
        let mut rest = arguments.iter();
        while let Some(flag) = rest.next() {
            match *flag {
                "--help" | "-h" => return Ok(Self::Help),
                "--count" => count = number(flag, rest.next(), MAX_COUNT)?,
                "--seed" => seed = number(flag, rest.next(), u64::MAX)?,
                other => {
                    return Err(Failure::new(format!("unknown flag `{other}` of `postings`")));
                }
            }
        }
        Ok(Self::Print { count, seed })
    }
}

fn number(flag: &str, value: Option<&&str>, max: u64) -> Result<u64, Failure> {
    let number = value.and_then(|value| value.parse().ok());
    number
        .filter(|number| *number <= max)
        .ok_or_else(|| Failure::new(format!("`{flag}` needs a whole number of at most {max}")))
}

/// Prints postings to stdout.
///
/// # Errors
///
/// Returns a failure for invalid arguments, and if stdout cannot be written.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    match Arguments::parse(arguments)? {
        Arguments::Help => println!("{HELP}"),
        Arguments::Print { count, seed } => print(count, seed)
            .map_err(|error| Failure::new(format!("cannot write the postings: {error}")))?,
    }
    Ok(())
}

fn print(count: u64, seed: u64) -> io::Result<()> {
    let mut stdout = BufWriter::new(io::stdout().lock());
    for line in lines(count, seed) {
        stdout.write_all(line.as_bytes())?;
    }
    stdout.flush()
}

/// Returns the lines of postings, each with its line feed.
pub(crate) fn lines(count: u64, seed: u64) -> impl Iterator<Item = String> {
    let mut random = Random::new(seed);
    (1..=count).map(move |number| posting(number, &mut random).to_line())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the 64-bit FNV-1a hash of a text.
    fn hash(text: &str) -> u64 {
        let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        text.bytes().fold(0xcbf2_9ce4_8422_2325, step)
    }

    #[test]
    fn equal_seeds_give_equal_bytes() {
        let first = lines(1, SEED).next().unwrap();
        assert_eq!(
            first,
            "{\"_id\":\"posting-00001\",\"title\":\"Principal Testingenieur (m/w/d)\",\
             \"company\":\"Talblick Software GmbH\",\"description\":\"Werde Teil unseres Teams. \
             Kenntnisse: Python, Jenkins, SQL, Agile.\",\"location\":\"München\",\
             \"salary\":\"81-88 k€\"}\n"
        );
        let hash = hash(&lines(COUNT, SEED).collect::<String>());
        assert_eq!(hash, 0xfb7c_8762_abf3_b9e4, "{hash:#x}");
        assert_ne!(lines(1, SEED + 1).next(), Some(first));
    }

    #[test]
    fn arguments_have_defaults_and_bounds() {
        let parse = |arguments: &[&str]| Arguments::parse(arguments).map_err(|it| it.to_string());
        assert_eq!(parse(&[]), Ok(Arguments::Print { count: 3_000, seed: 1 }));
        let both = parse(&["--seed", "7", "--count", "2"]);
        assert_eq!(both, Ok(Arguments::Print { count: 2, seed: 7 }));
        let message = "`--count` needs a whole number of at most 1000000".to_owned();
        for value in ["1000001", "-1", "x"] {
            assert_eq!(parse(&["--count", value]), Err(message.clone()));
        }
        assert_eq!(parse(&["--count"]), Err(message));
        assert_eq!(parse(&["--fast"]), Err("unknown flag `--fast` of `postings`".to_owned()));
    }
}
