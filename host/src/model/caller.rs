//! Merges the caller's explicit settings with those in the input. Explicit settings win.

use serde_json::Value;

use crate::model::outcome::{Actor, Flags};

/// Explicit settings of a call: user, channel and flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user of the run.
    pub user_id: Option<String>,
    /// The channel, if the caller names one.
    pub channel: Option<String>,
    /// Channel of the entry point, for calls that name none: `cli`, `api`.
    pub default_channel: &'static str,
    /// Flags that the caller sets.
    pub flags: Flags,
}

impl Caller {
    /// Returns a caller without settings, with the default channel of an entry point.
    pub fn at(default_channel: &'static str) -> Self {
        Self { user_id: None, channel: None, default_channel, flags: Flags::default() }
    }

    /// Returns the actor of a run with this input: from the caller, else from the input, else the
    /// default channel. A null or empty value counts as missing.
    pub(crate) fn actor(&self, input: &Value) -> Actor {
        let explicit = |value: &Option<String>| value.clone().filter(|text| !text.is_empty());
        let merged = |value, field| explicit(value).or_else(|| text(input, field));
        Actor {
            user_id: merged(&self.user_id, "user_id"),
            channel: merged(&self.channel, "channel")
                .unwrap_or_else(|| self.default_channel.to_owned()),
        }
    }

    /// Returns the flags of a run with this input, before defaults are applied: a flag is set if
    /// the caller or the input sets it.
    pub(crate) fn flags(&self, input: &Value) -> Flags {
        let is_set = |field| input.get(field) == Some(&Value::Bool(true));
        Flags {
            dry_run: self.flags.dry_run || is_set("dry_run"),
            test_mode: self.flags.test_mode || is_set("test_mode"),
            verbose: self.flags.verbose || is_set("verbose"),
        }
    }
}

fn text(input: &Value, field: &str) -> Option<String> {
    input.get(field)?.as_str().filter(|text| !text.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_flag_is_set_by_the_caller_or_by_the_input() {
        let mut caller = Caller::at("cli");
        caller.flags.dry_run = true;
        let flags = caller.flags(&json!({"dry_run": false, "verbose": true, "test_mode": "yes"}));
        assert_eq!(flags, Flags { dry_run: true, test_mode: false, verbose: true });
    }

    #[test]
    fn the_actor_is_from_the_caller_then_the_input_then_the_default_channel() {
        let mut caller = Caller::at("cli");
        let actor = |caller: &Caller, input| {
            let Actor { user_id, channel } = caller.actor(&input);
            (user_id, channel)
        };
        assert_eq!(actor(&caller, json!({"user_id": null})), (None, "cli".into()));
        let input = json!({"user_id": "ann", "channel": "ui"});
        assert_eq!(actor(&caller, input.clone()), (Some("ann".into()), "ui".into()));
        caller.user_id = Some("bob".into());
        caller.channel = Some("cron".into());
        assert_eq!(actor(&caller, input), (Some("bob".into()), "cron".into()));
    }
}
