//! Who asks for a run.
//!
//! A door knows what it was told in so many words; the input may say more. Here the two
//! become one: flags are true if either says so, the actor is the first that is named.

use serde_json::Value;

use crate::model::outcome::{Actor, Flags};

/// What a door was told about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user on whose behalf the run happens.
    pub user_id: Option<String>,
    /// The channel, if the caller named one.
    pub channel: Option<String>,
    /// The door's own name, for where nobody named a channel: `cli`, `api`.
    pub default_channel: &'static str,
    /// What the caller switched on.
    pub flags: Flags,
}

impl Caller {
    /// Returns a caller that said nothing, through the given door.
    pub fn at(door: &'static str) -> Self {
        Self { user_id: None, channel: None, default_channel: door, flags: Flags::default() }
    }

    /// Returns the actor of a run on `input`: the caller's word, else the input's, else the
    /// door's. A null or empty word counts as none.
    pub(crate) fn actor(&self, input: &Value) -> Actor {
        let named = |own: &Option<String>| own.clone().filter(|text| !text.is_empty());
        let said = |own, field| named(own).or_else(|| text(input, field));
        Actor {
            user_id: said(&self.user_id, "user_id"),
            channel: said(&self.channel, "channel")
                .unwrap_or_else(|| self.default_channel.to_owned()),
        }
    }

    /// Returns the flags of a run on `input`, as it came: each is true if the caller or the
    /// input says so.
    pub(crate) fn flags(&self, input: &Value) -> Flags {
        let said = |field| input.get(field) == Some(&Value::Bool(true));
        Flags {
            dry_run: self.flags.dry_run || said("dry_run"),
            test_mode: self.flags.test_mode || said("test_mode"),
            verbose: self.flags.verbose || said("verbose"),
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
    fn i2_a_flag_is_true_if_the_caller_or_the_input_says_so() {
        let mut caller = Caller::at("cli");
        caller.flags.dry_run = true;
        let flags = caller.flags(&json!({"dry_run": false, "verbose": true, "test_mode": "yes"}));
        assert_eq!(flags, Flags { dry_run: true, test_mode: false, verbose: true });
    }

    #[test]
    fn i3_the_actor_is_the_caller_s_then_the_input_s_then_the_door_s() {
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
