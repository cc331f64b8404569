//! `ophost new`: creates a project for a plugin.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use ophost_toolchain::kit::{self, Language, Project, ProjectName};

use super::completion;
use super::error::CliError;
use super::output::{self, EscapedLine, HINT, NAME, quoted};
use super::workspace_above;

/// The project to create.
#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(super) struct NewArgs {
    /// Name of the plugin and, with `_` for `-`, of its operation.
    name: String,
    /// Directory of the project, which must not exist [default: NAME].
    #[arg(value_name = "DIR", add = ArgValueCompleter::new(completion::directories))]
    directory: Option<PathBuf>,
    /// Language of the plugin.
    #[arg(long = "lang", value_enum, default_value_t = Lang::Rust, value_name = "LANGUAGE")]
    language: Lang,
}

const NOTES: &str = "\
Examples:
  ophost new greeter
  ophost new greeter --lang python
  ophost new greeter --lang typescript

The project contains an operation with tests, and the SDK in `sdk`. Its README lists the commands.";

/// The languages in arguments.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Lang {
    // The values have no help texts, because clap would print each on a line of its own.
    Rust,
    Python,
    #[value(name = "typescript", alias = "ts")]
    TypeScript,
    #[value(name = "javascript", alias = "js")]
    JavaScript,
    Go,
    C,
    #[value(alias = "c++")]
    Cpp,
    Zig,
}

impl From<Lang> for Language {
    fn from(language: Lang) -> Self {
        match language {
            Lang::Rust => Self::Rust,
            Lang::Python => Self::Python,
            Lang::TypeScript => Self::TypeScript,
            Lang::JavaScript => Self::JavaScript,
            Lang::Go => Self::Go,
            Lang::C => Self::C,
            Lang::Cpp => Self::Cpp,
            Lang::Zig => Self::Zig,
        }
    }
}

pub(super) fn run(args: &NewArgs, json: bool) -> Result<ExitCode, CliError> {
    let language = args.language.into();
    let name = ProjectName::new(&args.name, language)?;
    let directory = args.directory.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
    let project = Project { name, language };
    kit::create(&project, &directory)?;
    if let Some(manifest) = workspace_above::includes(&directory) {
        warn_about_workspace(&manifest);
    }
    let commands = commands(&project, &directory);
    let (name, operation) = (project.name.as_str(), project.name.module());
    if json {
        output::json(&json!({
            "name": name,
            "language": language.id(),
            "directory": directory.display().to_string(),
            "operation": operation,
            "commands": commands,
        }))?;
    } else {
        let lines: String = commands.iter().map(|command| format!("  {command}\n")).collect();
        let place = directory.display().to_string();
        output::stdout(&format!(
            "created {NAME}{name}{NAME:#} in `{}`: a plugin in {language} with the operation \
             `{operation}`\n\nNext commands:\n{}",
            EscapedLine(&place),
            output::EscapedText(&lines),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns the commands that test, build and run the new plugin.
fn commands(project: &Project, directory: &Path) -> Vec<String> {
    let mut commands = vec![format!("cd {}", quoted(&directory.display().to_string()))];
    commands.extend(project.setup().iter().map(|command| (*command).to_owned()));
    commands.push("ophost test".to_owned());
    commands.push("ophost build --install".to_owned());
    commands.push(format!("ophost run {} name=World", project.name.module()));
    commands
}

/// Warns that a workspace above the project takes the project as a member.
fn warn_about_workspace(manifest: &Path) {
    let manifest = manifest.display();
    output::warn(&format!("`members` in `{manifest}` includes the project, which is a workspace"));
    let text = format!("add the project to `exclude` under `[workspace]` in `{manifest}`");
    output::stderr(&format!("{HINT}hint{HINT:#}: {}\n", EscapedLine(&text)));
}
