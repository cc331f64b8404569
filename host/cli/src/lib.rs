//! The `ophost` command: a thin front end to the [`ophost`] library.
//!
//! Each subcommand has its own module, which parses its arguments, calls one method of [`Host`] and
//! prints the result. The other modules are shared by the subcommands:
//!
//! - `settings`: reads the settings and builds hosts from them.
//! - `input`: builds the JSON input from fields. `field_path`: names of fields in arguments.
//! - `schema_view`: the fields of a schema, and an example command.
//! - `stdio`: standard streams that can be non-blocking. `escape`: escapes for a terminal.
//! - `output`: prints results and messages. `table`: rows in columns. `progress`: progress bar.
//! - `changes`: document changes as text and as JSON.
//! - `completion`: shell completion.
//! - `orchestration`, `limits`: flags of the commands that execute operations.
//! - `atomic_file`: atomic writes of files. `compile_progress`: progress of compiling plugins.
//! - `workspace_above`: cargo workspaces above a new project.
//! - `interrupt`: Ctrl-C and other signals. `timeout`: work with a time limit.
//! - `installed`: plugin files that a command has installed.
//! - `untrusted`: hints that make files trusted. `process_limits`: resource limits of the process.
//! - `error`: errors, hints and exit codes. `panics`: the panic hook.

mod atomic_file;
mod build;
mod builtin;
mod changes;
mod check;
mod compile_progress;
mod completion;
mod config;
mod describe;
mod dev;
mod doctor;
mod documents;
mod error;
mod escape;
mod field_path;
mod input;
mod installed;
mod interrupt;
mod limits;
mod list;
mod new;
mod orchestration;
mod output;
mod panics;
mod plugins;
mod process_limits;
mod progress;
#[cfg(test)]
mod reference;
mod run;
mod runs;
mod schema_view;
mod settings;
mod shim;
mod stdio;
mod table;
mod test;
mod timeout;
mod untrusted;
mod wit;
mod workspace_above;

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use ophost::{CompilerBackend, Host, HostBuilder, config::Config};
use ophost_document::text;

use self::error::CliError;
use self::output::{Color, EscapedText, HINT};
use self::settings::Settings;

/// Run WebAssembly operations: small programs that declare their inputs and outputs, and run in a
/// sandbox without files and network.
#[derive(Debug, Parser)]
#[command(name = "ophost", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    /// Print the result or the error as JSON to stdout.
    #[arg(long, global = true, help_heading = GLOBAL)]
    json: bool,
    /// When to use colours; `auto` uses them on a terminal unless `NO_COLOR` is set.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    #[arg(help_heading = GLOBAL)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

const GLOBAL: &str = "Global options";

const EXAMPLES: &str = "\
Examples:
  ophost list                                list the operations
  ophost describe slugify                    show the input and output of an operation
  ophost run slugify text='Hello, World!'    run an operation
  ophost new my-plugin                       create a project for a plugin
  ophost build my-plugin --install           build a plugin and install it
  ophost doctor                              check the environment

Exit codes: 0 success, 1 the operation or a check failed, 2 invalid arguments or input, or an
unsuitable file or run, 3 no such operation, run or document, 4 denied, or untrusted files that
other users can change, 5 the host or its store failed, 6 idempotency conflict or still in progress,
7 outcome unknown, 8 waiting timed out, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an operation and print its output.
    Run(Box<run::RunArgs>),
    /// List the operations.
    List(list::ListArgs),
    /// Show the input, the output and the metadata of an operation.
    Describe(describe::DescribeArgs),
    /// List, install and remove plugin files.
    Plugins(plugins::PluginsArgs),
    /// Check whether a host accepts a plugin file, and list its operations.
    Check(check::CheckArgs),
    /// Create a project for a plugin, with an operation and its tests.
    New(new::NewArgs),
    /// Build plugins into components.
    Build(build::BuildArgs),
    /// Build a plugin and run its cases.
    Test(test::TestArgs),
    /// Build and run a plugin again whenever its source files change.
    Dev(Box<dev::DevArgs>),
    /// Print or write the contract with plugins, in the language WIT.
    Wit(wit::WitArgs),
    /// Show, rerun, cancel, erase and prune runs.
    Runs(runs::RunsArgs),
    /// Find, import and export documents.
    Documents(documents::DocumentsArgs),
    /// Check, back up, compact or salvage the store.
    Store(runs::StoreArgs),
    /// Show the settings and the source of each.
    Config(config::ConfigArgs),
    /// Check the environment and suggest fixes.
    Doctor,
    /// Print a completion script for a shell.
    Completions(completion::CompletionsArgs),
    /// Print a module for calling operations from a workflow system.
    Shim(shim::ShimArgs),
    /// Compile the component on stdin, as the child process of another `ophost`.
    #[command(name = ophost::COMPILER_COMMAND, hide = true)]
    CompileComponent {
        /// Maximum address space, in bytes.
        memory: u64,
        /// Maximum processor time, in seconds.
        seconds: u64,
        /// Whether the address space of the host is limited.
        #[arg(action = clap::ArgAction::Set)]
        is_small: bool,
        /// Compiler.
        #[arg(value_parser = parse_compiler)]
        compiler: CompilerBackend,
    },
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    panics::install_panic_hook();
    if let Err(error) = interrupt::enable_child_wait() {
        return CliError::from(error).report(false);
    }
    if completion::respond::<Cli>() {
        return ExitCode::SUCCESS;
    }
    let cli = match parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let json = cli.json;
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => error.report(json),
    }
}

/// Parses the arguments. Prints help and usage errors.
fn parse() -> Result<Cli, ExitCode> {
    let args: Vec<_> = env::args_os().skip(1).take_while(|arg| arg != "--").collect();
    let color = color_of(&args);
    color.apply();
    let matches = Cli::command().color(color.for_clap()).try_get_matches();
    let error = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => return Ok(cli),
        Err(error) => truncate_value(error),
    };
    if error.use_stderr() && args.iter().any(|arg| arg == "--json") {
        return Err(CliError::usage(&error.to_string()).report(true));
    }
    let text = printable(&error);
    if error.use_stderr() {
        output::stderr(&text);
        return Err(error::Exit::Usage.into());
    }
    Err(output::stdout(&text).map_or_else(|error| error.report(false), |()| ExitCode::SUCCESS))
}

/// Returns the text of help or of a usage error. If an argument contains characters that are unsafe
/// for a terminal, the whole text is plain and escaped, because it quotes the argument.
fn printable(error: &clap::Error) -> String {
    let plain = error.to_string();
    let escaped = EscapedText(&plain).to_string();
    // The plain text does not contain the escape sequences of an argument.
    let is_unsafe = env::args_os().any(|arg| !escape::is_safe(&arg.to_string_lossy()));
    if plain != escaped || is_unsafe { escaped } else { error.render().ansi().to_string() }
}

/// Truncates the invalid value in a usage error.
fn truncate_value(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) {
        let value = text::quote(value);
        error.insert(ContextKind::InvalidValue, ContextValue::String(value));
    }
    error
}

/// Returns the value of `--color`, because help and usage errors are printed before all arguments
/// are parsed.
fn color_of(args: &[OsString]) -> Color {
    let text = |index: usize| args.get(index).and_then(|arg| arg.to_str());
    let named = (0..args.len()).find_map(|index| match text(index)?.strip_prefix("--color")? {
        "" => text(index + 1),
        value => value.strip_prefix('='),
    });
    named.and_then(|name| Color::from_str(name, false).ok()).unwrap_or_default()
}

fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let Cli { settings, json, command, color: _ } = cli;
    if !matches!(command, Command::CompileComponent { .. }) {
        process_limits::prepare()?;
    }
    match command {
        Command::CompileComponent { memory, seconds, is_small, compiler } => {
            Ok(ophost::serve_compiler(memory, seconds, is_small, compiler))
        }
        Command::Shim(args) => shim::run(args, json),
        Command::Runs(args) => runs::run(args, &settings.config()?, json),
        Command::Documents(args) => documents::run(args, &settings.config()?, json),
        Command::Store(args) => runs::store(args, &settings.config()?, json),
        Command::Completions(args) => completion::run(&args, json),
        Command::Doctor => doctor::run(settings, json),
        Command::Config(args) => config::run(&args, &settings.silent()?, json),
        Command::Build(args) => build::run(&args, &settings.config()?, json),
        Command::Test(args) => test::run(&args, &settings.config()?, json),
        Command::Dev(args) => dev::run(*args, &settings.config()?, json),
        Command::Check(args) => check::run(args, &settings.config()?, json),
        Command::New(args) => new::run(&args, json),
        Command::Wit(args) => wit::run(&args, json),
        Command::Plugins(args) => plugins::run(&args, &settings.config()?, json),
        Command::List(args) => {
            with_host(&settings.config()?, async |host| list::run(&host, args, json))
        }
        Command::Describe(args) => {
            let name = args.name.clone();
            let describe = async |host| describe::run(&host, &args, json);
            with_host_for(&settings.config()?, &name, describe)
        }
        Command::Run(args) => {
            let name = args.name.clone();
            let run = async |host| {
                let code = run::run(&host, *args, json).await;
                host.prune_step().await;
                code
            };
            with_host_for(&settings.config()?, &name, run)
        }
    }
}

fn parse_compiler(name: &str) -> Result<CompilerBackend, String> {
    CompilerBackend::from_name(name).ok_or_else(|| format!("`{name}` is not a compiler"))
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Loads all plugins and runs the command, on a runtime with one thread.
fn with_host(
    config: &Config,
    command: impl AsyncFnOnce(Host) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    runtime()?.block_on(async { command(host_for_all(config).await?).await })
}

/// Returns a host with all operations.
async fn host_for_all(config: &Config) -> Result<Host, CliError> {
    let root_data = settings::root_owned_data(config);
    let host =
        compile_progress::with_progress(settings::builder(config)?, HostBuilder::build).await?;
    root_data.iter().for_each(settings::warn_about_root);
    warn_about_cache(&host);
    Ok(host)
}

/// Like [`with_host`], but loads only the plugin of one operation.
fn with_host_for(
    config: &Config,
    operation: &str,
    command: impl AsyncFnOnce(Host) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    runtime()?.block_on(async { command(host_for(config, operation).await?).await })
}

/// Returns a host with the plugin of one operation.
async fn host_for(config: &Config, operation: &str) -> Result<Host, CliError> {
    let build = async |builder: HostBuilder| builder.build_for(operation).await;
    let root_data = settings::root_owned_data(config);
    let host = compile_progress::with_progress(settings::builder(config)?, build).await?;
    root_data.iter().for_each(settings::warn_about_root);
    warn_about_cache(&host);
    Ok(host)
}

/// Warns if the code cache cannot be used.
fn warn_about_cache(host: &Host) {
    if let Some(problem) = host.cache_error() {
        output::warn(&problem);
        let text = "remove the path, or set `OPHOST_CACHE` to a private directory";
        output::stderr(&format!("{HINT}hint{HINT:#}: {text}\n"));
    }
}
