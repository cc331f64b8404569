//! `ophost completions`: scripts for shells, and the answers to what those ask.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use serde_json::json;

use super::error::CliError;
use super::{complete, output};

/// The variable by which a script says that it wants an answer, and for which shell.
const VARIABLE: &str = "OPHOST_COMPLETE";
const SHELLS: Shells<'static> = Shells(&[&WholeWords, &Elvish, &Fish, &Powershell, &Zsh]);

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct CompletionsArgs {
    /// The shell that the script is for.
    shell: ShellName,
}

const NOTES: &str = "\
To have completions in every new shell, add a line to its startup file:
  bash        source <(ophost completions bash)           ~/.bashrc
  zsh         source <(ophost completions zsh)            ~/.zshrc, after compinit
  fish        ophost completions fish | source            ~/.config/fish/config.fish
  elvish      eval (ophost completions elvish | slurp)    ~/.config/elvish/rc.elv
  powershell  ophost completions powershell | Out-String | Invoke-Expression    $PROFILE

Names of operations and the fields of each come from the plugins that are there at that moment.";

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl ShellName {
    fn completer(self) -> &'static dyn EnvCompleter {
        match self {
            Self::Bash => &WholeWords,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Elvish => &Elvish,
            Self::Powershell => &Powershell,
        }
    }
}

pub(super) fn run(args: &CompletionsArgs, json: bool) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    let program = program().display().to_string();
    args.shell.completer().write_registration(
        VARIABLE,
        "ophost",
        "ophost",
        &program,
        &mut script,
    )?;
    let script = String::from_utf8_lossy(&script);
    if json {
        output::json(&json!({"shell": args.shell.completer().name(), "script": script}))?;
    } else {
        output::file(&script)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns how the script starts this program: by its name where that was enough.
fn program() -> PathBuf {
    let own = env::args_os().next().map_or_else(|| PathBuf::from("ophost"), PathBuf::from);
    if own.components().count() > 1 { env::current_exe().unwrap_or(own) } else { own }
}

/// Answers a script, if it was one that started this process.
pub(super) fn answered<C: CommandFactory>() -> bool {
    let Some(shell) = env::var_os(VARIABLE).filter(|shell| !shell.is_empty()) else {
        return false;
    };
    complete::asked_by(&shell);
    let here = env::current_dir().ok();
    let engine = CompleteEnv::with_factory(C::command).var(VARIABLE).shells(SHELLS);
    // A shell that asks in the middle of a line has no use for an error.
    engine.try_complete(env::args_os(), here.as_deref()).ok();
    true
}

/// Bash splits words at `=` and `:` and forgets where blanks were, so that `text=` and `text `
/// are the same to a completion. This script puts the words together again first.
#[derive(Debug)]
struct WholeWords;

const BASH: &str = r#"_clap_complete_ophost() {
    local IFS=$'\013' rest="${COMP_LINE:0:COMP_POINT}" word i
    local words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word="${COMP_WORDS[i]}"
        if [[ $i == 0 || "$rest" == [[:blank:]]* ]]; then
            rest="${rest#"${rest%%[![:blank:]]*}"}"
            words+=("")
        fi
        [[ $i == "$COMP_CWORD" ]] && word="$rest"
        words[${#words[@]}-1]+="$word"
        rest="${rest#"$word"}"
    done
    local index=$((${#words[@]} - 1))
    local current="${words[index]}"
    COMPREPLY=( $( \
        _CLAP_IFS="$IFS" _CLAP_COMPLETE_INDEX="$index" VARIABLE="bash" \
        PROGRAM -- "${words[@]}" 2>/dev/null \
    ) )
    # Only what stands behind the last `=` or `:` is replaced.
    COMPREPLY=("${COMPREPLY[@]#"${current%"$2"}"}")
    if [[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" != *[=:/.] ]]; then
        COMPREPLY[0]+=" "
    fi
}
complete -o nospace -o bashdefault -o nosort -F _clap_complete_ophost NAME 2>/dev/null ||
    complete -o nospace -o bashdefault -F _clap_complete_ophost NAME
"#;

impl EnvCompleter for WholeWords {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        variable: &str,
        _name: &str,
        bin: &str,
        completer: &str,
        buffer: &mut dyn io::Write,
    ) -> io::Result<()> {
        let script = BASH
            .replace("VARIABLE", variable)
            .replace("NAME", bin)
            .replace("PROGRAM", &output::quoted(completer));
        buffer.write_all(script.as_bytes())
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        words: Vec<OsString>,
        here: Option<&Path>,
        buffer: &mut dyn io::Write,
    ) -> io::Result<()> {
        Bash.write_complete(command, words, here, buffer)
    }
}
