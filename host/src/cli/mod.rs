//! The `ophost` command: a door to the library.
//!
//! Each subcommand is a file: parse, call one method of [`Host`], print. What commands
//! share is in `project` (where the plugins are), `input` (fields to JSON), `output`
//! (what a terminal may see) and `error` (exit codes and hints).

mod build;
mod check;
mod describe;
mod error;
mod input;
mod list;
mod loading;
mod orchestration;
mod output;
mod plugins;
mod project;
mod run;
mod shim;

use std::io;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::error::CliError;
use self::project::Project;
use crate::host::{self, Host, HostBuilder};

/// Runs WebAssembly operations: small programs that declare what they take and give, run
/// in a sandbox with nothing granted.
#[derive(Debug, Parser)]
#[command(name = "ophost", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    project: Project,
    /// Print JSON: the result or the error, on stdout.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ophost list                                what there is
  ophost describe slugify                    what an operation takes and gives
  ophost run slugify text='Hello, World!'    run it
  ophost build my-plugin --install           build a Rust plugin and add it

Exit codes: 0 success, 1 the operation failed, 2 wrong usage or input, 3 no such operation,
4 denied, 5 the host failed, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run an operation and print its output.
    Run(Box<run::RunArgs>),
    /// List the operations.
    List,
    /// Show what an operation takes and gives.
    Describe(describe::DescribeArgs),
    /// List the plugin files, those that are used and those that are not, and why.
    Plugins,
    /// Say whether a host would take a file, and what it holds.
    Check(check::CheckArgs),
    /// Build Rust plugins into components.
    Build(build::BuildArgs),
    /// Print a module that calls this command from a workflow system.
    Shim(shim::ShimArgs),
    /// Compile the component on stdin, for another process of this program.
    #[command(name = host::COMPILER_COMMAND, hide = true)]
    CompileComponent {
        /// The most bytes of address space.
        memory: u64,
        /// The most seconds of processor time.
        seconds: u64,
    },
}

/// Runs the command with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => error.report(json),
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, CliError> {
    let Cli { project, json, command } = cli;
    match command {
        Command::Build(args) => build::run(&args, &project, json),
        Command::Check(args) => check::run(args, &project, json),
        Command::CompileComponent { memory, seconds } => Ok(host::serve_compiler(memory, seconds)),
        Command::Shim(args) => shim::run(args, json),
        Command::Plugins => with_host(&project, async |host| plugins::run(&host, json)),
        Command::List => with_host(&project, async |host| list::run(&host, json)),
        Command::Describe(args) => with_host_for(&project, &args.name.clone(), async |host| {
            describe::run(&host, &args, json)
        }),
        Command::Run(args) => with_host_for(&project, &args.name.clone(), async |host| {
            run::run(&host, *args, json).await
        }),
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Loads the project's plugins on a runtime of one thread and does the rest there.
fn with_host(
    project: &Project,
    command: impl AsyncFnOnce(Host) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    runtime()?.block_on(async {
        let host = loading::shown(project.builder()?, HostBuilder::build).await?;
        command(warned(host)).await
    })
}

/// As [`with_host`], for one operation: the host need not know any other.
fn with_host_for(
    project: &Project,
    operation: &str,
    command: impl AsyncFnOnce(Host) -> Result<ExitCode, CliError>,
) -> Result<ExitCode, CliError> {
    runtime()?.block_on(async {
        let build = async |builder: HostBuilder| builder.build_for(operation).await;
        let host = loading::shown(project.builder()?, build).await?;
        command(warned(host)).await
    })
}

/// Says what makes everything slow, once.
fn warned(host: Host) -> Host {
    if let Some(problem) = host.data_problem() {
        output::warn(&format!("compiled plugins are not kept: {problem}"));
    }
    host
}
