//! `ophost completions`: prints a completion script, and answers the requests of these scripts.

use std::env;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::CompleteEnv;
use clap_complete::env::{Bash, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use serde_json::json;

use super::super::error::CliError;
use super::super::output;
use super::candidates;

/// The variable that a script sets to the name of its shell when it requests candidates.
const VARIABLE: &str = "OPHOST_COMPLETE";
const SHELLS: Shells<'static> = Shells(&[&JoinedWords, &Elvish, &Fish, &Powershell, &Zsh]);

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct CompletionsArgs {
    /// Shell of the script.
    shell: ShellName,
}

const NOTES: &str = "\
To enable completion in every new shell, add a line to its startup file:
  bash        source <(ophost completions bash)           ~/.bashrc
  zsh         source <(ophost completions zsh)            ~/.zshrc, after compinit
  fish        ophost completions fish | source            ~/.config/fish/config.fish
  elvish      eval (ophost completions elvish | slurp)    ~/.config/elvish/rc.elv
  powershell  ophost completions powershell | Out-String | Invoke-Expression    $PROFILE

The candidates come from the plugins that are installed when completion is requested.";

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
            Self::Bash => &JoinedWords,
            Self::Zsh => &Zsh,
            Self::Fish => &Fish,
            Self::Elvish => &Elvish,
            Self::Powershell => &Powershell,
        }
    }
}

pub(crate) fn run(args: &CompletionsArgs, json: bool) -> Result<ExitCode, CliError> {
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

/// Returns how the script starts this program: by name if it was started by name, else by path.
fn program() -> PathBuf {
    let started_as = env::args_os().next().map_or_else(|| PathBuf::from("ophost"), PathBuf::from);
    if started_as.components().count() > 1 {
        env::current_exe().unwrap_or(started_as)
    } else {
        started_as
    }
}

/// Prints candidates and returns `true` if a completion script started this process.
pub(crate) fn respond<C: CommandFactory>() -> bool {
    let Some(shell) = env::var_os(VARIABLE).filter(|shell| !shell.is_empty()) else {
        return false;
    };
    candidates::set_shell(&shell);
    let directory = env::current_dir().ok();
    let engine = CompleteEnv::with_factory(C::command).var(VARIABLE).shells(SHELLS);
    // An error message would be printed into the line that the user edits.
    engine.try_complete(env::args_os(), directory.as_deref()).ok();
    true
}

/// A script for bash that joins words before it requests candidates.
///
/// Bash splits words at `=` and `:` without recording blanks, so a completion cannot distinguish
/// `text=` from `text `.
#[derive(Debug)]
struct JoinedWords;

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
    # Bash replaces only the part after the last `=` or `:`.
    COMPREPLY=("${COMPREPLY[@]#"${current%"$2"}"}")
    if [[ ${#COMPREPLY[@]} == 1 && "${COMPREPLY[0]}" != *[=:/.] ]]; then
        COMPREPLY[0]+=" "
    fi
}
complete -o nospace -o bashdefault -o nosort -F _clap_complete_ophost NAME 2>/dev/null ||
    complete -o nospace -o bashdefault -F _clap_complete_ophost NAME
"#;

impl EnvCompleter for JoinedWords {
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
        directory: Option<&Path>,
        buffer: &mut dyn io::Write,
    ) -> io::Result<()> {
        Bash.write_complete(command, words, directory, buffer)
    }
}
